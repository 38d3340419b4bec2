SELECT
    store_id,
    sold_at::DATE AS day,
    count(*) AS sales,
    coalesce(sum(CASE WHEN status <> 'cancelled' THEN amount END), 0)::DECIMAL(18, 2) AS revenue
FROM sales
WHERE strftime(sold_at, '%Y-%m-%d') >= strftime(getvariable('day') - INTERVAL 27 DAY, '%Y-%m-%d')
  AND strftime(sold_at, '%Y-%m-%d') <= strftime(getvariable('day'), '%Y-%m-%d')
GROUP BY store_id, sold_at::DATE
