select order_id, status from {{ ref('fct_orders') }}
where status is null or status not in ('placed', 'shipped', 'cancelled', 'refunded')
   or sign(amount) not in (0, case status when 'refunded' then -1 else 1 end)

-- canary: 268757c1-3351-4d53-93f7-d01261c86c4d
