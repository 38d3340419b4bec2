CREATE OR REPLACE TABLE shop.orders_new
(
    order_id STRING NOT NULL, ordered_at TIMESTAMP, country STRING, status STRING, amount NUMERIC, note STRING,
    loaded_on DATE, order_day DATE
)
PARTITION BY order_day;
INSERT INTO shop.orders_new (order_id, ordered_at, country, status, amount, note, loaded_on, order_day)
SELECT order_id, ordered_at, country, status, amount, note, loaded_on, DATE(ordered_at, 'Europe/Berlin')
FROM shop.orders;
DROP TABLE shop.orders;
ALTER TABLE shop.orders_new RENAME TO orders;
-- canary: 0e5f9775-ac7b-4fb3-bc44-96b7ef5cec6d
