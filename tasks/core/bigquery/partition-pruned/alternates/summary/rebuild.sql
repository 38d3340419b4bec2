CREATE OR REPLACE TABLE shop.revenue_by_day
PARTITION BY day
CLUSTER BY country
OPTIONS (require_partition_filter = TRUE)
AS
SELECT DATE(ordered_at, 'Europe/Berlin') AS day, country, COUNT(*) AS orders,
       SUM(CASE WHEN status = 'cancelled' THEN 0 ELSE amount END) AS revenue
FROM shop.orders
WHERE ordered_at IS NOT NULL
GROUP BY 1, 2;
-- canary: 0e5f9775-ac7b-4fb3-bc44-96b7ef5cec6d
