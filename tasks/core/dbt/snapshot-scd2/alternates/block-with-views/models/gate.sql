{{ config(materialized='table') }}

-- Fails (division by zero) unless app.users is in order.
select
    1 / (case
        when count(*) > 0 and count(*) = count(distinct user_id) then 1
        else 0
    end) = 1 as is_open
from {{ source('app', 'users') }}
{# canary: 8d71abaf-cdd6-4252-a92a-7c317be39eda #}
