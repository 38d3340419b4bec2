"""Counts the statements a Python process sends to the emulated Snowflake account (see ``counted_statements``).

What the emulation asks of DuckDB for one statement of Snowflake's is no statement of the submission's.
``SNOWFLAKE_STATEMENT_LOG`` is the file that is written.
"""

from __future__ import annotations

import functools
import os

from counted_statements import finished, started

LOG = "SNOWFLAKE_STATEMENT_LOG"


def install() -> None:
    """Called once a process, after ``import emulated_snowflake.account``."""
    from emulated_snowflake import account

    submit, write = account.Cursor.submit, account.write_pandas

    @functools.wraps(submit)
    def counted(self, text):
        result = submit(self, text)
        finished(os.environ[LOG], self._conn.is_open)
        return result

    @functools.wraps(write)
    def counted_write(conn, *arguments, **options):
        result = write(conn, *arguments, **options)
        finished(os.environ[LOG], conn.is_open)
        return result

    account.Cursor.submit = counted
    account.write_pandas = counted_write
    started(os.environ[LOG])
