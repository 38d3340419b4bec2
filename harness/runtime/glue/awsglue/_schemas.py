"""Schemas from values: as Glue makes them, a field that has several types is a choice between them."""

import json

from pyspark.sql import types as t

SCALARS = {
    "boolean": t.BooleanType(),
    "int": t.IntegerType(),
    "long": t.LongType(),
    "double": t.DoubleType(),
    "string": t.StringType(),
}


def kind(value):
    """The name of a value's type in Glue."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "int" if -(2**31) <= value < 2**31 else "long"
    if isinstance(value, float):
        return "double"
    return "struct" if isinstance(value, dict) else "array" if isinstance(value, list) else "string"


def schema_of(records):
    """The schema of dictionaries, and the kinds of each field that is a choice."""
    values = {}
    for record in records:
        for name, value in record.items():
            values.setdefault(name, []).append(value)
    fields, choices = [], {}
    for name, found in values.items():
        kinds = sorted({kind(value) for value in found if value is not None})
        if kinds == ["int", "long"]:
            kinds = ["long"]
        if len(kinds) > 1:
            choices[name] = kinds
            made = [
                t.StructField(one, type_of([value for value in found if value is not None and fits(value, one, kinds)]))
                for one in kinds
            ]
            fields.append(t.StructField(name, t.StructType(made)))
        else:
            fields.append(t.StructField(name, type_of(found)))
    return t.StructType(fields), choices


def fits(value, one, kinds):
    """Whether a value is of one of a choice's kinds."""
    return kind(value) == one or (one == "long" and kind(value) == "int" and "int" not in kinds)


def type_of(values):
    """One type for all of the values; below the top level, a mixture is text."""
    kinds = {kind(value) for value in values if value is not None}
    if kinds == {"struct"}:
        return schema_below([value for value in values if value is not None])
    if kinds == {"array"}:
        return t.ArrayType(type_of([item for value in values if value is not None for item in value]))
    if kinds <= {"int", "long", "double"} and len(kinds) > 1:
        return SCALARS["double" if "double" in kinds else "long"]
    return SCALARS[kinds.pop()] if len(kinds) == 1 else SCALARS["string"]


def schema_below(values):
    names = dict.fromkeys(name for value in values for name in value)
    return t.StructType([t.StructField(name, type_of([value.get(name) for value in values])) for name in names])


def row(record, schema, choices):
    """A dictionary as a row of the schema."""
    found = []
    for field in schema:
        value = record.get(field.name)
        if field.name in choices and value is not None:
            kinds = choices[field.name]
            value = {one: cast(value, field.dataType[one].dataType) for one in kinds if fits(value, one, kinds)}
        else:
            value = cast(value, field.dataType)
        found.append(value)
    return tuple(found)


def cast(value, wanted):
    if value is None:
        return None
    if isinstance(wanted, t.StructType):
        return {field.name: cast(value.get(field.name), field.dataType) for field in wanted}
    if isinstance(wanted, t.ArrayType):
        return [cast(item, wanted.elementType) for item in value]
    if isinstance(wanted, t.StringType) and not isinstance(value, str):
        return json.dumps(value)
    return float(value) if isinstance(wanted, t.DoubleType) else value
