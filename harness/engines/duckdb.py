"""DuckDB: a database file of the submission's, and a read-only one of the world's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.engines._duckdb_file import READER, DuckDBFile
from harness.engines._reading import read
from harness.errors import InfrastructureError
from harness.sandboxes._box import Box
from harness.tables import Table

# Seconds for what the world delivers.
WRITING_TIME = 120.0


@dataclass(frozen=True)
class Measured:
    """What a SELECT returned and what it took: rows read from tables, rows that all its operators passed on."""

    table: Table
    scanned: int
    processed: int


class DuckDB(DuckDBFile):
    """The submission writes ``$WAREHOUSE`` and may read ``$SOURCE`` (attached read-only)."""

    LISTING: ClassVar[str] = """
        SELECT schema_name || '.' || table_name FROM duckdb_tables()
        UNION ALL SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE NOT internal
    """
    log_variable: ClassVar[str] = "STATEMENT_LOG"
    name: ClassVar[str] = "duckdb"
    leaves: ClassVar[tuple[str, ...]] = ("warehouse.duckdb*",)
    fidelity: ClassVar[str] = (
        "DuckDB 1.5, the real library; statements are counted inside the submission's own Python process."
    )

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self.path = f"{box.path('work')}/warehouse.duckdb"
        self.source_path = f"{box.path('data')}/source.duckdb"

    def variables(self) -> dict[str, str]:
        return {"WAREHOUSE": self.path, "SOURCE": self.source_path}

    def execute(self, *statements: str) -> None:
        """Statements of the grader's on the world's database (``$SOURCE``)."""
        self._trusted("duckdb_execute", statements=list(statements))

    def append(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Append rows to a table of the world's database."""
        plain = [[value if value is None else str(value) for value in row] for row in rows]
        self._trusted("duckdb_append", table=table, columns=list(columns), rows=plain)

    def measure(self, sql: str, name: str, variables: Mapping[str, str]) -> Measured:
        """A SELECT of the submission's on the world's database. ``variables``: SQL values for ``getvariable``."""
        done = read(self.box, READER, "duckdb_measure", name, path=self.source_path, sql=sql, variables=dict(variables))
        return Measured(Table.decoded(name, done), done["scanned"], done["processed"])

    def table(self, name: str) -> Table:
        """All rows of a table, schema-qualified; the schema is ``main`` if none is named."""
        return self.query(f"SELECT * FROM {name if '.' in name else 'main.' + name}", name)

    def _trusted(self, function: str, **arguments: Any) -> None:
        arguments["path"] = self.source_path
        done = self.box.call(READER, function, arguments, role="driver", timeout=WRITING_TIME).result
        if not isinstance(done, dict):
            raise InfrastructureError("engine", "DuckDB didn't come to an end with a statement of the grader's")
        if "error" in done:
            raise InfrastructureError("engine", f"DuckDB refused a statement of the grader's: {done['error']}")


ENGINE = DuckDB
