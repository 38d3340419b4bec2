-- canary: 95260fd4-e354-472a-acf6-d44a79896d28
CREATE TABLE IF NOT EXISTS customers (
    customer_id VARCHAR PRIMARY KEY,
    name VARCHAR,
    email VARCHAR,
    segment VARCHAR,
    credit_limit NUMBER(12, 2),
    changed_at TIMESTAMP_NTZ,
    seq NUMBER(38, 0)
);
-- Of whom is gone: the change that was the last.
CREATE TABLE IF NOT EXISTS deleted_customers (customer_id VARCHAR PRIMARY KEY, seq NUMBER(38, 0));
CREATE TABLE IF NOT EXISTS loaded_batches (batch NUMBER(38, 0) PRIMARY KEY, changes NUMBER(38, 0));
CREATE STAGE IF NOT EXISTS customer_changes;
CREATE OR REPLACE TEMPORARY TABLE raw_changes (change VARIANT);
