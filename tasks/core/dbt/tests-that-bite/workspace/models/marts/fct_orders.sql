select
    o.order_id,
    coalesce(o.customer_id, 'guest') as customer_id,
    c.country,
    o.status,
    cast(case when o.status = 'refunded' then -o.amount else o.amount end as decimal(12, 2)) as amount,
    cast(o.ordered_at as date) as order_date
from {{ ref('stg_orders') }} as o
left join {{ ref('stg_customers') }} as c on c.customer_id = o.customer_id
