"""Glue's transforms by their names: each is the method of ``DynamicFrame`` that does it."""

from pyspark.sql import functions as F
from pyspark.sql import types as t


class GlueTransform:
    """``Name.apply(frame=…, …)``, or ``Name()(frame, …)``."""

    @classmethod
    def apply(cls, *arguments, **options):
        return cls()(*arguments, **options)

    def __call__(self, frame, *arguments, **options):
        raise NotImplementedError(f"{type(self).__name__} is not available here")


class ApplyMapping(GlueTransform):
    def __call__(self, frame, mappings, case_sensitive=False, transformation_ctx="", **_):
        return frame.apply_mapping(mappings, case_sensitive, transformation_ctx)


class ResolveChoice(GlueTransform):
    def __call__(self, frame, specs=None, choice="", database=None, table_name=None, transformation_ctx="", **_):
        return frame.resolveChoice(specs, choice, database, table_name, transformation_ctx)


class SelectFields(GlueTransform):
    def __call__(self, frame, paths, transformation_ctx="", **_):
        return frame.select_fields(paths)


class DropFields(GlueTransform):
    def __call__(self, frame, paths, transformation_ctx="", **_):
        return frame.drop_fields(paths)


class RenameField(GlueTransform):
    def __call__(self, frame, old_name, new_name, transformation_ctx="", **_):
        return frame.rename_field(old_name, new_name)


class Filter(GlueTransform):
    def __call__(self, frame, f, transformation_ctx="", **_):
        return frame.filter(f)


class Map(GlueTransform):
    def __call__(self, frame, f, transformation_ctx="", **_):
        return frame.map(f)


class DropNullFields(GlueTransform):
    """Without the columns in which every value is NULL."""

    def __call__(self, frame, transformation_ctx="", **_):
        rows = frame.toDF()
        if not rows.columns:
            return frame
        held = rows.select([F.count(F.col(f"`{name}`")).alias(name) for name in rows.columns]).first()
        return frame.drop_fields(
            [f.name for f in rows.schema if not held[f.name] or isinstance(f.dataType, t.NullType)]
        )


def _refused(name):
    return type(name, (GlueTransform,), {})


# Glue's others: they say, when they are applied, that they aren't here.
Join, Relationalize, Unbox, UnnestFrame, Spigot = map(
    _refused, ("Join", "Relationalize", "Unbox", "UnnestFrame", "Spigot")
)
SplitFields, SplitRows, SelectFromCollection, MapToCollection, FlatMap, FindMatches = map(
    _refused, ("SplitFields", "SplitRows", "SelectFromCollection", "MapToCollection", "FlatMap", "FindMatches")
)
