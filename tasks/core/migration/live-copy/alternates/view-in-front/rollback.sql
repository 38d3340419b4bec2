START TRANSACTION;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_views WHERE schemaname = 'legacy' AND viewname = 'orders') THEN
        LOCK TABLE legacy.orders IN ACCESS EXCLUSIVE MODE;
        DELETE FROM legacy.orders_before AS b WHERE NOT EXISTS (SELECT FROM legacy.orders AS o WHERE o.order_id = b.order_id);
        INSERT INTO legacy.orders_before SELECT * FROM legacy.orders
        ON CONFLICT (order_id) DO UPDATE SET
            ref = excluded.ref, customer = excluded.customer, amount = excluded.amount, placed = excluded.placed,
            status = excluded.status, note = excluded.note;
        DROP VIEW legacy.orders;
        ALTER TABLE legacy.orders_before RENAME TO orders;
        PERFORM setval('legacy.orders_order_id_seq', (SELECT last_value FROM shop.orders_order_id_seq));
    END IF;
END
$$;
DROP TRIGGER IF EXISTS carry ON legacy.orders;
DROP FUNCTION IF EXISTS legacy.through();
DROP SCHEMA IF EXISTS shop CASCADE;
COMMIT;

-- canary: 463ac6cf-610c-48f3-bbad-76dc23783cb6
