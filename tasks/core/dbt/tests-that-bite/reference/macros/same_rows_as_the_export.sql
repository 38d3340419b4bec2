{# Every order of the export is there with its status and its signed amount, and nothing else is. Fails on an empty
   table, too: what is missing counts. #}
{% test same_rows_as_the_export(model) %}
with wanted as (
    select
        order_id,
        coalesce(nullif(customer_id, ''), 'guest') as customer_id,
        case code when 'P' then 'placed' when 'S' then 'shipped' when 'C' then 'cancelled' when 'R' then 'refunded' end as status,
        cast(case when code = 'R' then -amount_cents else amount_cents end / 100 as decimal(12, 2)) as amount,
        cast(ordered_at as date) as order_date
    from {{ source('shop', 'orders') }}
    qualify row_number() over (partition by order_id order by version desc) = 1
)

select 'missing' as problem, * from (select * from wanted except all select order_id, customer_id, status, amount, order_date from {{ model }})
union all
select 'unexpected', * from (select order_id, customer_id, status, amount, order_date from {{ model }} except all select * from wanted)
{% endtest %}
{# canary: 268757c1-3351-4d53-93f7-d01261c86c4d #}
