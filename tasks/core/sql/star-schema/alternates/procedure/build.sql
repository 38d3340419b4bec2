-- The star, by a procedure that is made anew each night and called in one statement.
SET client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS mart;

CREATE TABLE IF NOT EXISTS mart.dim_users (
    user_key bigint PRIMARY KEY, user_id text UNIQUE NOT NULL, name text, email text, segment text,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS mart.dim_products (
    product_key bigint PRIMARY KEY, product_id text UNIQUE NOT NULL, name text, category text, price numeric(12, 2)
);
CREATE TABLE IF NOT EXISTS mart.dim_date (date_key integer PRIMARY KEY, date date, year integer, quarter integer, month integer);
-- A fact has a key of its own.
CREATE TABLE IF NOT EXISTS mart.fct_orders (
    fact_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id text NOT NULL, line_no integer NOT NULL,
    user_key bigint REFERENCES mart.dim_users, product_key bigint REFERENCES mart.dim_products,
    date_key integer REFERENCES mart.dim_date,
    status text, quantity integer, amount numeric(12, 2),
    UNIQUE (order_id, line_no)
);
CREATE TABLE IF NOT EXISTS mart.rejected_lines (order_id text, line_no integer, reason text);

CREATE OR REPLACE PROCEDURE mart.build() LANGUAGE plpgsql SET timezone = 'Europe/Berlin' AS $build$
DECLARE
    one record;
    y integer;
BEGIN
    LOCK TABLE mart.fct_orders IN SHARE ROW EXCLUSIVE MODE;

    IF NOT EXISTS (SELECT FROM mart.dim_users) THEN
        INSERT INTO mart.dim_users VALUES (-1, 'unknown');
        INSERT INTO mart.dim_products VALUES (-1, 'unknown');
        INSERT INTO mart.dim_date VALUES (-1);
    END IF;

    -- Everybody that is named gets the next key, then the attributes.
    INSERT INTO mart.dim_users (user_key, user_id)
    SELECT greatest(0, (SELECT max(user_key) FROM mart.dim_users)) + row_number() OVER (), n.user_id
    FROM (SELECT user_id FROM app.users UNION SELECT user_id FROM app.orders WHERE length(user_id) > 0) AS n
    WHERE NOT EXISTS (SELECT FROM mart.dim_users AS d WHERE d.user_id = n.user_id);
    UPDATE mart.dim_users AS d SET name = u.name, email = u.email,
        segment = (SELECT (array_agg(s.segment ORDER BY s.since DESC))[1] FROM app.user_segments AS s WHERE s.user_id = u.user_id)
    FROM app.users AS u WHERE u.user_id = d.user_id;

    INSERT INTO mart.dim_products (product_key, product_id)
    SELECT greatest(0, (SELECT max(product_key) FROM mart.dim_products)) + row_number() OVER (), n.product_id
    FROM (SELECT product_id FROM app.products UNION SELECT product_id FROM app.order_lines) AS n
    WHERE n.product_id IS NOT NULL AND NOT EXISTS (SELECT FROM mart.dim_products AS d WHERE d.product_id = n.product_id);
    UPDATE mart.dim_products AS d SET name = p.name, price = p.price,
        category = (SELECT c.category FROM app.product_categories AS c WHERE c.product_id = p.product_id AND c.is_main LIMIT 1)
    FROM app.products AS p WHERE p.product_id = d.product_id;

    FOR y IN SELECT DISTINCT date_part('year', ordered_at)::integer FROM app.orders WHERE ordered_at IS NOT NULL LOOP
        INSERT INTO mart.dim_date
        SELECT year * 10000 + month * 100 + date_part('day', day)::integer, day, year, (month + 2) / 3, month
        FROM (
            SELECT make_date(y, 1, 1) + n AS day, y AS year, date_part('month', make_date(y, 1, 1) + n)::integer AS month
            FROM generate_series(0, make_date(y, 12, 31) - make_date(y, 1, 1)) AS n
        ) AS days
        ON CONFLICT DO NOTHING;
    END LOOP;

    DELETE FROM mart.rejected_lines;
    DELETE FROM mart.fct_orders AS f
    WHERE NOT EXISTS (SELECT FROM app.order_lines AS l WHERE l.order_id = f.order_id AND l.line_no = f.line_no);
    FOR one IN
        SELECT l.*, nullif(o.user_id, '') AS user_id, o.ordered_at::date AS day, o.status AS order_status
        FROM app.order_lines AS l LEFT JOIN app.orders AS o USING (order_id)
    LOOP
        IF coalesce(one.quantity, 0) <= 0 OR one.unit_price IS NULL THEN
            INSERT INTO mart.rejected_lines VALUES (one.order_id, one.line_no, 'quantity or price is missing');
            DELETE FROM mart.fct_orders WHERE order_id = one.order_id AND line_no = one.line_no;
            CONTINUE;
        END IF;
        INSERT INTO mart.fct_orders (order_id, line_no, user_key, product_key, date_key, status, quantity, amount)
        VALUES (
            one.order_id, one.line_no,
            coalesce((SELECT user_key FROM mart.dim_users WHERE user_id = one.user_id), -1),
            coalesce((SELECT product_key FROM mart.dim_products WHERE product_id = one.product_id), -1),
            coalesce((SELECT date_key FROM mart.dim_date WHERE date = one.day), -1),
            one.order_status, one.quantity,
            one.quantity * one.unit_price - coalesce(one.discount, 0)
        )
        ON CONFLICT (order_id, line_no) DO UPDATE SET
            user_key = excluded.user_key, product_key = excluded.product_key, date_key = excluded.date_key,
            status = excluded.status, quantity = excluded.quantity, amount = excluded.amount;
    END LOOP;
END
$build$;

CALL mart.build();
-- canary: 98027ed2-f688-4794-ad95-70d2b9c36159
