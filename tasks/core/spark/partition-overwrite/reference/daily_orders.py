"""Merges one drop of orders into the lake: spark-submit daily_orders.py --date 2026-03-03

Only the days that the drop has orders of are written: each of them anew, from what stands there and what has come.
"""

import argparse
import datetime
import os

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

RAW = "order_id string, user_id string, order_date string, status string, amount string, updated_at string, revision string"
ORDERS = (
    "order_id string, user_id string, status string, amount decimal(12,2), updated_at timestamp, revision int, "
    "order_date date"
)
TYPED = {"order_date": "date", "amount": "decimal(12,2)", "updated_at": "timestamp", "revision": "int"}


def read_drop(spark: SparkSession, folder: str) -> DataFrame:
    """The rows as text, and in `reason` everything that is wrong with them (NULL if nothing is)."""
    # By position in RAW only if the header says so, too: enforceSchema off makes another order of columns an error.
    rows = spark.read.schema(RAW).csv(folder, header=True, enforceSchema=False)
    rows = rows.withColumn("order_id", F.nullif(F.trim("order_id"), F.lit("")))
    faults = [F.when(F.col("order_id").isNull(), F.lit("no order_id"))]
    faults += [
        F.when(F.expr(f"try_cast({column} AS {kind})").isNull(), F.lit(f"{column} is missing or no {kind}"))
        for column, kind in TYPED.items()
    ]
    return rows.withColumn("reason", F.nullif(F.concat_ws("; ", *faults), F.lit("")))


def typed(rows: DataFrame) -> DataFrame:
    return rows.select(
        "order_id",
        "user_id",
        "status",
        *(F.expr(f"try_cast({column} AS {kind})").alias(column) for column, kind in TYPED.items()),
    )


def exists(spark: SparkSession, path: str) -> bool:
    target = spark._jvm.org.apache.hadoop.fs.Path(path)
    return target.getFileSystem(spark._jsc.hadoopConfiguration()).exists(target)


def merged(spark: SparkSession, good: DataFrame, path: str) -> DataFrame:
    """The days that the rows are of, as they are with them."""
    days = [row.order_date for row in good.select("order_date").distinct().collect()]
    if exists(spark, path):
        known = spark.read.schema(ORDERS).parquet(path).where(F.col("order_date").isin(days))
        good = good.unionByName(known.select(good.columns))
    # A total order: rows that agree in it are the same in all columns.
    latest = Window.partitionBy("order_id").orderBy(F.col("updated_at").desc(), F.col("revision").desc())
    return good.withColumn("place", F.row_number().over(latest)).where("place = 1").drop("place")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--date", required=True, type=datetime.date.fromisoformat)
    date = parser.parse_args().date.isoformat()
    data, lake = os.environ["DATA"], os.environ["LAKE"]

    spark = SparkSession.builder.appName(f"daily_orders {date}").getOrCreate()
    # Overwrite the partitions that are written, and leave the others.
    spark.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")

    drop = read_drop(spark, f"{data}/orders/{date}").cache()
    orders = merged(spark, typed(drop.where("reason IS NULL")), f"{lake}/orders")
    orders.repartition("order_date").write.mode("overwrite").partitionBy("order_date").parquet(f"{lake}/orders")

    rejected = drop.where("reason IS NOT NULL").withColumn("drop_date", F.lit(date).cast("date"))
    rejected.coalesce(1).write.mode("overwrite").partitionBy("drop_date").parquet(f"{lake}/orders_rejected")

    print(f"{date}: {drop.count()} rows, {rejected.count()} of them rejected")
    spark.stop()


if __name__ == "__main__":
    main()
# canary: 1717d9d2-27e0-4ce0-b4f5-6b550c10f27b
