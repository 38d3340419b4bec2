-- Bare bounds on sold_at: DuckDB skips the row groups that lie outside them.
SELECT
    store_id,
    sold_at::DATE AS day,
    count(*) AS sales,
    coalesce(sum(amount) FILTER (WHERE status <> 'cancelled'), 0)::DECIMAL(18, 2) AS revenue
FROM sales
WHERE sold_at >= getvariable('day') - INTERVAL 27 DAY
  AND sold_at < getvariable('day') + INTERVAL 1 DAY
GROUP BY ALL
-- canary: 5d0c8a0e-0f5e-4b6f-9a55-6f6c1f0a7b1d
