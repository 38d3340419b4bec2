WITH days AS (
    SELECT
        store_id,
        sold_at::DATE AS day,
        coalesce(sum(amount) FILTER (WHERE status <> 'cancelled'), 0) AS revenue
    FROM sales
    GROUP BY ALL
)
SELECT
    store_id,
    day,
    revenue::DECIMAL(18, 2) AS revenue,
    (sum(revenue) OVER (PARTITION BY store_id ORDER BY day))::DECIMAL(18, 2) AS running_revenue
FROM days
-- canary: 5d0c8a0e-0f5e-4b6f-9a55-6f6c1f0a7b1d
