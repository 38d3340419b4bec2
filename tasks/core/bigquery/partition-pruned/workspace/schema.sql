-- How the tables of today were made; nothing runs this any more.
CREATE TABLE shop.orders (
    order_id STRING NOT NULL,
    ordered_at TIMESTAMP,
    country STRING,
    status STRING,
    amount NUMERIC,
    note STRING,
    loaded_on DATE
)
PARTITION BY loaded_on;

CREATE TABLE landing.orders (
    order_id STRING NOT NULL,
    ordered_at TIMESTAMP,
    country STRING,
    status STRING,
    amount NUMERIC,
    note STRING,
    drop_date DATE
)
PARTITION BY drop_date;
