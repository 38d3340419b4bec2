WITH report AS (
    SELECT * FROM sales
    WHERE sold_at BETWEEN getvariable('day')::TIMESTAMP - INTERVAL '27 days'
                      AND getvariable('day')::TIMESTAMP + INTERVAL '1 day' - INTERVAL '1 microsecond'
)
SELECT
    r.store_id,
    CAST(r.sold_at AS DATE) AS day,
    SUM(CASE WHEN r.status = 'cancelled' THEN 0 ELSE COALESCE(r.amount, 0) END)::DECIMAL(18, 2) AS revenue,
    COUNT(r.sale_id)::INTEGER AS sales
FROM report AS r
GROUP BY r.store_id, CAST(r.sold_at AS DATE)
ORDER BY 1, 2;
-- canary: 5d0c8a0e-0f5e-4b6f-9a55-6f6c1f0a7b1d
