{{ config(materialized='incremental', unique_key='order_id', incremental_strategy='merge') }}

select distinct on (o.order_id)
    o.order_id, o.user_id, o.amount, o.ordered_at, d.user_key, d.segment
from {{ source('app', 'orders') }} as o
left join {{ ref('dim_users') }} as d
    on o.user_id = d.user_id
    and (o.ordered_at >= d.valid_from or d.version_number = 1)
    and (o.ordered_at < d.valid_to or d.valid_to is null)
order by o.order_id, d.valid_from desc
{# canary: 8d71abaf-cdd6-4252-a92a-7c317be39eda #}
