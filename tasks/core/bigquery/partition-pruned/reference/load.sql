BEGIN TRANSACTION;

DELETE FROM shop.orders WHERE loaded_on = @day;

INSERT INTO shop.orders (order_id, ordered_at, country, status, amount, note, loaded_on)
SELECT order_id, ordered_at, country, status, amount, note, drop_date
FROM landing.orders
WHERE drop_date = @day;

COMMIT TRANSACTION;
-- canary: 0e5f9775-ac7b-4fb3-bc44-96b7ef5cec6d
