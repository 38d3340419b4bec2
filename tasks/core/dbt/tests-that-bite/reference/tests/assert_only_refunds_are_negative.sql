select order_id, status, amount from {{ ref('fct_orders') }}
where (amount < 0 and status <> 'refunded') or (amount > 0 and status = 'refunded')

-- canary: 268757c1-3351-4d53-93f7-d01261c86c4d
