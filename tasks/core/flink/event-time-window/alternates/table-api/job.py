"""Counts scans by lane in five-minute windows of event time: the Table API."""

import os
from pathlib import Path

from pyflink.common import Configuration
from pyflink.table import DataTypes, EnvironmentSettings, Schema, TableDescriptor, TableEnvironment
from pyflink.table.expressions import call_sql, col, lit
from pyflink.table.window import Tumble

DATA, LAKE, CHECKPOINTS = (os.environ[name] for name in ("DATA", "LAKE", "CHECKPOINTS"))

MOMENT = "TO_TIMESTAMP(JSON_VALUE(line, '$.scanned_at'), 'yyyy-MM-dd HH:mm:ss')"


def environment():
    settings = Configuration()
    settings.set_string("execution.checkpointing.interval", "1500ms")
    settings.set_string("execution.checkpointing.dir", f"file://{CHECKPOINTS}")
    settings.set_string("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION")
    complete = sorted(Path(CHECKPOINTS).glob("*/chk-*/_metadata"), key=lambda path: path.stat().st_mtime_ns)
    if complete:
        settings.set_string("execution.state-recovery.path", f"file://{complete[-1].parent}")
    settings.set_string("parallelism.default", "1")
    return TableEnvironment.create(
        EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(settings).build()
    )


def source(tables):
    schema = (
        Schema.new_builder()
        .column("line", DataTypes.STRING())
        .column_by_expression("moment", f"COALESCE({MOMENT}, TIMESTAMP '2000-01-01 00:00:00.000')")
        .watermark("moment", "moment - INTERVAL '2' MINUTE")
        .build()
    )
    descriptor = (
        TableDescriptor.for_connector("filesystem")
        .schema(schema)
        .option("path", f"file://{DATA}/scans")
        .option("source.monitor-interval", "1s")
        .format("raw")
        .build()
    )
    tables.create_temporary_table("arrivals", descriptor)
    return tables.from_path("arrivals").select(
        col("line"),
        col("moment"),
        call_sql("JSON_VALUE(line, '$.scan_id')").alias("scan_id"),
        call_sql("JSON_VALUE(line, '$.lane')").alias("lane"),
        call_sql(MOMENT).is_not_null.alias("timed"),
    )


def sink(tables, name, *columns):
    schema = Schema.new_builder()
    for column, kind in columns:
        schema.column(column, kind)
    descriptor = (
        TableDescriptor.for_connector("filesystem")
        .schema(schema.build())
        .option("path", f"file://{LAKE}/{name}")
        .option("sink.rolling-policy.rollover-interval", "2s")
        .option("sink.rolling-policy.check-interval", "1s")
        .format("json")
        .build()
    )
    tables.create_temporary_table(name, descriptor)


def main():
    tables = environment()
    text, time = DataTypes.STRING(), DataTypes.TIMESTAMP(3)
    sink(tables, "counts", ("window_start", time), ("lane", text), ("scans", DataTypes.BIGINT()))
    sink(tables, "late", ("scan_id", text), ("lane", text), ("scanned_at", time))
    sink(tables, "broken", ("line", text))
    lines = source(tables)
    sound = col("scan_id").is_not_null & col("lane").is_not_null & col("timed")
    scans = lines.where(sound)
    counts = (
        scans.window(Tumble.over(lit(5).minutes).on(col("moment")).alias("w"))
        .group_by(col("w"), col("lane"))
        .select(col("w").start, col("lane"), lit(1).count)
    )
    # The end of a scan's window: its time cut to five minutes, and five minutes more.
    passed = call_sql(
        "TIMESTAMPADD(MINUTE, CAST(5 + 5 * (EXTRACT(MINUTE FROM moment) / 5) AS INT), FLOOR(moment TO HOUR)) "
        "<= CURRENT_WATERMARK(moment)"
    )
    late = scans.where(passed).select(col("scan_id"), col("lane"), col("moment").cast(time))
    job = tables.create_statement_set()
    job.add_insert("counts", counts)
    job.add_insert("late", late)
    job.add_insert("broken", lines.where(~sound).select(col("line")))
    job.execute().wait()


if __name__ == "__main__":
    main()

# canary: 5f1c5a7e-2d0b-4b6b-9a43-9a4dca1e7d60
