"""A Snowflake account of the user's own in place of the emulated one: every box has a database of its own there."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import Any, ClassVar

from harness.engines._reading import READING_TIME
from harness.engines.snowflake import ACCOUNT, Snowflake
from harness.errors import InfrastructureError, SubmissionFault, UsageError
from harness.sandboxes._box import Box, Completed
from harness.tables import Table

READER = "snowflake_reader"
# The caller's own, in the words of Snowflake's tools.
LOGIN = ("USER", "PASSWORD", "ROLE", "WAREHOUSE")
# Where the account isn't at the address that its name tells.
ADDRESS = ("HOST", "PORT", "PROTOCOL")
WRITING_TIME = 300.0  # seconds: a warehouse may have to be resumed
# Nothing is to be kept of it, nor paid for: no time travel, no fail-safe.
PASSING = "DATA_RETENTION_TIME_IN_DAYS = 0"


class SnowflakeAccount(Snowflake):
    """The submission's database is made when the box opens, and dropped when it closes."""

    LISTING: ClassVar[str] = """
        SELECT lower(table_schema || '.' || table_name) FROM information_schema.tables
        WHERE table_schema <> 'INFORMATION_SCHEMA'
        UNION SELECT lower(table_schema || '.' || table_name) FROM information_schema.views
        WHERE table_schema <> 'INFORMATION_SCHEMA'
    """
    log_variable: ClassVar[str] = "SNOWFLAKE_ACCOUNT_LOG"

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self._account = os.environ[ACCOUNT]
        self._database = f"BENCH_{secrets.token_hex(8)}".upper()
        self._made: list[str] = []

    def start(self) -> None:
        self.box.preload(READER, "driver")
        self._hooks.bring()
        self._make(self._database)

    def variables(self) -> dict[str, str]:
        missing = [f"SNOWFLAKE_{name}" for name in LOGIN if not os.environ.get(f"SNOWFLAKE_{name}")]
        if missing:
            raise UsageError(f"{ACCOUNT} names an account, but {', '.join(missing)} isn't set", "set it, or unset both")
        given = {name: os.environ.get(name, "") for name in (f"SNOWFLAKE_{part}" for part in (*LOGIN, *ADDRESS))}
        place = {"ACCOUNT": self._account, "DATABASE": self._database, "SCHEMA": self.ACCOUNT["SCHEMA"]}
        own = {name: value for name, value in given.items() if value}
        return own | {f"SNOWFLAKE_{name}": value for name, value in place.items()} | {"PYTHONPATH": self._hooks.folder}

    def run(self, script: str, *arguments: str, timeout: float) -> Completed:
        return self.box.run(["python", script, *arguments], timeout=timeout)

    def query(self, sql: str, name: str = "result") -> Table:
        done = self._call("snowflake_query", READING_TIME, sql=sql)
        if done is None:
            raise SubmissionFault(f"{name} can't be read in {READING_TIME:.0f} s and the box's memory")
        if "error" in done:
            raise SubmissionFault(f"{name} can't be read: {done['error']}")
        return Table.decoded(name, done)

    def dump(self) -> dict[str, bytes]:
        raise UsageError(f"what lies at an account isn't exported: {self.name}", f"unset {ACCOUNT}")

    def close(self) -> None:
        if self._made:  # it costs its owner money; a box that is lost can't remove it
            with suppress(InfrastructureError, UsageError):
                self._execute(*(f"DROP DATABASE IF EXISTS {name}" for name in self._made))

    # -- states -------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        self._make(self._database)

    def save(self) -> str:
        name = f"{self._database}_{len(self._made)}"
        self._make(name, f"CLONE {self._database}")
        return name

    def restore(self, name: str) -> None:
        self._make(self._database, f"CLONE {name}")

    def _make(self, name: str, source: str = "") -> None:
        self._execute(f"CREATE OR REPLACE TRANSIENT DATABASE {name} {source} {PASSING}")
        if name not in self._made:
            self._made.append(name)

    # -- crash points -------------------------------------------------------------------------------------------

    def stop_counting(self) -> list[str]:
        # One that was killed has left its transaction open, with its locks; the account would wait for hours.
        file = f"{self._hooks.log}.sessions"
        sessions = self.box.run(["cat", file], role="driver").stdout.split()
        self._trusted("snowflake_abort", sessions=sessions)
        self.box.run(["rm", "-f", "--", file])
        return super().stop_counting()

    # -- the account --------------------------------------------------------------------------------------------

    def _execute(self, *statements: str) -> None:
        self._trusted("snowflake_execute", statements=list(statements))

    def _trusted(self, function: str, **arguments: Any) -> None:
        done = self._call(function, WRITING_TIME, **arguments)
        if done is None:
            raise InfrastructureError("engine", "Snowflake didn't come to an end with a statement of the grader's")
        if "error" in done:
            raise InfrastructureError("engine", f"Snowflake refused a statement of the grader's: {done['error']}")

    def _call(self, function: str, timeout: float, **arguments: Any) -> dict[str, Any] | None:
        """None: it took too long, or more memory than there is."""
        arguments["login"] = {
            name.removeprefix("SNOWFLAKE_").lower(): value
            for name, value in self.variables().items()
            if name.startswith("SNOWFLAKE_")
        }
        done = self.box.call(READER, function, arguments, role="driver", timeout=timeout).result
        if not isinstance(done, dict):
            return None
        if "unreachable" in done:
            raise UsageError(
                f"{ACCOUNT}: {self._account} doesn't let the grader in: {done['unreachable']}",
                "see to its user, password, role and warehouse; boxes have no network, so use --sandbox embedded (for "
                "our own solutions only), or unset it",
            )
        return done
