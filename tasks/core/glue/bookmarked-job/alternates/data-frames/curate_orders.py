"""The same on plain DataFrames, with the catalog kept by calls of its API.

A DynamicFrame is only what the bookmark hangs on; a choice column arrives here as a struct with a field for each type.
"""

import logging
import sys

import awsglue.utils
import boto3
from awsglue import DynamicFrame
from awsglue.context import GlueContext
from awsglue.job import Job
from pyspark.context import SparkContext
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

BUCKET, FOLDER = "shop-curated", "orders"
LOCATION = f"s3://{BUCKET}/{FOLDER}/"
COLUMNS = [
    ("line_id", "string"),
    ("order_id", "string"),
    ("sku", "string"),
    ("amount", "decimal(12,2)"),
    ("channel", "string"),
]
STORAGE = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
    "Columns": [{"Name": name, "Type": kind} for name, kind in COLUMNS],
}
log = logging.getLogger("curate_orders")


def as_text(frame, name):
    if name not in frame.columns:
        return F.lit(None).cast("string")
    kind = frame.schema[name].dataType
    if isinstance(kind, StructType):
        return F.coalesce(*(F.col(f"{name}.{field}").cast("string") for field in kind.fieldNames()))
    return F.col(name).cast("string")


def split(frame):
    names = ("line_id", "order_id", "order_date", "sku", "amount", "channel")
    lines = frame.select(*(as_text(frame, name).alias(name) for name in names))
    problem = F.lit(None)
    for name in ("amount", "order_date", "order_id", "line_id"):
        problem = F.when(F.coalesce(F.trim(name), F.lit("")) == "", f"{name} is empty").otherwise(problem)
    problem = F.coalesce(
        problem,
        F.when(F.to_date("order_date").isNull(), "order_date is no date"),
        F.when(F.col("amount").cast("decimal(12,2)").isNull(), "amount is no number"),
    )
    lines = lines.withColumn("reason", problem).cache()
    good = lines.where("reason IS NULL").select(
        *(F.col(name).cast(kind) for name, kind in COLUMNS), F.to_date("order_date").alias("order_date")
    )
    return good, lines.where("reason IS NOT NULL").select("line_id", "order_id", "order_date", "amount", "reason")


def catalogue(days):
    catalog = boto3.client("glue")
    try:
        catalog.create_table(
            DatabaseName="shop",
            TableInput={
                "Name": "orders",
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"classification": "parquet"},
                "PartitionKeys": [{"Name": "order_date", "Type": "date"}],
                "StorageDescriptor": {**STORAGE, "Location": LOCATION},
            },
        )
    except catalog.exceptions.AlreadyExistsException:
        pass
    for day in days:
        place = {**STORAGE, "Location": f"{LOCATION}order_date={day}/"}
        try:
            catalog.create_partition(
                DatabaseName="shop",
                TableName="orders",
                PartitionInput={"Values": [day], "StorageDescriptor": place},
            )
        except catalog.exceptions.AlreadyExistsException:
            log.info("the partition of %s is there", day)


context = GlueContext(SparkContext.getOrCreate())
args = awsglue.utils.getResolvedOptions(sys.argv, ["JOB_NAME"])
job = Job(context)
job.init(args["JOB_NAME"], args)
new = context.create_dynamic_frame_from_options(
    "s3", {"paths": ["s3://shop-raw/orders"], "recurse": True}, "json", transformation_ctx="order_lines"
).toDF()
if new.columns and new.take(1):
    good, bad = split(new)
    if bad.take(1):
        context.write_dynamic_frame_from_options(
            DynamicFrame.fromDF(bad, context, "bad"), "s3", {"path": f"s3://{BUCKET}/{FOLDER}_rejected"}, "json"
        )
    context.write_dynamic_frame_from_options(
        frame=DynamicFrame.fromDF(good.repartition("order_date"), context, "good"),
        connection_type="s3",
        connection_options={"path": LOCATION, "partitionKeys": ["order_date"]},
        format="parquet",
    )
    catalogue([str(row.order_date) for row in good.select("order_date").distinct().collect()])
job.commit()
# canary: bf7292a6-3e7c-43e9-99ff-b6d45a0aa38a
