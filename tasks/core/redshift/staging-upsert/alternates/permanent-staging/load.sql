-- canary: d8ade5ae-7278-4e8f-874b-a1d7e3f53844
-- A staging table that stays. It is emptied by DELETE, in the load's own transaction: TRUNCATE would commit it.
\set source 's3://shop-exports/orders/batch=' :batch '/'

CREATE SCHEMA IF NOT EXISTS staging;
CREATE TABLE IF NOT EXISTS staging.orders (
    order_id BIGINT, customer_id BIGINT, status VARCHAR(20), amount DECIMAL(12,2), note VARCHAR(400),
    ordered_at TIMESTAMP, version INTEGER NOT NULL
) DISTSTYLE EVEN;
CREATE TABLE IF NOT EXISTS fct_orders (
    order_id BIGINT, customer_id BIGINT, status VARCHAR(20), amount DECIMAL(12,2), note VARCHAR(400),
    ordered_at TIMESTAMP, version INTEGER
) DISTKEY (customer_id) INTERLEAVED SORTKEY (ordered_at, customer_id);

BEGIN TRANSACTION;
LOCK TABLE staging.orders;
DELETE FROM staging.orders;
COPY staging.orders FROM :'source' IAM_ROLE 'arn:aws:iam::123456789012:role/loader' FORMAT CSV DELIMITER ',' IGNOREHEADER AS 1;
-- All that is known, then the newest of it.
INSERT INTO staging.orders SELECT f.* FROM fct_orders f WHERE f.order_id IN (SELECT order_id FROM staging.orders);
DELETE FROM fct_orders WHERE order_id IN (SELECT order_id FROM staging.orders);
INSERT INTO fct_orders
SELECT DISTINCT s.* FROM staging.orders s
JOIN (SELECT order_id, MAX(version) AS version FROM staging.orders GROUP BY order_id) n
  ON n.order_id = s.order_id AND n.version = s.version;
END TRANSACTION;
