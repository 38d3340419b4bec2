CREATE OR REPLACE FUNCTION legacy.through() RETURNS trigger AS $body$
DECLARE
    said text := (SELECT word FROM shop.statuses WHERE letter = NEW.status);
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO shop.orders (ref, customer, amount_cents, placed_at, status, note)
        VALUES (NEW.ref, NEW.customer, NEW.amount * 100, NEW.placed AT TIME ZONE 'Europe/Vienna', said, NEW.note)
        RETURNING order_id INTO NEW.order_id;
    ELSIF TG_OP = 'UPDATE' THEN
        UPDATE shop.orders SET
            customer = NEW.customer, amount_cents = NEW.amount * 100,
            placed_at = NEW.placed AT TIME ZONE 'Europe/Vienna', status = said, note = NEW.note
        WHERE order_id = OLD.order_id;
    ELSE
        DELETE FROM shop.orders WHERE order_id = OLD.order_id;
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$body$ LANGUAGE plpgsql;

START TRANSACTION;
SET LOCAL lock_timeout = '10s';
LOCK TABLE legacy.orders IN ACCESS EXCLUSIVE MODE;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_tables WHERE schemaname = 'legacy' AND tablename = 'orders') THEN
        PERFORM setval('shop.orders_order_id_seq', (SELECT last_value FROM legacy.orders_order_id_seq));
        DROP TRIGGER carry ON legacy.orders;
        ALTER TABLE legacy.orders RENAME TO orders_before;
        CREATE VIEW legacy.orders AS
            SELECT
                order_id::integer AS order_id, ref::varchar(20) AS ref, customer::varchar(40) AS customer,
                (amount_cents / 100.0)::numeric(10, 2) AS amount, placed_at AT TIME ZONE 'Europe/Vienna' AS placed,
                letter AS status, note
            FROM shop.orders JOIN shop.statuses ON word = status;
        ALTER VIEW legacy.orders ALTER COLUMN status SET DEFAULT 'N';
        CREATE TRIGGER through INSTEAD OF INSERT OR UPDATE OR DELETE ON legacy.orders
            FOR EACH ROW EXECUTE FUNCTION legacy.through();
    END IF;
END
$$;
COMMIT;

-- canary: 463ac6cf-610c-48f3-bbad-76dc23783cb6
