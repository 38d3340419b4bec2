-- The filter is on ordered_at itself, with bounds that are known before the query runs: only the partitions of the
-- window are read. Berlin's midnights are turned into moments, so that it holds on the days when clocks change.
SELECT
    DATE(ordered_at, 'Europe/Berlin') AS day,
    country,
    COUNT(*) AS orders,
    SUM(IF(status = 'cancelled', 0, amount)) AS revenue
FROM shop.orders
WHERE ordered_at >= TIMESTAMP(@first_day, 'Europe/Berlin')
  AND ordered_at < TIMESTAMP(DATE_ADD(@last_day, INTERVAL 1 DAY), 'Europe/Berlin')
GROUP BY day, country
-- canary: 0e5f9775-ac7b-4fb3-bc44-96b7ef5cec6d
