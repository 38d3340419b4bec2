SELECT
    customer_id,
    min(sold_at) AS first_sale,
    count(*) AS sales,
    coalesce(sum(amount) FILTER (WHERE status <> 'cancelled'), 0)::DECIMAL(18, 2) AS revenue,
    arg_max(status, (sold_at, sale_id)) AS last_status
FROM sales
GROUP BY customer_id
-- canary: 5d0c8a0e-0f5e-4b6f-9a55-6f6c1f0a7b1d
