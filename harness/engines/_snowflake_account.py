"""A Snowflake account of the user's own in place of the emulated one: every box has a database of its own there."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import Any, ClassVar

from harness.engines._reading import read
from harness.engines.snowflake import EXTERNAL, Snowflake
from harness.errors import InfrastructureError, UsageError
from harness.sandboxes._box import Box, Completed
from harness.tables import Table

READER = "snowflake_reader"
# The caller's own.
LOGIN = ("user", "password", "role", "warehouse")
# Where the account isn't at the address that its name tells.
ADDRESS = ("host", "port", "protocol")
WRITING_TIME = 300.0  # seconds: a warehouse may have to be resumed
# Nothing is to be kept of it, nor paid for: no time travel, no fail-safe.
PASSING = "DATA_RETENTION_TIME_IN_DAYS = 0"


class SnowflakeAccount(Snowflake):
    """The submission's database is made when the box opens, and dropped when it closes."""

    # The views once more by themselves: where the emulation stands for an account, its tables are without them.
    LISTING: ClassVar[str] = """
        SELECT lower(table_schema || '.' || table_name) FROM information_schema.tables
        WHERE table_schema <> 'INFORMATION_SCHEMA'
        UNION SELECT lower(table_schema || '.' || table_name) FROM information_schema.views
        WHERE table_schema <> 'INFORMATION_SCHEMA'
    """
    log_variable: ClassVar[str] = "SNOWFLAKE_ACCOUNT_LOG"

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        own = {name: os.environ[variable(name)] for name in (*LOGIN, *ADDRESS) if os.environ.get(variable(name))}
        if missing := [variable(name) for name in LOGIN if name not in own]:
            problem = f"{EXTERNAL} names an account, but {', '.join(missing)} isn't set"
            raise UsageError(problem, "set it, or unset both")
        self._database = f"BENCH_{secrets.token_hex(8)}".upper()
        # In the connector's words.
        self._login = {
            **own,
            "account": os.environ[EXTERNAL],
            "database": self._database,
            "schema": self.ACCOUNT["SCHEMA"],
        }
        self._made: list[str] = []

    def start(self) -> None:
        self.box.preload(READER, "driver")
        self._hooks.bring()
        self._make(self._database)

    def variables(self) -> dict[str, str]:
        return {variable(name): value for name, value in self._login.items()} | {"PYTHONPATH": self._hooks.folder}

    def run(self, script: str, *arguments: str, timeout: float) -> Completed:
        return self.box.run(["python", script, *arguments], timeout=timeout)

    def query(self, sql: str, name: str = "result") -> Table:
        done = read(self.box, READER, "snowflake_query", name, login=self._login, sql=sql)
        return Table.decoded(name, self._let_in(done))

    def dump(self) -> dict[str, bytes]:
        raise UsageError(f"what lies at an account isn't exported: {self.name}", f"unset {EXTERNAL}")

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
        if sessions:
            self._trusted("snowflake_abort", sessions=sessions)
        self.box.run(["rm", "-f", "--", file])
        return super().stop_counting()

    # -- the account --------------------------------------------------------------------------------------------

    def _execute(self, *statements: str) -> None:
        self._trusted("snowflake_execute", statements=list(statements))

    def _trusted(self, function: str, **arguments: Any) -> None:
        arguments["login"] = self._login
        done = self.box.call(READER, function, arguments, role="driver", timeout=WRITING_TIME).result
        if not isinstance(done, dict):
            raise InfrastructureError("engine", "Snowflake didn't come to an end with a statement of the grader's")
        if "error" in self._let_in(done):
            raise InfrastructureError("engine", f"Snowflake refused a statement of the grader's: {done['error']}")

    def _let_in(self, done: dict[str, Any]) -> dict[str, Any]:
        if "unreachable" in done:
            raise UsageError(
                f"{EXTERNAL}: {self._login['account']} doesn't let the grader in: {done['unreachable']}",
                "see to its user, password, role and warehouse; boxes have no network, so use --sandbox embedded (for "
                "our own solutions only), or unset it",
            )
        return done


def variable(name: str) -> str:
    """The variable by which Snowflake's tools are told what the connector calls ``name``."""
    return f"SNOWFLAKE_{name.upper()}"
