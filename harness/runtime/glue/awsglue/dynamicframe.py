"""Frames without one schema: a column may be a choice between types until somebody resolves it."""

import re

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from awsglue import _formats

# Names that mappings and choices use for Spark's types.
TYPES = {"long": "bigint", "integer": "int", "short": "smallint", "byte": "tinyint"}


def spark_type(name):
    return TYPES.get(name.lower(), name)


class DynamicFrame:
    """Kept as a DataFrame; a choice is a struct with a field for each type, as ``toDF`` shows it in Glue."""

    def __init__(self, frame, glue_ctx, name="", *, choices=None, errors=()):
        self._frame, self.glue_ctx, self.name = frame, glue_ctx, name
        self._choices, self._errors = dict(choices or {}), list(errors)

    @classmethod
    def fromDF(cls, dataframe, glue_ctx, name):
        return cls(dataframe, glue_ctx, name)

    def toDF(self, options=None):
        if options:
            raise NotImplementedError("toDF with options is not available here: use resolveChoice first")
        return self._frame

    def _with(self, frame, choices=None):
        kept = self._choices if choices is None else choices
        kept = {name: kinds for name, kinds in kept.items() if name in frame.columns}
        return DynamicFrame(frame, self.glue_ctx, self.name, choices=kept, errors=self._errors)

    # -- looking at it -----------------------------------------------------------------------------------------------

    def count(self):
        return self._frame.count()

    def show(self, num_rows=20):
        for line in self._frame.limit(num_rows).toJSON().collect():
            print(line)

    def schema(self):
        return self._frame.schema

    def printSchema(self):
        print("root")
        for field in self._frame.schema:
            kinds = self._choices.get(field.name)
            print(f"|-- {field.name}: {'choice' if kinds else field.dataType.simpleString()}")
            for kind in kinds or ():
                print(f"|    |-- {kind}")

    def errorsCount(self):
        return len(self._errors)

    def errorsAsDynamicFrame(self):
        """The records that couldn't be read: ``error`` is a struct of the message, the file and the text."""
        schema = t.StructType([t.StructField(name, t.StringType()) for name in ("msg", "source", "record")])
        rows = [((message, source, record),) for source, record, message in self._errors]
        frame = self.glue_ctx.spark_session.createDataFrame(rows, t.StructType([t.StructField("error", schema)]))
        return DynamicFrame(frame, self.glue_ctx, f"{self.name}_errors")

    # -- columns -----------------------------------------------------------------------------------------------------

    def select_fields(self, paths, transformation_ctx="", **_):
        return self._with(self._frame.select([F.col(path) for path in paths if self._has(path)]))

    def drop_fields(self, paths, transformation_ctx="", **_):
        frame = self._frame
        for path in paths:
            outer, _, inner = path.partition(".")
            if inner and outer in frame.columns:
                frame = frame.withColumn(outer, F.col(outer).dropFields(inner))
            else:
                frame = frame.drop(path)
        return self._with(frame)

    def rename_field(self, oldName, newName, transformation_ctx="", **_):
        choices = {newName if name == oldName else name: kinds for name, kinds in self._choices.items()}
        return self._with(self._frame.withColumnRenamed(oldName, newName), choices)

    def apply_mapping(self, mappings, case_sensitive=False, transformation_ctx="", **_):
        """(source, type, target, type) each; a source that isn't there is left out, as everything that isn't named."""
        columns, nested = [], {}
        for mapping in mappings:
            source, target = mapping[0], mapping[2 if len(mapping) == 4 else 1]
            kind = mapping[-1]
            if not self._has(source):
                continue
            if source in self._choices:
                raise ValueError(
                    f"{source} is a choice of {', '.join(self._choices[source])}: resolve it before mapping"
                )
            value = F.col(source).cast(spark_type(kind)) if re.match(r"^[a-z]", kind) else F.col(source)
            outer, _, inner = target.partition(".")
            if inner:
                nested.setdefault(outer, []).append(value.alias(inner))
            else:
                columns.append(value.alias(target))
        columns += [F.struct(*values).alias(outer) for outer, values in nested.items()]
        return self._with(self._frame.select(columns), {})

    def resolveChoice(self, specs=None, choice="", database=None, table_name=None, transformation_ctx="", **_):
        """Each of ``specs`` (column, how) for itself, or ``choice`` for all that are still choices."""
        if specs and choice:
            raise ValueError("specs and choice exclude each other")
        if choice == "match_catalog":
            found = self.glue_ctx.catalog_columns(database, table_name)
            specs = [(name, f"cast:{kind}") for name, kind in found if name in self._frame.columns]
        frame, choices = self._frame, dict(self._choices)
        for name, how in specs or [(name, choice) for name in self._choices]:
            if name not in frame.columns:
                continue
            kinds = choices.pop(name, None)
            frame = resolved(frame, name, kinds, how)
        return self._with(frame, choices)

    def _has(self, path):
        outer = path.split(".")[0].strip("`")
        if outer not in self._frame.columns:
            return False
        fields = self._frame.schema
        for part in path.split("."):
            if not isinstance(fields, t.StructType) or part.strip("`") not in fields.fieldNames():
                return False
            fields = fields[part.strip("`")].dataType
        return True

    # -- rows --------------------------------------------------------------------------------------------------------

    def _records(self):
        """Rows as dictionaries, choices as plain values."""
        for row in self._frame.collect():
            record = row.asDict(recursive=True)
            for name, kinds in self._choices.items():
                held = record[name] or {}
                record[name] = next((held[kind] for kind in kinds if held.get(kind) is not None), None)
            yield record

    def filter(self, f, transformation_ctx="", **_):
        """The rows for which ``f`` holds; it is called in the job's own process."""
        rows = self._frame.collect()
        kept = [row for row, record in zip(rows, self._records(), strict=True) if f(record)]
        return self._with(self.glue_ctx.spark_session.createDataFrame(kept, self._frame.schema))

    def map(self, f, preservesPartitioning=False, transformation_ctx="", **_):
        """What ``f`` makes of each row; it is called in the job's own process."""
        frame, choices = _formats.from_records(self.glue_ctx.spark_session, [f(record) for record in self._records()])
        return DynamicFrame(frame, self.glue_ctx, self.name, choices=choices, errors=self._errors)

    def union(self, other, transformation_ctx="", **_):
        if self._choices or other._choices:
            raise ValueError("frames with choices can't be united: resolve them first")
        return self._with(self._frame.unionByName(other.toDF(), allowMissingColumns=True))

    def repartition(self, num_partitions, transformation_ctx="", **_):
        return self._with(self._frame.repartition(num_partitions))

    def coalesce(self, num_partitions, shuffle=False, transformation_ctx="", **_):
        return self._with(self._frame.coalesce(num_partitions))

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        raise NotImplementedError(f"DynamicFrame.{name} is not available here")


def resolved(frame, name, kinds, how):
    """A column after a choice was made; ``kinds`` is None where it was none."""
    column, (action, _, kind) = F.col(f"`{name}`"), how.partition(":")
    if action == "cast":
        values = [column.getField(one) for one in kinds] if kinds else [column]
        return frame.withColumn(name, F.coalesce(*[value.cast(spark_type(kind)) for value in values]))
    if kinds is None or action == "make_struct":
        return frame
    if action == "project":
        value = column.getField(kind) if kind in kinds else F.lit(None)
        return frame.withColumn(name, value.cast(spark_type(kind)))
    if action == "make_cols":
        for one in kinds:
            frame = frame.withColumn(f"{name}_{one}", column.getField(one))
        return frame.drop(name)
    raise ValueError(f"{how!r} resolves no choice: cast:TYPE, project:TYPE, make_cols, make_struct or match_catalog")


class DynamicFrameReader:
    def __init__(self, glue_context):
        self._glue_context = glue_context

    def from_options(self, connection_type, connection_options=None, format=None, format_options=None,
                     transformation_ctx="", push_down_predicate="", **_):  # fmt: skip
        if push_down_predicate:
            raise NotImplementedError("push_down_predicate is for tables of the catalog")
        return self._glue_context.read_objects(
            connection_type, connection_options or {}, format, format_options or {}, transformation_ctx
        )

    def from_catalog(self, database=None, table_name=None, redshift_tmp_dir="", transformation_ctx="",
                     push_down_predicate="", additional_options=None, name_space=None, **_):  # fmt: skip
        return self._glue_context.read_table(
            database or name_space, table_name, transformation_ctx, push_down_predicate, additional_options or {}
        )


class DynamicFrameWriter:
    def __init__(self, glue_context):
        self._glue_context = glue_context

    def from_options(self, frame, connection_type, connection_options=None, format="json", format_options=None,
                     transformation_ctx="", **_):  # fmt: skip
        options = dict(connection_options or {})
        sink = self._glue_context.getSink(connection_type, transformation_ctx=transformation_ctx, **options)
        sink.setFormat(format, **(format_options or {}))
        return sink.writeFrame(frame)

    def from_catalog(self, frame, database=None, table_name=None, redshift_tmp_dir="", transformation_ctx="",
                     additional_options=None, name_space=None, **_):  # fmt: skip
        return self._glue_context.write_table(frame, database or name_space, table_name, dict(additional_options or {}))


def as_data_frame(frame):
    return frame if isinstance(frame, DataFrame) else frame.toDF()
