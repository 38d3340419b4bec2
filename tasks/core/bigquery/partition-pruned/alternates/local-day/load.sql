MERGE shop.orders AS t
USING (
    SELECT *, EXTRACT(DATE FROM ordered_at AT TIME ZONE 'Europe/Berlin') AS order_day
    FROM landing.orders
    WHERE drop_date = @day
) AS s
ON FALSE
WHEN NOT MATCHED BY SOURCE AND t.loaded_on = @day THEN DELETE
WHEN NOT MATCHED THEN
    INSERT (order_id, ordered_at, country, status, amount, note, loaded_on, order_day)
    VALUES (s.order_id, s.ordered_at, s.country, s.status, s.amount, s.note, s.drop_date, s.order_day);
-- canary: 0e5f9775-ac7b-4fb3-bc44-96b7ef5cec6d
