SELECT
    month,
    'placed' AS status,
    sales,
    sales / (SELECT count(*) FROM sales t WHERE date_trunc('month', t.sold_at) = month) AS share
FROM (
    SELECT date_trunc('month', sold_at)::DATE AS month, count(*) AS sales
    FROM sales WHERE status = 'placed' GROUP BY 1
)
UNION ALL
SELECT
    month,
    'paid' AS status,
    sales,
    sales / (SELECT count(*) FROM sales t WHERE date_trunc('month', t.sold_at) = month) AS share
FROM (
    SELECT date_trunc('month', sold_at)::DATE AS month, count(*) AS sales
    FROM sales WHERE status = 'paid' GROUP BY 1
)
UNION ALL
SELECT
    month,
    'shipped' AS status,
    sales,
    sales / (SELECT count(*) FROM sales t WHERE date_trunc('month', t.sold_at) = month) AS share
FROM (
    SELECT date_trunc('month', sold_at)::DATE AS month, count(*) AS sales
    FROM sales WHERE status = 'shipped' GROUP BY 1
)
UNION ALL
SELECT
    month,
    'returned' AS status,
    sales,
    sales / (SELECT count(*) FROM sales t WHERE date_trunc('month', t.sold_at) = month) AS share
FROM (
    SELECT date_trunc('month', sold_at)::DATE AS month, count(*) AS sales
    FROM sales WHERE status = 'returned' GROUP BY 1
)
UNION ALL
SELECT
    month,
    'cancelled' AS status,
    sales,
    sales / (SELECT count(*) FROM sales t WHERE date_trunc('month', t.sold_at) = month) AS share
FROM (
    SELECT date_trunc('month', sold_at)::DATE AS month, count(*) AS sales
    FROM sales WHERE status = 'cancelled' GROUP BY 1
)
