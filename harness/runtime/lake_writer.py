"""Writes rows as Parquet files and into Delta tables. Values are text, or null; types are named as in Spark."""

from __future__ import annotations

import os
import re

NAMES = {
    "int": "int32",
    "bigint": "int64",
    "double": "float64",
    "string": "string",
    "boolean": "bool",
    "date": "date32",
}


def arrow_table(columns: dict[str, str], rows: list[list[str | None]]):
    import pyarrow

    def arrow_type(kind: str):
        if kind == "timestamp":
            return pyarrow.timestamp("us", "UTC")
        if decimal := re.fullmatch(r"decimal\((\d+), ?(\d+)\)", kind):
            return pyarrow.decimal128(int(decimal[1]), int(decimal[2]))
        return pyarrow.type_for_alias(NAMES[kind])

    found = {}
    for place, (name, kind) in enumerate(columns.items()):
        values = pyarrow.array([row[place] for row in rows], pyarrow.string())
        if kind == "timestamp":  # the text has no zone
            values = values.cast(pyarrow.timestamp("us"))
            found[name] = values.cast(pyarrow.int64()).cast(arrow_type(kind))
        else:
            found[name] = values.cast(arrow_type(kind))
    return pyarrow.table(found)


def parquet(path: str, columns: dict[str, str], rows: list[list[str | None]]) -> None:
    """Write one file."""
    import pyarrow.parquet

    os.makedirs(os.path.dirname(path), exist_ok=True)
    pyarrow.parquet.write_table(arrow_table(columns, rows), path)


def append(path: str, columns: dict[str, str], rows: list[list[str | None]]) -> None:
    """Append to a Delta table, in one version; make it if it isn't there. Columns that aren't given are NULL."""
    import deltalake

    deltalake.write_deltalake(path, arrow_table(columns, rows), mode="append", schema_mode="merge")
