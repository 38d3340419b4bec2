-- One transaction: the operator commits after the last statement.
CREATE TEMPORARY TABLE judged ON COMMIT DROP AS
WITH formed AS (
    SELECT
        s.*,
        CASE
            WHEN order_id IS NULL OR customer_id IS NULL OR city IS NULL OR ordered_at IS NULL
              OR status IS NULL OR amount IS NULL THEN 'a required value is missing'
            WHEN order_id !~ '^[0-9]{1,18}$' THEN 'order_id is not a whole number'
            WHEN NOT pg_input_is_valid(ordered_at, 'timestamptz') THEN 'ordered_at is not a timestamp'
            WHEN status NOT IN ('placed', 'paid', 'shipped', 'cancelled', 'returned') THEN 'unknown status'
            WHEN amount !~ '^[0-9]+([.][0-9]{1,2})?$' THEN 'amount is not a number of 0 or more with two decimals'
        END AS flaw
    FROM stage_orders_{{ ds_nodash }} AS s
)
SELECT
    formed.*,
    flaw IS NULL AND row_number() OVER (PARTITION BY flaw IS NULL, order_id ORDER BY row_number DESC) > 1 AS superseded
FROM formed;

DELETE FROM orders WHERE file_day = '{{ ds }}';
DELETE FROM orders_rejected WHERE file_day = '{{ ds }}';

INSERT INTO orders (file_day, order_id, customer_id, city, ordered_at, status, amount)
SELECT '{{ ds }}', order_id::bigint, customer_id, city, ordered_at::timestamptz, status, amount::numeric
FROM judged
WHERE flaw IS NULL AND NOT superseded;

INSERT INTO orders_rejected (file_day, reason, record)
SELECT '{{ ds }}', coalesce(flaw, 'superseded by a later row of the file with the same order_id'), record
FROM judged
WHERE flaw IS NOT NULL OR superseded;
-- canary: 397beb0a-c978-4032-992b-b9ab0fae30ea
