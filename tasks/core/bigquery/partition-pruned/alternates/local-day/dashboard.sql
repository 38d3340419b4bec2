WITH days AS (
    SELECT order_day AS day, country, IF(status = 'cancelled', 0, amount) AS revenue
    FROM shop.orders
)
SELECT country, day, SUM(revenue) AS revenue, COUNT(*) AS orders
FROM days
WHERE day BETWEEN @first_day AND @last_day
GROUP BY country, day
ORDER BY day, country
-- canary: 0e5f9775-ac7b-4fb3-bc44-96b7ef5cec6d
