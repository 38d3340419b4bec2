WITH numbered AS (
    SELECT customer_id, sold_at, status, amount,
           ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY sold_at DESC, sale_id DESC) AS newest
    FROM sales
)
SELECT
    customer_id,
    MIN(sold_at) AS first_sale,
    COUNT(*) AS sales,
    SUM(CASE WHEN status = 'cancelled' THEN 0 ELSE COALESCE(amount, 0) END)::DECIMAL(18, 2) AS revenue,
    MAX(CASE WHEN newest = 1 THEN status END) AS last_status
FROM numbered
GROUP BY customer_id;
-- canary: 5d0c8a0e-0f5e-4b6f-9a55-6f6c1f0a7b1d
