-- At most 1,000 orders a transaction, in the order of their ids. What the trigger has brought is newer, and stays.
DO $$
DECLARE
    last bigint := (SELECT min(order_id) - 1 FROM legacy.orders);
    batch bigint[];
    held bigint[];
    passed_over bigint[] := '{}';
BEGIN
    LOOP
        IF cardinality(passed_over) > 0 THEN
            -- Waits for whoever is changing or deleting the order: the next statement sees what came of it.
            held := ARRAY(SELECT order_id FROM legacy.orders WHERE order_id = passed_over[1] FOR SHARE);
            passed_over := passed_over[2:];
        ELSE
            SELECT array_agg(order_id), max(order_id) INTO batch, last
            FROM (SELECT order_id FROM legacy.orders WHERE order_id > last ORDER BY order_id LIMIT 1000) AS ids;
            EXIT WHEN batch IS NULL;
            -- Never waits for one order while it holds another, or it and an app could wait for each other.
            held := ARRAY(SELECT order_id FROM legacy.orders WHERE order_id = ANY (batch) FOR SHARE SKIP LOCKED);
            passed_over := ARRAY(SELECT unnest(batch) EXCEPT SELECT unnest(held));
        END IF;
        INSERT INTO shop.orders
        SELECT n.* FROM legacy.orders AS o CROSS JOIN LATERAL shop.as_new(o) AS n WHERE o.order_id = ANY (held)
        ON CONFLICT (order_id) DO NOTHING;
        COMMIT;
    END LOOP;
END
$$;

-- canary: 463ac6cf-610c-48f3-bbad-76dc23783cb6
