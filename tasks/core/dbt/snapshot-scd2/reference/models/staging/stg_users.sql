{{ config(materialized='view') }}

-- What the history is about, and nothing else: further columns of the source stay out.
select
    user_id,
    name,
    email,
    segment,
    accepts_marketing
from {{ source('app', 'users') }}
{# canary: 8d71abaf-cdd6-4252-a92a-7c317be39eda #}
