(select customer_id from {{ source('shop', 'customers') }} union select 'guest' except select customer_id from {{ ref('dim_customers') }})
union all
(select customer_id from {{ ref('fct_orders') }} except select customer_id from {{ ref('dim_customers') }})
union all
select customer_id from {{ ref('dim_customers') }} group by 1 having count(*) > 1

-- canary: 268757c1-3351-4d53-93f7-d01261c86c4d
