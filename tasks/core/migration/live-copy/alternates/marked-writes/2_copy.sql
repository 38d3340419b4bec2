-- A statement, and so a transaction, for each range of 500 numbers; the rows are locked as they are read.
select format($copy$
    with batch as (select * from legacy.orders where order_id between %1$s and %1$s + 499 for update)
    insert into shop.orders
    select order_id, ref, customer, amount * 100, placed at time zone 'Europe/Vienna',
        case status when 'N' then 'new' when 'P' then 'paid' when 'S' then 'shipped' else 'cancelled' end, note
    from batch on conflict do nothing
$copy$, first)
from generate_series(
    (select min(order_id) from legacy.orders), (select max(order_id) from legacy.orders), 500
) as first
\gexec
-- canary: 463ac6cf-610c-48f3-bbad-76dc23783cb6
