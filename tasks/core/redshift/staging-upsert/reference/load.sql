-- Loads one batch of orders from S3 into fct_orders: psql -v batch=17 -f load.sql
-- Running it again, or behind newer batches, does no harm.

\set source 's3://shop-exports/orders/batch=' :batch '/'

-- Joined with customers by customer_id, restricted by ordered_at.
CREATE TABLE IF NOT EXISTS public.fct_orders (
    order_id    BIGINT NOT NULL ENCODE az64,
    customer_id BIGINT ENCODE az64,
    status      VARCHAR(20) ENCODE zstd,
    amount      DECIMAL(12,2) ENCODE az64,
    note        VARCHAR(400) ENCODE zstd,
    ordered_at  TIMESTAMP ENCODE raw,
    version     INTEGER NOT NULL ENCODE az64,
    PRIMARY KEY (order_id)
)
DISTSTYLE KEY
DISTKEY (customer_id)
SORTKEY (ordered_at);

CREATE TEMP TABLE staging (LIKE public.fct_orders);

-- Fails as a whole if one line can't be loaded.
COPY staging (order_id, customer_id, status, amount, note, ordered_at, version)
FROM :'source'
IAM_ROLE default
FORMAT AS CSV
IGNOREHEADER 1
TIMEFORMAT 'auto';

-- One row an order, and only what is newer than what we have: the key of fct_orders is enforced by nobody.
CREATE TEMP TABLE changes (LIKE public.fct_orders);

INSERT INTO changes
SELECT order_id, customer_id, status, amount, note, ordered_at, version
FROM (
    SELECT s.*, ROW_NUMBER() OVER (PARTITION BY s.order_id ORDER BY s.version DESC) AS place
    FROM staging AS s
) AS numbered
WHERE place = 1;

BEGIN;

LOCK public.fct_orders;

DELETE FROM changes
USING public.fct_orders AS f
WHERE f.order_id = changes.order_id AND f.version >= changes.version;

DELETE FROM public.fct_orders
USING changes
WHERE changes.order_id = fct_orders.order_id;

INSERT INTO public.fct_orders
SELECT order_id, customer_id, status, amount, note, ordered_at, version FROM changes;

COMMIT;
-- canary: d8ade5ae-7278-4e8f-874b-a1d7e3f53844
