"""The same in Spark SQL, for the whole drop at once: an order's rows are folded by their greatest (moment, revision)."""

import argparse
import os

from pyspark.sql import SparkSession

parser = argparse.ArgumentParser()
parser.add_argument("--date", required=True)
date = parser.parse_args().date
data, lake = os.environ["DATA"], os.environ["LAKE"]

spark = (
    SparkSession.builder.appName("orders")
    .config("spark.sql.sources.partitionOverwriteMode", "dynamic")
    .config("spark.sql.ansi.enabled", "false")
    .getOrCreate()
)

spark.sql(f"""
    CREATE TEMPORARY VIEW lines USING csv
    OPTIONS (path '{data}/orders/{date}', header 'true', inferSchema 'false')
""")
spark.sql("""
    CREATE TEMPORARY VIEW checked AS
    SELECT
        nullif(trim(order_id), '') AS order_id, user_id, status,
        CAST(order_date AS date) AS order_date, CAST(amount AS decimal(12, 2)) AS amount,
        CAST(updated_at AS timestamp) AS updated_at, CAST(revision AS int) AS revision
    FROM lines
""")
for table, columns, key in (
    (
        "orders",
        "order_id string, user_id string, status string, amount decimal(12, 2), updated_at timestamp, revision int",
        "order_date",
    ),
    ("orders_rejected", "order_id string, reason string", "drop_date"),
):
    spark.sql(f"CREATE TABLE {table} ({columns}, {key} date) USING parquet PARTITIONED BY ({key}) LOCATION '{lake}/{table}'")
    os.makedirs(f"{lake}/{table}", exist_ok=True)
    spark.sql(f"MSCK REPAIR TABLE {table}")

sound = "order_id IS NOT NULL AND order_date IS NOT NULL AND amount IS NOT NULL AND updated_at IS NOT NULL AND revision IS NOT NULL"
spark.sql(f"""
    INSERT OVERWRITE TABLE orders
    WITH good AS (SELECT * FROM checked WHERE {sound}),
    everything AS (
        SELECT order_id, user_id, status, amount, updated_at, revision, order_date FROM good
        UNION ALL
        SELECT order_id, user_id, status, amount, updated_at, revision, order_date FROM orders
        WHERE order_date IN (SELECT order_date FROM good)
    )
    SELECT /*+ REPARTITION(order_date) */
        order_id, last.user_id, last.status, last.amount, last.updated_at, last.revision, last.order_date
    FROM (
        SELECT order_id, max(struct(updated_at, revision, user_id, status, amount, order_date)) AS last
        FROM everything
        GROUP BY order_id
    )
""")
spark.sql(f"""
    INSERT OVERWRITE TABLE orders_rejected
    SELECT order_id, 'a value is missing, or not what it should be', DATE '{date}' FROM checked WHERE NOT ({sound})
""")
# canary: 1717d9d2-27e0-4ce0-b4f5-6b550c10f27b
