-- The new table, and a trigger by which it follows the old one. Nothing is copied yet.
BEGIN;
CREATE SCHEMA IF NOT EXISTS shop;
CREATE TABLE IF NOT EXISTS shop.orders (
    -- One sequence for both tables: an id is given once, whichever app adds the order.
    order_id bigint PRIMARY KEY DEFAULT nextval('legacy.orders_order_id_seq'),
    ref text NOT NULL UNIQUE,
    customer text NOT NULL,
    amount_cents bigint NOT NULL,
    placed_at timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'paid', 'shipped', 'cancelled')),
    note text
);

CREATE OR REPLACE FUNCTION shop.as_new(o legacy.orders) RETURNS shop.orders LANGUAGE sql STABLE AS $$
    SELECT
        o.order_id::bigint, o.ref::text, o.customer::text, (o.amount * 100)::bigint,
        o.placed AT TIME ZONE 'Europe/Vienna',
        CASE o.status WHEN 'N' THEN 'new' WHEN 'P' THEN 'paid' WHEN 'S' THEN 'shipped' WHEN 'C' THEN 'cancelled' END,
        o.note
$$;

CREATE OR REPLACE FUNCTION shop.follow_legacy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() > 1 THEN  -- a write that came from shop.orders
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' THEN
        DELETE FROM shop.orders WHERE order_id = OLD.order_id;
        RETURN NULL;
    END IF;
    INSERT INTO shop.orders SELECT * FROM shop.as_new(NEW)
    ON CONFLICT (order_id) DO UPDATE SET
        ref = excluded.ref, customer = excluded.customer, amount_cents = excluded.amount_cents,
        placed_at = excluded.placed_at, status = excluded.status, note = excluded.note;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER follow_legacy AFTER INSERT OR UPDATE OR DELETE ON legacy.orders
    FOR EACH ROW EXECUTE FUNCTION shop.follow_legacy();
COMMIT;

-- canary: 463ac6cf-610c-48f3-bbad-76dc23783cb6
