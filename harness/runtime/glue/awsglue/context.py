"""``GlueContext``: reads and writes frames, at S3 and in the catalog."""

import fnmatch
import logging
import time
import uuid

from pyspark.sql import SparkSession

from awsglue import _catalog, _formats, _storage
from awsglue._bookmarks import bookmarks
from awsglue.dynamicframe import DynamicFrame, DynamicFrameReader, DynamicFrameWriter, as_data_frame

HOUR = 3600


class GlueContext:
    def __init__(self, sparkContext, **_):
        self.spark_session = SparkSession(sparkContext)
        # Glue's Spark is a 3.5, where a cast that fails is NULL.
        self.spark_session.conf.set("spark.sql.ansi.enabled", "false")
        self.sparkContext = self.spark_session.sparkContext
        self.create_dynamic_frame = DynamicFrameReader(self)
        self.write_dynamic_frame = DynamicFrameWriter(self)

    def create_dynamic_frame_from_options(self, *arguments, **options):
        return self.create_dynamic_frame.from_options(*arguments, **options)

    def create_dynamic_frame_from_catalog(self, *arguments, **options):
        return self.create_dynamic_frame.from_catalog(*arguments, **options)

    def write_dynamic_frame_from_options(self, *arguments, **options):
        return self.write_dynamic_frame.from_options(*arguments, **options)

    def write_dynamic_frame_from_catalog(self, *arguments, **options):
        return self.write_dynamic_frame.from_catalog(*arguments, **options)

    def sql(self, query):
        return self.spark_session.sql(query)

    def createDataFrame(self, *arguments, **options):
        return self.spark_session.createDataFrame(*arguments, **options)

    @property
    def read(self):
        return self.spark_session.read

    def get_logger(self):
        return logging.getLogger("glue")

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        raise NotImplementedError(f"GlueContext.{name} is not available here")

    # -- reading -------------------------------------------------------------------------------------------------------

    def read_objects(self, connection_type, options, form, format_options, context):
        if connection_type != "s3":
            raise NotImplementedError(f"the connection {connection_type!r} is not available here: only s3 is")
        paths = options.get("paths") or ([options["path"]] if "path" in options else [])
        if isinstance(paths, str):
            paths = [paths]
        recurse = str(options.get("recurse", False)).lower() == "true"
        found = [one for path in paths for one in _storage.listed(path, recurse)]
        excluded = options.get("exclusions") or []
        patterns = [excluded] if isinstance(excluded, str) and not excluded.startswith("[") else excluded
        if isinstance(patterns, str):
            raise NotImplementedError("exclusions as one text of JSON are not available here: give a list")
        found = [one for one in found if not any(fnmatch.fnmatch(one.uri, pattern) for pattern in patterns)]
        found = bookmarks.new(context, found)
        frame, choices, errors = _formats.frame_of(self.spark_session, found, form, format_options)
        return DynamicFrame(frame, self, context, choices=choices, errors=errors)

    def read_table(self, database, name, context, predicate, options):
        table = _catalog.table(database, name)
        keys = [(key["Name"], key["Type"]) for key in table.get("PartitionKeys", ())]
        form, format_options = _catalog.form_of(table), _catalog.format_options_of(table)
        if not keys:
            location = table["StorageDescriptor"]["Location"]
            return self.read_objects(
                "s3", {"paths": [location], **options, "recurse": True}, form, format_options, context
            )
        # A partition that the catalog doesn't know isn't read.
        frame, choices, errors = None, {}, []
        for partition in self.chosen(_catalog.partitions(database, name), keys, predicate):
            found = bookmarks.new(context, _storage.listed(partition["StorageDescriptor"]["Location"]))
            if found:
                part, own, lost = _formats.frame_of(self.spark_session, found, form, format_options)
                values = [(key, kind, value) for (key, kind), value in zip(keys, partition["Values"], strict=True)]
                part, errors = _formats.with_partition(part, values), errors + lost
                if frame is not None and (own or choices) and own != choices:
                    raise NotImplementedError(f"partitions of {name} differ in types of a column: read them one by one")
                choices = own
                frame = part if frame is None else frame.unionByName(part, allowMissingColumns=True)
        if frame is None:
            frame, choices, errors = _formats.frame_of(self.spark_session, [], form, format_options)
        return DynamicFrame(frame, self, context, choices=choices, errors=errors)

    def chosen(self, partitions, keys, predicate):
        """The partitions for whose values the predicate holds."""
        if not predicate or not partitions:
            return partitions
        rows = [(number, *partition["Values"]) for number, partition in enumerate(partitions)]
        values = self.spark_session.createDataFrame(rows, ["_number", *(f"_{key}" for key, _ in keys)])
        for key, kind in keys:
            values = values.withColumn(key, values[f"_{key}"].cast(kind))
        return [partitions[row["_number"]] for row in values.where(predicate).select("_number").collect()]

    def catalog_columns(self, database, name):
        table = _catalog.table(database, name)
        columns = [*table["StorageDescriptor"]["Columns"], *table.get("PartitionKeys", ())]
        return [(column["Name"], column["Type"]) for column in columns]

    # -- writing -------------------------------------------------------------------------------------------------------

    def getSink(self, connection_type, format=None, transformation_ctx="", **options):
        if connection_type != "s3":
            raise NotImplementedError(f"the connection {connection_type!r} is not available here: only s3 is")
        sink = DataSink(self, options)
        if format:
            sink.setFormat(format)
        return sink

    def write_table(self, frame, database, name, options):
        table = _catalog.table(database, name)
        keys = [key["Name"] for key in table.get("PartitionKeys", ())]
        options.setdefault("partitionKeys", keys)
        options["path"] = table["StorageDescriptor"]["Location"]
        sink = self.getSink("s3", **options)
        sink.setFormat(_catalog.form_of(table))
        sink.setCatalogInfo(database, name)
        return sink.writeFrame(frame)

    def purge_s3_path(self, s3_path, options=None, transformation_ctx=""):
        """Remove the objects below a path that are older than ``retentionPeriod`` hours (a week, if it isn't said)."""
        hours = float((options or {}).get("retentionPeriod", 168))
        limit = time.time() - hours * HOUR
        old = [one for one in _storage.listed(s3_path) if not hours or float(one.version.split()[0]) < limit]
        _storage.remove(old)


class DataSink:
    """Where frames are written: always as new objects beside those that are there, as Glue does it."""

    def __init__(self, glue_context, options):
        self.glue_context, self.options = glue_context, options
        self.form, self.format_options, self.catalog = "json", {}, None

    def setFormat(self, format, **options):
        self.form, self.format_options = format, options

    def setCatalogInfo(self, catalogDatabase, catalogTableName="", catalogId=""):
        self.catalog = catalogDatabase, catalogTableName

    def writeFrame(self, dynamic_frame, info=""):
        frame = as_data_frame(dynamic_frame)
        if not frame.columns:
            return dynamic_frame
        path, keys = self.options["path"], list(self.options.get("partitionKeys") or ())
        folder = _storage.local_folder()
        frame = frame.cache()
        _formats.write(frame, folder, self.form, self.format_options, keys)
        _storage.store(folder, path, f"run-{int(time.time() * 1000)}-{uuid.uuid4().hex[:8]}")
        if self.catalog and str(self.options.get("enableUpdateCatalog", False)).lower() == "true":
            behaviour = self.options.get("updateBehavior", "UPDATE_IN_DATABASE")
            _catalog.update(*self.catalog, frame, path, self.form, keys, behaviour, self.format_options)
        return dynamic_frame

    write = writeFrame
