-- A statement, and so a transaction, for each range of 500 numbers; the rows are locked as they are read. What the app
-- holds is passed over, and waited for at the end, one by one: whoever holds nothing stands in nobody's way.
prepare copy(bigint, bigint) as
    with batch as (select * from legacy.orders where order_id between $1 and $2 for update skip locked)
    insert into shop.orders
    select order_id, ref, customer, amount * 100, placed at time zone 'Europe/Vienna',
        case status when 'N' then 'new' when 'P' then 'paid' when 'S' then 'shipped' else 'cancelled' end, note
    from batch on conflict do nothing;

select format('execute copy(%1$s, %1$s + 499)', first)
from generate_series(
    (select min(order_id) from legacy.orders), (select max(order_id) from legacy.orders), 500
) as first
\gexec

select 'begin', format('select from legacy.orders where order_id = %s for update', order_id),
    format('execute copy(%1$s, %1$s)', order_id), 'commit'
from legacy.orders as o
where not exists (select from shop.orders as s where s.order_id = o.order_id)
\gexec
-- canary: 463ac6cf-610c-48f3-bbad-76dc23783cb6
