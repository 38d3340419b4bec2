"""The same as one statement of Databricks SQL."""

import os
import sys

from pyspark.sql import SparkSession

batch = sys.argv[sys.argv.index("--batch") + 1]
spark = SparkSession.builder.getOrCreate()
orders, new = f"delta.`{os.environ['LAKE']}/orders`", f"parquet.`{os.environ['DATA']}/batches/{batch}`"

types = dict(spark.table(orders).dtypes)
for column, kind in spark.table(new).dtypes:
    if types.setdefault(column, kind) != kind:
        raise TypeError(f"column {column} has come as {kind}, but is {types[column]}")

spark.sql(f"""
    MERGE WITH SCHEMA EVOLUTION INTO {orders} AS orders
    USING (
        SELECT last.* FROM (SELECT max_by(struct(*), updated_at) AS last FROM {new} GROUP BY order_id)
    ) AS new
    ON orders.order_id = new.order_id
    WHEN MATCHED AND new.updated_at > orders.updated_at THEN UPDATE SET *
    WHEN NOT MATCHED THEN INSERT *
""")
# canary: a270921b-9842-489e-9728-df159444409c
