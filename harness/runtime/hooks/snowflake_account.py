"""Counts the statements a Python process sends to a real Snowflake account (see ``counted_statements``).

``SNOWFLAKE_ACCOUNT_LOG`` is the file that is written; beside it, ``.sessions`` has the sessions that were counted.
"""

from __future__ import annotations

import functools
import os

from counted_statements import finished, started

LOG = "SNOWFLAKE_ACCOUNT_LOG"


class Watcher:
    """Sees from a session of its own whether a transaction is open: asked there, it would be the last query."""

    def __init__(self, execute) -> None:
        self._execute, self._link, self._seen = execute, None, set()

    def is_open(self, session) -> bool:
        if self._link is None:
            import snowflake.connector

            names = ("account", "user", "password", "role", "warehouse")
            login = {name: os.environ["SNOWFLAKE_" + name.upper()] for name in names}
            self._link = snowflake.connector.connect(**login)
        if session not in self._seen:
            self._seen.add(session)
            with open(os.environ[LOG] + ".sessions", "a") as file:
                file.write(f"{session}\n")
        cursor = self._execute(self._link.cursor(), "SHOW TRANSACTIONS")
        place = [column[0] for column in cursor.description].index("session")
        return any(str(row[place]) == str(session) for row in cursor.fetchall())


def install() -> None:
    """Called once a process, after ``import snowflake.connector.cursor``."""
    from snowflake.connector.cursor import SnowflakeCursor

    # DictCursor's, too: both inherit it.
    (shared,) = (kind for kind in SnowflakeCursor.__mro__ if "execute" in vars(kind))
    execute = shared.execute
    watcher = Watcher(execute)

    @functools.wraps(execute)
    def counted(self, *arguments, **options):
        done = execute(self, *arguments, **options)
        finished(os.environ[LOG], watcher.is_open(self.connection.session_id))
        return done

    shared.execute = counted
    started(os.environ[LOG])
