-- canary: d8ade5ae-7278-4e8f-874b-a1d7e3f53844
\set prefix 's3://shop-exports/orders/batch=' :batch '/part-'
begin;
create table if not exists fct_orders (
    order_id bigint primary key, customer_id bigint distkey, status varchar(20), amount numeric(12,2),
    note varchar(400), ordered_at timestamp sortkey, version int not null
);
create temp table arrived (like fct_orders);
copy arrived from :'prefix' iam_role default csv ignoreheader 1 emptyasnull;
create temp table newest as
select a.order_id, a.customer_id, a.status, a.amount, a.note, a.ordered_at, a.version
from arrived a
left join fct_orders f on f.order_id = a.order_id
where f.order_id is null or a.version > f.version
qualify row_number() over (partition by a.order_id order by a.version desc) = 1;
merge into fct_orders using newest on fct_orders.order_id = newest.order_id
when matched then update set
    customer_id = newest.customer_id, status = newest.status, amount = newest.amount, note = newest.note,
    ordered_at = newest.ordered_at, version = newest.version
when not matched then insert (order_id, customer_id, status, amount, note, ordered_at, version)
values (newest.order_id, newest.customer_id, newest.status, newest.amount, newest.note, newest.ordered_at, newest.version);
commit;
