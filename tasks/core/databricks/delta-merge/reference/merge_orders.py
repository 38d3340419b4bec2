"""Merges one batch of the web shop's orders into the Delta table: spark-submit merge_orders.py --batch 0101"""

import argparse
import os
import sys

from delta.tables import DeltaTable
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StructType


def retyped(batch: StructType, table: StructType) -> list[str]:
    """Columns that come with another type than the table has."""
    known = {field.name.lower(): field.dataType for field in table}
    return [
        f"{field.name} is {field.dataType.simpleString()}, not {known[field.name.lower()].simpleString()}"
        for field in batch
        if field.name.lower() in known and field.dataType != known[field.name.lower()]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", required=True)
    batch = parser.parse_args().batch
    data, lake = os.environ["DATA"], os.environ["LAKE"]

    spark = SparkSession.builder.appName(f"merge_orders {batch}").getOrCreate()
    rows = spark.read.parquet(f"{data}/batches/{batch}")
    orders = DeltaTable.forPath(spark, f"{lake}/orders")
    if faults := retyped(rows.schema, orders.toDF().schema):
        sys.exit(f"batch {batch} is refused, nothing was written: {'; '.join(faults)}")

    latest = Window.partitionBy("order_id").orderBy(F.col("updated_at").desc())
    rows = rows.withColumn("place", F.row_number().over(latest)).where("place = 1").drop("place")
    merge = orders.alias("orders").merge(rows.alias("new"), "orders.order_id = new.order_id").withSchemaEvolution()
    merge.whenMatchedUpdateAll("new.updated_at > orders.updated_at").whenNotMatchedInsertAll().execute()
    spark.stop()


if __name__ == "__main__":
    main()
# canary: a270921b-9842-489e-9728-df159444409c
