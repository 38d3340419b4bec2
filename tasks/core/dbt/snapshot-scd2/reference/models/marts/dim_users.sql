{{ config(materialized='table') }}

select
    dbt_scd_id as user_key,
    user_id,
    name,
    email,
    segment,
    accepts_marketing,
    dbt_valid_from as valid_from,
    dbt_valid_to as valid_to,
    dbt_valid_to is null as is_current
from {{ ref('users_snapshot') }}
{# canary: 8d71abaf-cdd6-4252-a92a-7c317be39eda #}
