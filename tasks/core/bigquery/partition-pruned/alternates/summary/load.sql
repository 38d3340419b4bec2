BEGIN TRANSACTION;
DELETE FROM shop.orders WHERE loaded_on = @day;
INSERT INTO shop.orders (order_id, ordered_at, country, status, amount, note, loaded_on)
SELECT order_id, ordered_at, country, status, amount, note, drop_date FROM landing.orders WHERE drop_date = @day;
-- Anew as a whole: a drop can have orders of any day, and a corrected one can have lost some.
DELETE FROM shop.revenue_by_day WHERE day >= '2000-01-01';
INSERT INTO shop.revenue_by_day (day, country, orders, revenue)
SELECT DATE(ordered_at, 'Europe/Berlin'), country, COUNT(*),
       SUM(CASE WHEN status = 'cancelled' THEN 0 ELSE amount END)
FROM shop.orders
WHERE ordered_at IS NOT NULL
GROUP BY 1, 2;
COMMIT TRANSACTION;
-- canary: 0e5f9775-ac7b-4fb3-bc44-96b7ef5cec6d
