"""BigQuery's SQL on DuckDB: a dialect that is refused where it would come out otherwise, and a count of bytes read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.engines import CrashingEngine
from harness.engines._server import ServedEngine, drawn_port
from harness.errors import InfrastructureError, SubmissionFault
from harness.sandboxes._box import Box
from harness.tables import Table

FIRST_PORT = 30_000
PROJECT = "shop-warehouse"
# Of a query: name -> BigQuery's type and the value as text, None for NULL.
Parameters = Mapping[str, tuple[str, str | None]]


@dataclass(frozen=True)
class Answer:
    """What a query returned, and the bytes that a dry run tells of it."""

    table: Table
    bytes: int


@dataclass(frozen=True)
class Attempt:
    """How a script ended; ``error`` is empty if it did what it says."""

    error: str
    bytes: int

    @property
    def ok(self) -> bool:
        return not self.error


@dataclass(frozen=True)
class Layout:
    """``columns``: name -> type. ``partitioned_by`` as the definition has it, empty if it isn't."""

    columns: Mapping[str, str]
    partitioned_by: str
    clustered_by: tuple[str, ...]
    needs_filter: bool
    is_view: bool


class BigQuery(ServedEngine, CrashingEngine):
    """Reached by ``bq``. A crash is a job that is cancelled behind a statement, as are all after it."""

    name: ClassVar[str] = "bigquery"
    starts_slowly: ClassVar[bool] = True
    programs: ClassVar[tuple[str, ...]] = ("bq",)
    fidelity: ClassVar[str] = (
        "BigQuery's SQL as far as sqlglot's translation to DuckDB says the same, by `bq query`, `ls` and `show`; other "
        "statements are refused by name. Partitions, required filters and a dry run's bytes are a model of ours after "
        "BigQuery's documentation: clustering saves nothing, slots, quotas and prices are not there. No account."
    )

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self.port = drawn_port(FIRST_PORT)

    def start(self) -> None:
        socket = f"{self.box.path('sockets')}/bigquery.socket"
        folder = f"{self.box.path('driver')}/bigquery"
        self._serve("BigQuery's server", "driver/bigquery_server.py", socket, folder, PROJECT, timeout=180)
        self._steer("describe")
        self._open(self.port, socket)
        program = f'#!/bin/sh\nexec {self.box.space.interpreter} -I {self.box.space.runtime}/bq.py "$@"\n'
        self.box.put("sockets", {"bigquery/bq": program.encode()})
        self.box.run(["chmod", "-R", "755", self._programs], role="driver")

    @property
    def _programs(self) -> str:
        return f"{self.box.path('sockets')}/bigquery"

    def variables(self) -> dict[str, str]:
        path = self.box.base_variables("submission")["PATH"]
        return {"PATH": f"{self._programs}:{path}", "BIGQUERY_PORT": str(self.port), "BIGQUERY_PROJECT": PROJECT}

    def reset(self) -> None:
        self._steer("reset")

    # -- the world's ------------------------------------------------------------------------------------------------

    def run(self, sql: str) -> None:
        """A script of the world's, in BigQuery's SQL."""
        attempt = self.attempt(sql)
        if not attempt.ok:
            raise InfrastructureError("engine", f"BigQuery's SQL of the world was refused: {attempt.error}")

    def attempt(self, sql: str) -> Attempt:
        """A script that may be refused."""
        answer = self._steer("run", sql=sql)["answer"]
        return Attempt(answer.get("error", ""), int(answer.get("bytes", 0)))

    def execute(self, *statements: str) -> None:
        """Statements of the world's, in DuckDB's SQL."""
        self._steer("execute", statements=list(statements))

    def append(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Append rows of the world's to a table."""
        plain = [[value if value is None else str(value) for value in row] for row in rows]
        self._steer("append", table=table, columns=list(columns), rows=plain)

    # -- the submission's -------------------------------------------------------------------------------------------

    def ask(self, sql: str, parameters: Parameters | None = None, name: str = "the query") -> Answer:
        """A single SELECT, as its author would run it. What is refused, or fails, is the submission's fault."""
        given = {key: list(value) for key, value in (parameters or {}).items()}
        answer = self._steer("run", sql=sql, parameters=given, single=True)["answer"]
        if "error" in answer:
            raise SubmissionFault(f"{name}: {answer['error']}")
        return Answer(Table.decoded(name, answer), int(answer["bytes"]))

    def table(self, name: str) -> Table:
        """All rows of a table or view, ``dataset.table``; whatever filter it asks for."""
        if name not in self.tables():
            raise SubmissionFault(f"there is no table {name}; there are {', '.join(sorted(self.tables())) or 'none'}")
        dataset, _, table = name.partition(".")
        answer = self._steer("read", table=f'"{dataset}"."{table}"')["answer"]
        if "error" in answer:
            raise SubmissionFault(f"{name} can't be read: {answer['error']}")
        return Table.decoded(name, answer)

    def layouts(self) -> Mapping[str, Layout]:
        """Every table and view, as it is defined."""
        found = self._steer("describe")["tables"]
        return {name: Layout(**{**told, "clustered_by": tuple(told["clustered_by"])}) for name, told in found.items()}

    def tables(self) -> frozenset[str]:
        return frozenset(self.layouts())

    def holds(self, table: str) -> bool:
        try:
            return bool(len(self.table(table)))
        except SubmissionFault:
            return False

    def values(self, table: str, column: str, most: int) -> frozenset[str]:
        try:
            found = {str(value) for value in self.table(table).column(column) if value}
        except SubmissionFault:
            return frozenset()
        return frozenset(sorted(found)[:most])

    # -- crash points -----------------------------------------------------------------------------------------------

    def count(self) -> None:
        self._steer("count")

    def crash(self, after: int) -> None:
        self._steer("crash", after=after)

    def stop_counting(self) -> list[str]:
        return list(self._steer("open")["counted"])


ENGINE = BigQuery
