{% set latest %}(select *, case code when 'R' then -1 else 1 end * amount_cents as cents from {{ source('shop', 'orders') }}
 where (order_id, version) in (select order_id, max(version) from {{ source('shop', 'orders') }} group by 1)){% endset %}
select 'orders' as what where (select count(*) from {{ ref('fct_orders') }}) <> (select count(*) from {{ latest }})
union all
select 'amounts' where (select coalesce(sum(100 * amount), 0) from {{ ref('fct_orders') }}) <> (select sum(cents) from {{ latest }})
union all
select order_id from {{ ref('fct_orders') }} group by order_id having count(*) > 1
union all
select order_id from {{ latest }} as l where not exists (select 1 from {{ ref('fct_orders') }} as f where f.order_id = l.order_id and 100 * f.amount = l.cents
  and f.customer_id = coalesce(nullif(l.customer_id, ''), 'guest') and upper(f.status[1]) = l.code)
union all
select order_date::varchar from {{ ref('daily_revenue') }} group by order_date having count(*) > 1
union all
select 'revenue' where (select 100 * sum(revenue) from {{ ref('daily_revenue') }}) is distinct from (select sum(cents) from {{ latest }} where code <> 'C')
union all
select 'days' where (select sum(orders) from {{ ref('daily_revenue') }}) is distinct from (select count(*) from {{ latest }} where code <> 'C')

-- canary: 268757c1-3351-4d53-93f7-d01261c86c4d
