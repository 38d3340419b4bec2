"""Counts scans by lane in five-minute windows of event time, with the DataStream API."""

import datetime
import json
import os
from pathlib import Path

from pyflink.common import Configuration, Duration, Encoder, Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import OutputTag, ProcessFunction, ProcessWindowFunction, StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import FileSink, FileSource, RollingPolicy, StreamFormat
from pyflink.datastream.window import TumblingEventTimeWindows

DATA, LAKE, CHECKPOINTS = (os.environ[name] for name in ("DATA", "LAKE", "CHECKPOINTS"))
BROKEN = OutputTag("broken", Types.STRING())


def scan_type():
    """A new one each time: one that Java has seen can't be pickled."""
    return Types.TUPLE([Types.STRING(), Types.STRING(), Types.LONG()])


def text_of(milliseconds):
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


class Parse(ProcessFunction):
    def process_element(self, value, ctx):
        try:
            fields = json.loads(value)
            moment = datetime.datetime.strptime(fields["scanned_at"], "%Y-%m-%d %H:%M:%S")
            stamp = int(moment.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)
            yield str(fields["scan_id"]), str(fields["lane"]), stamp
        except (ValueError, KeyError, TypeError):
            yield BROKEN, json.dumps({"line": value})


class EventTime(TimestampAssigner):
    def extract_timestamp(self, value, record_timestamp):
        return value[2]


class Count(ProcessWindowFunction):
    def process(self, key, context, elements):
        row = {"window_start": text_of(context.window().start), "lane": key, "scans": sum(1 for _ in elements)}
        yield json.dumps(row)


def late_row(scan):
    return json.dumps({"scan_id": scan[0], "lane": scan[1], "scanned_at": text_of(scan[2])})


def sink(name):
    return (
        FileSink.for_row_format(f"file://{LAKE}/{name}", Encoder.simple_string_encoder())
        .with_rolling_policy(RollingPolicy.on_checkpoint_rolling_policy())
        .build()
    )


def scans(env):
    """Of both depots in one reader, so that a quiet one holds up nobody; and the broken lines."""
    files = FileSource.for_record_stream_format(StreamFormat.text_line_format(), f"file://{DATA}/scans")
    files = files.monitor_continuously(Duration.of_millis(500)).build()
    parsed = env.from_source(files, WatermarkStrategy.no_watermarks(), "scans").process(Parse(), scan_type())
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_minutes(2))
    timed = parsed.assign_timestamps_and_watermarks(strategy.with_timestamp_assigner(EventTime()))
    return timed, parsed.get_side_output(BROKEN)


def main():
    settings = Configuration()
    options = {
        "execution.checkpointing.interval": "1s",
        "execution.checkpointing.dir": f"file://{CHECKPOINTS}",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    }
    complete = sorted(Path(CHECKPOINTS).glob("*/chk-*/_metadata"), key=lambda path: path.stat().st_mtime_ns)
    if complete:
        options["execution.state-recovery.path"] = f"file://{complete[-1].parent}"
    for name, value in options.items():
        settings.set_string(name, value)
    env = StreamExecutionEnvironment.get_execution_environment(settings)
    env.set_parallelism(1)
    late = OutputTag("late", scan_type())
    sound, broken = scans(env)
    counts = (
        sound.key_by(lambda scan: scan[1], key_type=Types.STRING())
        .window(TumblingEventTimeWindows.of(Time.minutes(5)))
        .side_output_late_data(late)
        .process(Count(), Types.STRING())
    )
    counts.sink_to(sink("counts"))
    counts.get_side_output(late).map(late_row, Types.STRING()).sink_to(sink("late"))
    broken.sink_to(sink("broken"))
    env.execute("scans by lane")


if __name__ == "__main__":
    main()

# canary: 5f1c5a7e-2d0b-4b6b-9a43-9a4dca1e7d60
