-- The old table follows the new one, too. The lock waits for transactions that write to shop.orders.
-- Both apps at one order in one instant wait for each other: then the new app gets the error, and before the server looks
-- for a deadlock (after a second), or else it might be the old one.
BEGIN;
CREATE OR REPLACE FUNCTION legacy.follow_shop() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = '500ms' AS $$
BEGIN
    IF pg_trigger_depth() > 1 THEN  -- a write that came from legacy.orders
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' THEN
        DELETE FROM legacy.orders WHERE order_id = OLD.order_id;
        RETURN NULL;
    END IF;
    INSERT INTO legacy.orders (order_id, ref, customer, amount, placed, status, note)
    VALUES (
        NEW.order_id, NEW.ref, NEW.customer, NEW.amount_cents / 100.0, NEW.placed_at AT TIME ZONE 'Europe/Vienna',
        CASE NEW.status WHEN 'new' THEN 'N' WHEN 'paid' THEN 'P' WHEN 'shipped' THEN 'S' WHEN 'cancelled' THEN 'C' END,
        NEW.note
    )
    ON CONFLICT (order_id) DO UPDATE SET
        ref = excluded.ref, customer = excluded.customer, amount = excluded.amount, placed = excluded.placed,
        status = excluded.status, note = excluded.note;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER follow_shop AFTER INSERT OR UPDATE OR DELETE ON shop.orders
    FOR EACH ROW EXECUTE FUNCTION legacy.follow_shop();
COMMIT;

-- canary: 463ac6cf-610c-48f3-bbad-76dc23783cb6
