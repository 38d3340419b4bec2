SELECT
    store_id,
    CAST(date_trunc('day', sold_at) AS DATE) AS day,
    SUM(CASE WHEN status = 'cancelled' THEN 0 ELSE COALESCE(amount, 0) END)::DECIMAL(18, 2) AS revenue,
    SUM(SUM(CASE WHEN status = 'cancelled' THEN 0 ELSE COALESCE(amount, 0) END)) OVER (
        PARTITION BY store_id ORDER BY CAST(date_trunc('day', sold_at) AS DATE)
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )::DECIMAL(18, 2) AS running_revenue
FROM sales
GROUP BY store_id, CAST(date_trunc('day', sold_at) AS DATE);
-- canary: 5d0c8a0e-0f5e-4b6f-9a55-6f6c1f0a7b1d
