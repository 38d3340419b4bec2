(select customer_id from {{ source('shop', 'customers') }} union select 'guest' except select customer_id from {{ ref('dim_customers') }})
union all
(select customer_id from {{ ref('fct_orders') }} except select customer_id from {{ ref('dim_customers') }})
union all
select customer_id from {{ ref('dim_customers') }} group by 1 having count(*) > 1
