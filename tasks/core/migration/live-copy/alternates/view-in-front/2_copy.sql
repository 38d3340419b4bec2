-- Every order is written once more as it is: the trigger carries it over. First without waiting for anybody, then what was
-- held by somebody, one order a transaction: there an UPDATE may wait, as it holds nothing else.
SELECT format(
    'UPDATE legacy.orders SET ref = ref WHERE order_id IN'
    ' (SELECT order_id FROM legacy.orders WHERE order_id BETWEEN %s AND %s FOR UPDATE SKIP LOCKED)',
    min(order_id), max(order_id)
)
FROM (SELECT order_id, (row_number() OVER (ORDER BY order_id) - 1) / 400 AS part FROM legacy.orders) AS parts
GROUP BY part ORDER BY part
\gexec

SELECT format('UPDATE legacy.orders SET ref = ref WHERE order_id = %s', order_id)
FROM legacy.orders WHERE order_id NOT IN (SELECT order_id FROM shop.orders)
\gexec
-- canary: 463ac6cf-610c-48f3-bbad-76dc23783cb6
