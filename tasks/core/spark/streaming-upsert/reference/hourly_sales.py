"""Adds what has come since the last run to the sales per shop and hour: spark-submit hourly_sales.py

A batch's totals replace those of the same shop and hour. They are computed from the checkpoint's state, which is as old as
its last committed batch: a batch that is done again after a crash comes to the same totals.
"""

import os

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

SALE = "event_id string, store_id string, sold_at timestamp, amount decimal(12,2)"
HOURLY = "store_id string, hour timestamp, sales bigint, revenue decimal(22,2)"
# How much older than the newest sale of the runs before a sale may be.
GRACE = "2 hours"


def totals(sales: DataFrame) -> DataFrame:
    """The shops' hours that have changed, each with all its sales so far."""
    return (
        sales.withWatermark("sold_at", GRACE)
        .dropDuplicatesWithinWatermark(["event_id"])
        .groupBy("store_id", F.window("sold_at", "1 hour").alias("window"))
        .agg(F.count("*").alias("sales"), F.sum("amount").alias("revenue"))
        .select("store_id", F.col("window.start").alias("hour"), "sales", "revenue")
    )


def main() -> None:
    data, lake = os.environ["DATA"], os.environ["LAKE"]
    path = f"{lake}/hourly_sales"
    spark = SparkSession.builder.appName("hourly_sales").getOrCreate()
    if not DeltaTable.isDeltaTable(spark, path):
        spark.createDataFrame([], HOURLY).write.format("delta").save(path)

    def upsert(batch: DataFrame, number: int) -> None:
        if batch.isEmpty():
            return
        hourly = DeltaTable.forPath(spark, path).alias("hourly")
        merge = hourly.merge(batch.alias("new"), "hourly.store_id = new.store_id AND hourly.hour = new.hour")
        merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()

    # All that is there makes one batch, so that nothing of a run is late because of the run itself.
    sales = spark.readStream.schema(SALE).json(f"{data}/sales")
    query = (
        totals(sales)
        .writeStream.outputMode("update")
        .foreachBatch(upsert)
        .option("checkpointLocation", f"{lake}/checkpoints/hourly_sales")
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    spark.stop()


if __name__ == "__main__":
    main()
# canary: dc77a131-1a35-4a7c-979b-f1ce3f07da98
