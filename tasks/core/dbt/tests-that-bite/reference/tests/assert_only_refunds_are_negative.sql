select order_id, status, amount from {{ ref('fct_orders') }}
where (amount < 0 and status <> 'refunded') or (amount > 0 and status = 'refunded')
