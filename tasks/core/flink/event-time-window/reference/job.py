"""Counts scans by lane in windows of five minutes of their own time; runs until it is stopped.

Started again, it carries on from its latest checkpoint, wherever it was killed.
"""

import os
from pathlib import Path

from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment

DATA, LAKE, CHECKPOINTS = (os.environ[name] for name in ("DATA", "LAKE", "CHECKPOINTS"))
# A finished file a second or two after the rows that are in it.
SINK = (
    "'connector' = 'filesystem', 'format' = 'json', "
    "'sink.rolling-policy.rollover-interval' = '1s', 'sink.rolling-policy.check-interval' = '1s'"
)

# Whatever is no sound scan gets a time that holds up no watermark, and is told apart by its missing fields.
SCANS = f"""
CREATE TABLE lines (
    line STRING,
    scan_id AS JSON_VALUE(line, '$.scan_id'),
    lane AS JSON_VALUE(line, '$.lane'),
    scanned_at AS TO_TIMESTAMP(JSON_VALUE(line, '$.scanned_at')),
    event_time AS COALESCE(TO_TIMESTAMP(JSON_VALUE(line, '$.scanned_at')), TIMESTAMP '1970-01-01 00:00:00.000'),
    WATERMARK FOR event_time AS event_time - INTERVAL '2' MINUTE
) WITH (
    'connector' = 'filesystem', 'path' = 'file://{DATA}/scans', 'format' = 'raw', 'source.monitor-interval' = '500ms'
)
"""
SOUND = "scan_id IS NOT NULL AND lane IS NOT NULL AND scanned_at IS NOT NULL"
WINDOW_END = "TIMESTAMPADD(MINUTE, CAST((MINUTE(event_time) / 5 + 1) * 5 AS INT), FLOOR(event_time TO HOUR))"
# What the watermark has passed by the end of its window: that window is published without it.
LATE = f"CURRENT_WATERMARK(event_time) IS NOT NULL AND {WINDOW_END} <= CURRENT_WATERMARK(event_time)"

COUNTS = f"""
INSERT INTO counts
SELECT window_start, lane, COUNT(*)
FROM TABLE(TUMBLE((SELECT * FROM lines WHERE {SOUND}), DESCRIPTOR(event_time), INTERVAL '5' MINUTES))
GROUP BY window_start, window_end, lane
"""


def configuration() -> Configuration:
    options = {
        "execution.checkpointing.interval": "1s",
        "execution.checkpointing.dir": f"file://{CHECKPOINTS}",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        # One reader: what it has read is how far time has come, for counts and for what is late. A second one that has
        # no file to read would know nothing of it.
        "parallelism.default": "1",
    }
    if latest := latest_checkpoint():
        options["execution.state-recovery.path"] = f"file://{latest}"
    settings = Configuration()
    for name, value in options.items():
        settings.set_string(name, value)
    return settings


def latest_checkpoint() -> Path | None:
    """The newest complete one, of whichever start."""
    complete = [path.parent for path in Path(CHECKPOINTS).glob("*/chk-*/_metadata")]
    return max(complete, key=lambda path: path.stat().st_mtime_ns, default=None)


def main() -> None:
    settings = EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(configuration()).build()
    tables = TableEnvironment.create(settings)
    tables.execute_sql(SCANS)
    sinks = {
        "counts": "window_start TIMESTAMP(3), lane STRING, scans BIGINT",
        "late": "scan_id STRING, lane STRING, scanned_at TIMESTAMP(3)",
        "broken": "line STRING",
    }
    for name, columns in sinks.items():
        tables.execute_sql(f"CREATE TABLE {name} ({columns}) WITH ({SINK}, 'path' = 'file://{LAKE}/{name}')")
    job = tables.create_statement_set()
    job.add_insert_sql(COUNTS)
    job.add_insert_sql(f"INSERT INTO late SELECT scan_id, lane, scanned_at FROM lines WHERE {SOUND} AND {LATE}")
    job.add_insert_sql(f"INSERT INTO broken SELECT line FROM lines WHERE NOT ({SOUND})")
    job.execute().wait()


if __name__ == "__main__":
    main()

# canary: 5f1c5a7e-2d0b-4b6b-9a43-9a4dca1e7d60
