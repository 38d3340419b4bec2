SELECT
    c.customer_id,
    (SELECT min(s.sold_at) FROM sales s WHERE s.customer_id IS NOT DISTINCT FROM c.customer_id) AS first_sale,
    (SELECT count(*) FROM sales s WHERE s.customer_id IS NOT DISTINCT FROM c.customer_id) AS sales,
    (
        SELECT coalesce(sum(s.amount), 0)::DECIMAL(18, 2) FROM sales s
        WHERE s.customer_id IS NOT DISTINCT FROM c.customer_id AND s.status <> 'cancelled'
    ) AS revenue,
    (
        SELECT s.status FROM sales s
        WHERE s.customer_id IS NOT DISTINCT FROM c.customer_id
        ORDER BY s.sold_at DESC, s.sale_id DESC LIMIT 1
    ) AS last_status
FROM (SELECT DISTINCT customer_id FROM sales) c
