-- Every order is written once more as it is: the trigger carries it over. An UPDATE waits for whoever holds the order.
SELECT format('UPDATE legacy.orders SET ref = ref WHERE order_id BETWEEN %s AND %s', min(order_id), max(order_id))
FROM (SELECT order_id, (row_number() OVER (ORDER BY order_id) - 1) / 400 AS part FROM legacy.orders) AS parts
GROUP BY part ORDER BY part
\gexec

-- canary: 463ac6cf-610c-48f3-bbad-76dc23783cb6
