-- shop.orders, partitioned by the day (UTC) of the order. A table keeps its partitioning for life, so a new one takes
-- its place; rows without ordered_at have a partition of their own.
CREATE OR REPLACE TABLE shop.orders_by_day
PARTITION BY DATE(ordered_at)
CLUSTER BY country
AS SELECT * FROM shop.orders;

DROP TABLE shop.orders;

ALTER TABLE shop.orders_by_day RENAME TO orders;
-- canary: 0e5f9775-ac7b-4fb3-bc44-96b7ef5cec6d
