-- Brings the star in step with the shop by comparing: only what differs is written.
\set ON_ERROR_STOP on
BEGIN ISOLATION LEVEL REPEATABLE READ;
SET LOCAL client_min_messages TO error;
CREATE SCHEMA IF NOT EXISTS mart;
\ir tables.sql

CREATE OR REPLACE TEMPORARY VIEW good AS
SELECT * FROM app.order_lines WHERE quantity > 0 AND unit_price IS NOT NULL;

-- Members: everybody the shop knows or speaks of; keys are hashes of the ids.
MERGE INTO mart.dim_users AS d
USING (
    SELECT i.user_id, u.name, u.email,
           (SELECT segment FROM app.user_segments AS s WHERE s.user_id = i.user_id ORDER BY since DESC LIMIT 1) AS segment
    FROM (
        SELECT user_id FROM app.users
        UNION
        SELECT o.user_id FROM app.orders AS o WHERE o.user_id <> '' AND EXISTS (SELECT 1 FROM good WHERE good.order_id = o.order_id)
    ) AS i
    LEFT JOIN app.users AS u ON u.user_id = i.user_id
) AS s
ON d.user_id = s.user_id
WHEN MATCHED AND (d.name, d.email, d.segment) IS DISTINCT FROM (s.name, s.email, s.segment) THEN
    UPDATE SET name = s.name, email = s.email, segment = s.segment
WHEN NOT MATCHED THEN
    INSERT (user_key, user_id, name, email, segment)
    VALUES (abs(hashtextextended(s.user_id, 1)), s.user_id, s.name, s.email, s.segment);

MERGE INTO mart.dim_products AS d
USING (
    SELECT i.product_id, p.name, p.price,
           (SELECT max(category) FROM app.product_categories AS c WHERE c.product_id = i.product_id AND c.is_main) AS category
    FROM (SELECT product_id FROM app.products UNION SELECT product_id FROM good) AS i
    LEFT JOIN app.products AS p ON p.product_id = i.product_id
) AS s
ON d.product_id = s.product_id
WHEN MATCHED AND (d.name, d.category, d.price) IS DISTINCT FROM (s.name, s.category, s.price) THEN
    UPDATE SET name = s.name, category = s.category, price = s.price
WHEN NOT MATCHED THEN
    INSERT (product_key, product_id, name, category, price)
    VALUES (abs(hashtextextended(s.product_id, 1)), s.product_id, s.name, s.category, s.price);

INSERT INTO mart.dim_date
SELECT to_char(d, 'YYYYMMDD')::int, d, date_part('year', d), date_part('quarter', d), date_part('month', d)
FROM (SELECT generate_series('2000-01-01'::date, '2099-12-31'::date, '1 day')::date AS d) AS days
WHERE date_part('year', d) IN (SELECT date_part('year', ordered_at AT TIME ZONE 'Europe/Berlin') FROM app.orders)
ON CONFLICT DO NOTHING;

CREATE OR REPLACE TEMPORARY VIEW facts AS
SELECT l.order_id, l.line_no,
       COALESCE(u.user_key, -1) AS user_key,
       COALESCE(p.product_key, -1) AS product_key,
       COALESCE(to_char(o.ordered_at AT TIME ZONE 'Europe/Berlin', 'YYYYMMDD')::int, -1) AS date_key,
       o.status, l.quantity,
       (l.quantity * l.unit_price - COALESCE(l.discount, 0))::numeric(12, 2) AS amount
FROM good AS l
LEFT JOIN app.orders AS o ON o.order_id = l.order_id
LEFT JOIN mart.dim_users AS u ON u.user_id = o.user_id
LEFT JOIN mart.dim_products AS p ON p.product_id = l.product_id;

DELETE FROM mart.fct_orders AS f
WHERE NOT EXISTS (SELECT 1 FROM facts AS n WHERE (n.order_id, n.line_no) = (f.order_id, f.line_no));

INSERT INTO mart.fct_orders SELECT * FROM facts
ON CONFLICT (order_id, line_no) DO UPDATE SET
    user_key = excluded.user_key, product_key = excluded.product_key, date_key = excluded.date_key,
    status = excluded.status, quantity = excluded.quantity, amount = excluded.amount;

TRUNCATE mart.rejected_lines;
INSERT INTO mart.rejected_lines
SELECT order_id, line_no, CASE WHEN unit_price IS NULL THEN 'price missing' ELSE 'quantity missing or not positive' END
FROM app.order_lines AS l
WHERE NOT EXISTS (SELECT 1 FROM good WHERE (good.order_id, good.line_no) = (l.order_id, l.line_no));
COMMIT;
-- canary: 98027ed2-f688-4794-ad95-70d2b9c36159
