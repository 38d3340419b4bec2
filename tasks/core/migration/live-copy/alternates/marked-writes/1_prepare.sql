-- Both directions are there from the start, the way back asleep. A write that is carried over is marked, and not carried back.
\set ON_ERROR_STOP 1
create schema if not exists shop;
create table if not exists shop.orders (
    order_id bigint not null default nextval('legacy.orders_order_id_seq'::regclass),
    ref text not null, customer text not null, amount_cents bigint not null,
    placed_at timestamp with time zone not null, status text not null default 'new', note text,
    constraint orders_key primary key (order_id), constraint orders_ref unique (ref)
);

create or replace function shop.carry_over() returns trigger language plpgsql as $$
declare
    words constant jsonb := '{"N": "new", "P": "paid", "S": "shipped", "C": "cancelled"}';
begin
    if current_setting('move.carried', true) = 'yes' then return null; end if;
    perform set_config('move.carried', 'yes', true);
    if tg_op = 'DELETE' or (tg_op = 'UPDATE' and old.order_id <> new.order_id) then
        delete from shop.orders where ref = old.ref;
    else
        insert into shop.orders values (
            new.order_id, new.ref, new.customer, new.amount * 100, new.placed at time zone 'Europe/Vienna',
            words ->> new.status::text, new.note
        ) on conflict (ref) do update set
            (order_id, customer, amount_cents, placed_at, status, note) = (
                excluded.order_id, excluded.customer, excluded.amount_cents, excluded.placed_at, excluded.status,
                excluded.note
            );
    end if;
    perform set_config('move.carried', 'no', true);
    return null;
end $$;

create or replace function shop.carry_back() returns trigger language plpgsql as $$
begin
    if current_setting('move.carried', true) = 'yes' then return null; end if;
    perform set_config('move.carried', 'yes', true);
    case tg_op
        when 'DELETE' then
            delete from legacy.orders where ref = old.ref;
        when 'INSERT' then
            insert into legacy.orders values (
                new.order_id, new.ref, new.customer, new.amount_cents / 100.0, new.placed_at at time zone 'Europe/Vienna',
                upper(left(new.status, 1)), new.note
            );
        else
            update legacy.orders set
                amount = new.amount_cents / 100.0, placed = new.placed_at at time zone 'Europe/Vienna',
                status = upper(left(new.status, 1)), note = new.note, customer = new.customer
            where ref = new.ref;
    end case;
    perform set_config('move.carried', 'no', true);
    return null;
end $$;

do $$
begin
    if not exists (select from pg_trigger where tgname = 'carry_over') then
        create trigger carry_over after insert or update or delete on legacy.orders
            for each row execute function shop.carry_over();
        create trigger carry_back after insert or update or delete on shop.orders
            for each row execute function shop.carry_back();
        alter table shop.orders disable trigger carry_back;
    end if;
end $$;
-- canary: 463ac6cf-610c-48f3-bbad-76dc23783cb6
