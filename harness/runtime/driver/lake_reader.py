"""Reads the tables that a submission left as folders of files, for the grader, as the driver user.

A folder is read from a private copy of its regular files: links are not followed, and nothing changes meanwhile.
Values are encoded as ``trusted_reader`` does.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import stat
import tempfile
import urllib.parse

from resident import walk
from trusted_reader import MOST_BYTES, MOST_ROWS, copy_regular, encode, failure

MOST_FILES = 5_000
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def warm() -> None:
    with contextlib.suppress(ImportError):
        import pyarrow.parquet  # noqa: F401
    with contextlib.suppress(ImportError):
        import deltalake  # noqa: F401


def regular_files(folder: str) -> list[str]:
    """Paths relative to the folder, sorted. What is no regular file is an error."""
    if not stat.S_ISDIR(os.lstat(folder).st_mode):
        raise ValueError(f"{folder} is no folder")
    found = []
    for parent, _, names in walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            try:
                regular = stat.S_ISREG(os.lstat(path).st_mode)
            except FileNotFoundError:  # a writer that still runs has renamed it
                continue
            if not regular:
                raise ValueError(f"{os.path.relpath(path, folder)} is not a regular file")
            found.append(os.path.relpath(path, folder))
        if len(found) > MOST_FILES:
            raise ValueError(f"more than {MOST_FILES} files")
    return sorted(found)


@contextlib.contextmanager
def private_copy(folder: str):
    with tempfile.TemporaryDirectory(dir=os.environ.get("HOME")) as copy:
        for path in regular_files(folder):
            os.makedirs(os.path.dirname(os.path.join(copy, path)), exist_ok=True)
            copy_regular(os.path.join(folder, path), os.path.join(copy, path))
        yield copy


def files(path: str) -> dict:
    """The SHA-256 of every file by its path in the folder; no entry if the folder isn't there."""
    try:
        found = {}
        for name in regular_files(path) if os.path.lexists(path) else []:
            with open(os.path.join(path, name), "rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
        return {"files": found}
    except Exception as error:
        return failure(error)


def is_data(path: str) -> bool:
    """As Spark has it: what begins with a dot or an underscore is no data (but for a partition's folder)."""
    return not any(part.startswith((".", "_")) and "=" not in part for part in path.split(os.sep))


def partition_of(path: str) -> dict[str, object]:
    """The columns that a file's folders stand for (``day=2026-03-01``); dates as such, as Spark infers them."""
    found: dict[str, object] = {}
    for part in path.split(os.sep)[:-1]:
        name, equals, text = part.partition("=")
        if equals:
            value: object = None if text == NO_VALUE else urllib.parse.unquote(text)
            with contextlib.suppress(ValueError, TypeError):
                value = datetime.date.fromisoformat(value)
            found[urllib.parse.unquote(name)] = value
    return found


def parquet(path: str) -> dict:
    """All rows of a folder of Parquet files; a column that a file lacks is NULL there."""
    import pyarrow.parquet

    try:
        columns: dict[str, None] = {}
        rows, size = [], 0
        with private_copy(path) as copy:
            names = [name for name in regular_files(copy) if is_data(name)]
            for name in names:
                file = pyarrow.parquet.ParquetFile(
                    os.path.join(copy, name), coerce_int96_timestamp_unit="us", memory_map=False
                )
                size += sum(file.metadata.row_group(index).total_byte_size for index in range(file.num_row_groups))
                if len(rows) + file.metadata.num_rows > MOST_ROWS or size > MOST_BYTES:
                    raise ValueError(f"more than {MOST_ROWS} rows or {MOST_BYTES} bytes")
                partition = partition_of(name)
                columns |= dict.fromkeys([*file.schema_arrow.names, *partition])
                rows += [{**row, **partition} for row in file.read().to_pylist()]
        if not names:
            raise ValueError("there are no files in it")
        return {"columns": list(columns), "rows": [[encode(row.get(column)) for column in columns] for row in rows]}
    except Exception as error:
        return failure(error)


def delta(path: str, version: int | None) -> dict:
    """All rows of a Delta table, now or at a version; with its number, history and settings."""
    import deltalake
    import pyarrow

    try:
        rows: list[dict] = []
        with private_copy(path) as copy:
            table = deltalake.DeltaTable(copy, version=version)
            # By scan(): its reader for pyarrow knows neither deletion vectors nor column mapping.
            for batch in pyarrow.RecordBatchReader.from_stream(table.scan()):
                if len(rows) + batch.num_rows > MOST_ROWS:
                    raise ValueError(f"more than {MOST_ROWS} rows")
                rows += batch.to_pylist()
            columns = [field.name for field in table.schema().fields]
            return {
                "columns": columns,
                "rows": [[encode(row.get(column)) for column in columns] for row in rows],
                "version": table.version(),
                "types": {field.name: str(field.type.to_json()).strip('"') for field in table.schema().fields},
                "partitioned_by": list(table.metadata().partition_columns),
                "history": [
                    {"version": entry.get("version"), "operation": str(entry.get("operation"))}
                    for entry in table.history()
                ],
            }
    except Exception as error:
        return failure(error)


def json_lines(path: str) -> dict:
    """All rows of the files of a folder that hold an object a line; none if there is no folder.

    Files that a writer still has open are no data: others may be finished, or begun, while these are read.
    """
    try:
        rows, size = [], 0
        for name in filter(is_data, regular_files(path) if os.path.lexists(path) else []):
            with tempfile.TemporaryDirectory(dir=os.environ.get("HOME")) as folder:
                copy = os.path.join(folder, "copy")
                copy_regular(os.path.join(path, name), copy)
                size += os.path.getsize(copy)
                if size > MOST_BYTES:
                    raise ValueError(f"more than {MOST_BYTES} bytes")
                with open(copy, encoding="utf-8") as file:
                    rows += [json.loads(line) for line in file if line.strip()]
            if len(rows) > MOST_ROWS or not all(isinstance(row, dict) for row in rows):
                raise ValueError(f"more than {MOST_ROWS} rows, or a line that is no object")
        columns = dict.fromkeys(column for row in rows for column in row)
        return {"columns": list(columns), "rows": [[encode(row.get(column)) for column in columns] for row in rows]}
    except Exception as error:
        return failure(error)
