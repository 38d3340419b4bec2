select
    order_date,
    count(*) as orders,
    cast(sum(amount) as decimal(18, 2)) as revenue
from {{ ref('fct_orders') }}
where status <> 'cancelled'
group by order_date
