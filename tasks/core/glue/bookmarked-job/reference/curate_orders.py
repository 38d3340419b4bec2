"""Order lines from s3://shop-raw/orders to the catalog's table shop.orders; what is broken to orders_rejected.

The job bookmark says which objects are new. It moves on with the job's last statement: a run that fails before is
repeated over the same objects.
"""

import sys

from awsglue.context import GlueContext
from awsglue.dynamicframe import DynamicFrame
from awsglue.job import Job
from awsglue.transforms import ApplyMapping
from awsglue.utils import getResolvedOptions
from pyspark.context import SparkContext
from pyspark.sql import functions as F
from pyspark.sql import types as t

RAW = "s3://shop-raw/orders/"
CURATED, REJECTED = "s3://shop-curated/orders/", "s3://shop-curated/orders_rejected/"
FIELDS = ("line_id", "order_id", "order_date", "sku", "amount", "channel")
MAPPING = [
    ("line_id", "string", "line_id", "string"),
    ("order_id", "string", "order_id", "string"),
    ("sku", "string", "sku", "string"),
    ("amount", "string", "amount", "decimal(12,2)"),
    ("channel", "string", "channel", "string"),
    ("order_date", "string", "order_date", "date"),
]


def main():
    args = getResolvedOptions(sys.argv, ["JOB_NAME"])
    glue = GlueContext(SparkContext.getOrCreate())
    job = Job(glue)
    job.init(args["JOB_NAME"], args)

    raw = glue.create_dynamic_frame.from_options(
        connection_type="s3",
        connection_options={"paths": [RAW], "recurse": True},
        format="json",
        transformation_ctx="raw",
    )
    if raw.errorsCount():
        raise ValueError(f"{raw.errorsCount()} lines are no JSON: nothing was written, the objects are read again")
    if raw.toDF().columns:  # an hour without news has none
        curate(glue, raw)
    job.commit()


def curate(glue, raw):
    # Tills disagree about the type of an amount; as text they all say the same.
    lines = raw.resolveChoice(choice="cast:string").toDF()
    for name in FIELDS:
        value = F.col(name).cast("string") if name in lines.columns else F.lit(None).cast("string")
        lines = lines.withColumn(name, value)
    lines = lines.select(*FIELDS, F.concat_ws("; ", *reasons()).alias("reason")).cache()

    broken = lines.where("reason <> ''").drop("sku", "channel")
    sound = lines.where("reason = ''").drop("reason")
    sink = glue.getSink(
        connection_type="s3",
        path=CURATED,
        partitionKeys=["order_date"],
        enableUpdateCatalog=True,
        updateBehavior="UPDATE_IN_DATABASE",
        transformation_ctx="curated",
    )
    sink.setCatalogInfo(catalogDatabase="shop", catalogTableName="orders")
    sink.setFormat("glueparquet")
    sink.writeFrame(ApplyMapping.apply(frame=DynamicFrame.fromDF(sound, glue, "sound"), mappings=MAPPING))
    if broken.count():
        glue.write_dynamic_frame.from_options(
            frame=DynamicFrame.fromDF(broken, glue, "broken"),
            connection_type="s3",
            connection_options={"path": REJECTED},
            format="json",
            transformation_ctx="rejected",
        )
    print(f"{lines.count()} lines, {broken.count()} of them rejected")


def reasons():
    """Each a column that says what is wrong, NULL where nothing is."""
    for name in ("line_id", "order_id", "order_date", "amount"):
        missing = F.col(name).isNull() | (F.trim(name) == "")
        yield F.when(missing, f"missing_{name}")
        for column, kind in (("order_date", t.DateType()), ("amount", t.DecimalType(12, 2))):
            if name == column:
                yield F.when(~missing & F.col(name).cast(kind).isNull(), f"invalid_{name}")


if __name__ == "__main__":
    main()
# canary: bf7292a6-3e7c-43e9-99ff-b6d45a0aa38a
