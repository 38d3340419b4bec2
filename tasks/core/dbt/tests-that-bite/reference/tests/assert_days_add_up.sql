-- A day's number of orders and revenue are those of the fact, and no day is missing.
with wanted as (
    select order_date, count(*) as orders, sum(amount) as revenue
    from {{ ref('fct_orders') }}
    where status <> 'cancelled'
    group by order_date
)

select *
from wanted as w
full join {{ ref('daily_revenue') }} as d on d.order_date = w.order_date
where w.orders is distinct from d.orders or w.revenue is distinct from d.revenue

-- canary: 268757c1-3351-4d53-93f7-d01261c86c4d
