"""Snowflake: an account of the submission's, emulated by fakesnow in its own Python process, kept in a DuckDB file."""

from __future__ import annotations

import os
from typing import ClassVar

from harness.engines._duckdb_file import DuckDBFile
from harness.sandboxes._box import Box, Completed
from harness.tables import Table

FOLDER, SCRIPTS = ".snowflake", "snowflake_calls"
# Names an account of the user's own, in place of the emulated one.
EXTERNAL = "BENCH_SNOWFLAKE_ACCOUNT"


class Snowflake(DuckDBFile):
    """``snowflake.connector.connect`` with the usual variables leads to the account, whose schema is empty at first."""

    LISTING: ClassVar[str] = """
        SELECT lower(schema_name || '.' || table_name) FROM duckdb_tables() WHERE NOT starts_with(schema_name, '_fs_')
        UNION ALL
        SELECT lower(schema_name || '.' || view_name) FROM duckdb_views()
        WHERE NOT internal AND NOT starts_with(schema_name, '_fs_')
    """
    log_variable: ClassVar[str] = "SNOWFLAKE_STATEMENT_LOG"
    name: ClassVar[str] = "snowflake"
    leaves: ClassVar[tuple[str, ...]] = (f"{FOLDER}/*",)
    starts_slowly: ClassVar[bool] = True
    fidelity: ClassVar[str] = (
        "fakesnow 0.12: the connector's interface, Snowflake's SQL translated to DuckDB 2.0 in the submission's own "
        "process; transactions, MERGE, keys and names corrected to Snowflake's rules, what would be misread (streams, "
        "tasks, time travel, procedures, unload, …) refused with an error that says so. One process at a time; no "
        f"warehouses, roles or grants. {EXTERNAL} names a real account."
    )
    ACCOUNT: ClassVar[dict[str, str]] = {
        "ACCOUNT": "shop-eu1",
        "USER": "LOADER",
        "PASSWORD": "loader",
        "ROLE": "LOADER",
        "WAREHOUSE": "LOADING",
        "DATABASE": "SHOP",
        "SCHEMA": "PUBLIC",
    }

    @classmethod
    def at(cls, box: Box) -> Snowflake:
        if not os.environ.get(EXTERNAL):
            return cls(box)
        from harness.engines._snowflake_account import SnowflakeAccount

        return SnowflakeAccount(box)

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self._storage = f"{box.path('work')}/{FOLDER}"
        self.path = f"{self._storage}/{self.ACCOUNT['DATABASE']}.db"

    def start(self) -> None:
        super().start()
        self.box.preload(SCRIPTS)

    def run(self, script: str, *arguments: str, timeout: float) -> Completed:
        """``python <script> <arguments>`` in the work folder, from a process that has imported the connector."""
        return self.box.call(SCRIPTS, "run", {"arguments": [script, *arguments]}, timeout=timeout)

    def variables(self) -> dict[str, str]:
        account = {f"SNOWFLAKE_{name}": value for name, value in self.ACCOUNT.items()}
        emulation = self.box.space.runtime
        return account | {"SNOWFLAKE_STORAGE": self._storage, "SNOWFLAKE_EMULATION": emulation}

    def table(self, name: str) -> Table:
        """All rows of a table, schema-qualified; the schema is that of the connection if none is named."""
        return self.query(f"SELECT * FROM {name if '.' in name else self.ACCOUNT['SCHEMA'] + '.' + name}", name)

    # -- states -------------------------------------------------------------------------------------------------

    def save(self) -> str:
        """Keep what of the account lies outside the work folder; of the emulated one nothing does. Returns its name."""
        return ""

    def restore(self, name: str) -> None:
        """Bring that back; what lies in the work folder is the caller's to put there."""


ENGINE = Snowflake
