SELECT
    DATE(ordered_at, 'Europe/Berlin') AS day,
    country,
    COUNT(*) AS orders,
    SUM(IF(status = 'cancelled', 0, amount)) AS revenue
FROM shop.orders
WHERE DATE(ordered_at, 'Europe/Berlin') BETWEEN @first_day AND @last_day
GROUP BY day, country
