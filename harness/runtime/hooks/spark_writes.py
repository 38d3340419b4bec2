"""Lets another writer into a Delta table just before each write of a Spark job, in the job's own Python process.

A job that has read the table by then has read too early. Two variables steer it: ``OTHER_WRITER``, a JSON file with the
table's ``path``, its ``columns`` and the ``rows``, one of which is appended each time; and ``OTHER_WRITER_LOG``, a file
to which a letter is appended for each of them.
"""

from __future__ import annotations

import functools
import json
import os
import sys

# Methods of Spark's and Delta's Java classes that write, or that may.
WRITES = frozenset(
    {"save", "saveAsTable", "insertInto", "sql", "execute", "delete", "update", "merge"}
    | {"append", "overwrite", "overwritePartitions", "createOrReplace", "replace"}
)


def install() -> None:
    """Called once a process, after ``import py4j.java_gateway``, by which Python calls Spark."""
    from py4j.java_gateway import JavaMember

    with open(os.environ["OTHER_WRITER"]) as file:
        given = json.load(file)
    rows = iter(given["rows"])
    call = JavaMember.__call__

    @functools.wraps(call)
    def calling(self, *arguments):
        if self.name in WRITES and (row := next(rows, None)):
            append(given["path"], given["columns"], row)
        return call(self, *arguments)

    JavaMember.__call__ = calling


def append(path: str, columns: dict[str, str], row: list[str | None]) -> None:
    import lake_writer

    try:
        lake_writer.append(path, columns, [row])
    except Exception as error:
        print(f"another writer couldn't append to the table: {error}", file=sys.stderr)
        return
    with open(os.environ["OTHER_WRITER_LOG"], "a") as log:
        log.write("A")
