{{ config(materialized='view') }}

select
    md5(user_id || '@' || dbt_valid_from::text) as user_key,
    user_id, name, email, segment, accepts_marketing,
    dbt_valid_from::timestamptz as valid_from,
    dbt_valid_to::timestamptz as valid_to,
    (dbt_valid_to is null) as is_current,
    row_number() over (partition by user_id order by dbt_valid_from) as version_number
from {{ ref('snap_users') }}
{# canary: 8d71abaf-cdd6-4252-a92a-7c317be39eda #}
