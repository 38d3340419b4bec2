SELECT
    d.store_id,
    d.day,
    (
        SELECT coalesce(sum(s.amount), 0)::DECIMAL(18, 2) FROM sales s
        WHERE s.store_id = d.store_id AND s.sold_at::DATE = d.day AND s.status <> 'cancelled'
    ) AS revenue,
    (
        SELECT coalesce(sum(s.amount), 0)::DECIMAL(18, 2) FROM sales s
        WHERE s.store_id = d.store_id AND s.sold_at::DATE <= d.day AND s.status <> 'cancelled'
    ) AS running_revenue
FROM (SELECT DISTINCT store_id, sold_at::DATE AS day FROM sales) d
