"""DuckDB: a database file of the submission's, and a read-only one of the world's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.engines import CrashingEngine, QueriedEngine
from harness.engines._hooks import Hooks
from harness.errors import InfrastructureError, SubmissionFault
from harness.sandboxes._box import Box
from harness.tables import Table

READER = "trusted_reader"
# Seconds: for reading what a submission left, and for what the world delivers.
READING_TIME, WRITING_TIME = 60.0, 120.0


@dataclass(frozen=True)
class Measured:
    """What a SELECT returned and what it took: rows read from tables, rows that all its operators passed on."""

    table: Table
    scanned: int
    processed: int


class DuckDB(QueriedEngine, CrashingEngine):
    """The submission writes ``$WAREHOUSE`` and may read ``$SOURCE`` (attached read-only)."""

    LISTING: ClassVar[str] = """
        SELECT schema_name || '.' || table_name FROM duckdb_tables()
        UNION ALL SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE NOT internal
    """
    name: ClassVar[str] = "duckdb"
    fidelity: ClassVar[str] = (
        "DuckDB 1.5, the real library; statements are counted inside the submission's own Python process."
    )

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self.path = f"{box.path('work')}/warehouse.duckdb"
        self.source_path = f"{box.path('data')}/source.duckdb"
        self._hooks = Hooks(box, "STATEMENT_LOG", ".statements")

    def start(self) -> None:
        self.box.preload(READER, "driver")

    def variables(self) -> dict[str, str]:
        return {"WAREHOUSE": self.path, "SOURCE": self.source_path}

    def execute(self, *statements: str) -> None:
        """Statements of the grader's on the world's database (``$SOURCE``)."""
        self._trusted("duckdb_execute", statements=list(statements))

    def append(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Append rows to a table of the world's database."""
        plain = [[value if value is None else str(value) for value in row] for row in rows]
        self._trusted("duckdb_append", table=table, columns=list(columns), rows=plain)

    def query(self, sql: str, name: str = "result") -> Table:
        """Read a copy of the submission's database. What fails (no file, no such table) is the submission's fault."""
        return Table.decoded(name, self._read(name, "duckdb_query", path=self.path, sql=sql))

    def measure(self, sql: str, name: str, variables: Mapping[str, str]) -> Measured:
        """A SELECT of the submission's on the world's database. ``variables``: SQL values for ``getvariable``."""
        done = self._read(name, "duckdb_measure", path=self.source_path, sql=sql, variables=dict(variables))
        return Measured(Table.decoded(name, done), done["scanned"], done["processed"])

    def table(self, name: str) -> Table:
        """All rows of a table, schema-qualified; the schema is ``main`` if none is named."""
        return self.query(f"SELECT * FROM {name if '.' in name else 'main.' + name}", name)

    def _read(self, name: str, function: str, **arguments: Any) -> dict[str, Any]:
        done = self._call(function, READING_TIME, **arguments)
        if done is None:
            # A file that DuckDB crashes on is among it.
            raise SubmissionFault(f"{name} can't be read in {READING_TIME:.0f} s and the box's memory")
        if "error" in done:
            raise SubmissionFault(f"{name} can't be read: {done['error']}")
        return done

    def _trusted(self, function: str, **arguments: Any) -> None:
        done = self._call(function, WRITING_TIME, path=self.source_path, **arguments)
        if done is None:
            raise InfrastructureError("engine", "DuckDB didn't come to an end with a statement of the grader's")
        if "error" in done:
            raise InfrastructureError("engine", f"DuckDB refused a statement of the grader's: {done['error']}")

    def _call(self, function: str, timeout: float, **arguments: Any) -> dict[str, Any] | None:
        """None: it took too long or too much memory, or crashed."""
        done = self.box.call(READER, function, arguments, role="driver", timeout=timeout)
        return done.result if isinstance(done.result, dict) else None

    # -- crash points -------------------------------------------------------------------------------------------

    def count(self) -> None:
        self._hooks.put_on({})

    def crash(self, after: int) -> None:
        self._hooks.put_on({"STATEMENT_LAST": str(after)})

    def stop_counting(self) -> list[str]:
        done = self._hooks.take_off()
        if done.killed or done.truncated or not set(done.stdout) <= {"I", "T"}:
            raise SubmissionFault("it wrote into the count of its statements")
        return list(done.stdout)


ENGINE = DuckDB
