-- 1,000 orders a transaction, in the order of their ids. What the trigger has brought is newer, and stays.
DO $$
DECLARE
    last bigint := (SELECT min(order_id) - 1 FROM legacy.orders);
    upto bigint;
BEGIN
    LOOP
        SELECT max(order_id) INTO upto
        FROM (SELECT order_id FROM legacy.orders WHERE order_id > last ORDER BY order_id LIMIT 1000) AS batch;
        EXIT WHEN upto IS NULL;
        -- Waits for whoever is changing or deleting one of them: the next statement sees what came of it.
        PERFORM FROM legacy.orders WHERE order_id > last AND order_id <= upto ORDER BY order_id FOR SHARE;
        INSERT INTO shop.orders
        SELECT n.* FROM legacy.orders AS o CROSS JOIN LATERAL shop.as_new(o) AS n
        WHERE o.order_id > last AND o.order_id <= upto
        ON CONFLICT (order_id) DO NOTHING;
        COMMIT;
        last := upto;
    END LOOP;
END
$$;

-- canary: 463ac6cf-610c-48f3-bbad-76dc23783cb6
