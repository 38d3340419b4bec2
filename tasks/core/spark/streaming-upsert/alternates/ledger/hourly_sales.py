"""The same without Spark's state: sales are kept in a ledger, with the number of the batch that brought them."""

import os

from pyspark.sql import SparkSession

data, lake = os.environ["DATA"], os.environ["LAKE"]
ledger, hourly = f"delta.`{lake}/ledger`", f"delta.`{lake}/hourly_sales`"

spark = SparkSession.builder.getOrCreate()
spark.sql(f"""
    CREATE TABLE IF NOT EXISTS {ledger}
    (event_id string, store_id string, sold_at timestamp, amount decimal(12, 2), batch bigint) USING delta
""")
spark.sql(f"""
    CREATE TABLE IF NOT EXISTS {hourly}
    (store_id string, hour timestamp, sales bigint, revenue decimal(14, 2)) USING delta
""")


def take(batch, number):
    batch.createOrReplaceTempView("batch")
    session = batch.sparkSession
    # What a batch may bring depends on the batches before it alone: done again, it brings the same.
    session.sql(f"""
        MERGE INTO {ledger} AS known
        USING (
            SELECT event_id, any_value(store_id) AS store_id, any_value(sold_at) AS sold_at,
                   any_value(amount) AS amount, {number} AS batch
            FROM batch
            WHERE sold_at >= coalesce(
                (SELECT max(sold_at) FROM {ledger} WHERE batch < {number}) - INTERVAL 2 HOURS, TIMESTAMP '1970-01-01')
            GROUP BY event_id
        ) AS new
        ON known.event_id = new.event_id
        WHEN NOT MATCHED THEN INSERT *
    """)
    session.sql(f"""
        MERGE INTO {hourly} AS hourly
        USING (
            SELECT store_id, date_trunc('hour', sold_at) AS hour, count(*) AS sales, sum(amount) AS revenue
            FROM {ledger} GROUP BY ALL HAVING max(batch) = {number}
        ) AS new
        ON hourly.store_id = new.store_id AND hourly.hour = new.hour
        WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *
    """)


sales = spark.readStream.schema("event_id string, store_id string, sold_at timestamp, amount decimal(12, 2)")
query = sales.json(f"{data}/sales").writeStream.foreachBatch(take).option("checkpointLocation", f"{lake}/_sales_stream")
query.trigger(availableNow=True).start().awaitTermination()
# canary: dc77a131-1a35-4a7c-979b-f1ce3f07da98
