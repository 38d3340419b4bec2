CREATE TABLE IF NOT EXISTS mart.dim_users (
    user_key bigint PRIMARY KEY, user_id varchar UNIQUE, name varchar, email varchar, segment varchar,
    first_seen timestamptz DEFAULT now()
);
CREATE TABLE IF NOT EXISTS mart.dim_products (
    product_key bigint PRIMARY KEY, product_id varchar UNIQUE, name varchar, category varchar, price numeric(12, 2)
);
CREATE TABLE IF NOT EXISTS mart.dim_date (
    date_key int PRIMARY KEY, date date, year smallint, quarter smallint, month smallint
);
CREATE TABLE IF NOT EXISTS mart.fct_orders (
    order_id varchar, line_no int,
    user_key bigint NOT NULL, product_key bigint NOT NULL, date_key int NOT NULL,
    status varchar, quantity int, amount numeric(12, 2),
    CONSTRAINT fct_orders_pk PRIMARY KEY (order_id, line_no),
    CONSTRAINT fct_orders_user FOREIGN KEY (user_key) REFERENCES mart.dim_users (user_key) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT fct_orders_product FOREIGN KEY (product_key) REFERENCES mart.dim_products (product_key) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT fct_orders_date FOREIGN KEY (date_key) REFERENCES mart.dim_date (date_key) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE IF NOT EXISTS mart.rejected_lines (order_id varchar, line_no int, reason varchar);
INSERT INTO mart.dim_users (user_key, user_id) VALUES (-1, 'unknown') ON CONFLICT DO NOTHING;
INSERT INTO mart.dim_products (product_key, product_id) VALUES (-1, 'unknown') ON CONFLICT DO NOTHING;
INSERT INTO mart.dim_date (date_key) VALUES (-1) ON CONFLICT DO NOTHING;
-- canary: 98027ed2-f688-4794-ad95-70d2b9c36159
