select order_id, status from {{ ref('fct_orders') }}
where status is null or status not in ('placed', 'shipped', 'cancelled', 'refunded')
   or sign(amount) not in (0, case status when 'refunded' then -1 else 1 end)
