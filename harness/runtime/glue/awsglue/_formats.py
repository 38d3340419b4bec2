"""Files of a format as a frame, and a frame as files of a format."""

import gzip
import json

from pyspark.sql import functions as F
from pyspark.sql import types as t

from awsglue import _schemas, _storage

READ, WRITTEN = ("json", "csv", "parquet"), ("json", "csv", "parquet", "glueparquet")


def frame_of(spark, objects, form, options):
    """A DataFrame, its choices, and the records that couldn't be read."""
    if form not in READ:
        raise NotImplementedError(f"reading the format {form!r} is not available here; {', '.join(READ)} are")
    if not objects:
        return spark.createDataFrame([], t.StructType([])), {}, []
    if form == "json":
        return json_frame(spark, objects)
    folder = _storage.local_folder()
    for number, found in enumerate(objects):
        (folder / f"{number}-{found.key.rpartition('/')[2]}").write_bytes(_storage.content(found))
    if form == "csv":
        reader = spark.read.option("header", bool(options.get("withHeader")))
        reader = reader.option("sep", options.get("separator", ",")).option("quote", options.get("quoteChar", '"'))
        frame = reader.option("multiLine", bool(options.get("multiline"))).csv(str(folder))
        names = [name if options.get("withHeader") else f"col{number}" for number, name in enumerate(frame.columns)]
        return frame.toDF(*names), {}, []
    return spark.read.option("mergeSchema", True).parquet(str(folder)), {}, []


def json_frame(spark, objects):
    records, errors = [], []
    for found in objects:
        content = _storage.content(found)
        if found.key.endswith(".gz"):
            content = gzip.decompress(content)
        for record, error in parsed(content.decode("utf-8", errors="replace")):
            if error:
                errors.append((found.uri, record, error))
            else:
                records.append(record)
    frame, choices = from_records(spark, records)
    return frame, choices, errors


def from_records(spark, records):
    schema, choices = _schemas.schema_of(records)
    rows = [_schemas.row(record, schema, choices) for record in records]
    return spark.createDataFrame(rows, schema), choices


def parsed(text):
    """The objects of a JSON file (a line each, an array, one after the other); what is none, with the reason."""
    decoder, place = json.JSONDecoder(), 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            end = text.find("\n", place)
            end = len(text) if end < 0 else end
            yield text[place:end], f"{type(error).__name__}: {error}"
            place = end
            continue
        for item in value if isinstance(value, list) else [value]:
            yield (item, None) if isinstance(item, dict) else (json.dumps(item), "it is no object")


def write(frame, folder, form, options, partitions):
    if form not in WRITTEN:
        raise NotImplementedError(f"writing the format {form!r} is not available here; {', '.join(WRITTEN)} are")
    writer = frame.write.mode("overwrite").partitionBy(*partitions)
    if form == "csv":
        writer = writer.option("sep", options.get("separator", ",")).option("header", options.get("writeHeader", True))
        writer.csv(str(folder))
    elif form == "json":
        writer.json(str(folder))
    else:
        writer.option("compression", options.get("compression", "snappy")).parquet(str(folder))


def with_partition(frame, values):
    """The columns that a partition of the catalog stands for."""
    for name, kind, value in values:
        frame = frame.withColumn(name, F.lit(value).cast(kind))
    return frame
