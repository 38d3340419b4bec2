"""An engine whose tables lie in a DuckDB file that the submission's own Python process writes."""

from __future__ import annotations

from typing import ClassVar

from harness.engines import CrashingEngine, QueriedEngine
from harness.engines._hooks import Hooks
from harness.engines._reading import read
from harness.errors import SubmissionFault
from harness.sandboxes._box import Box
from harness.tables import Table

READER = "trusted_reader"


class DuckDBFile(QueriedEngine, CrashingEngine):
    """``path``: the file. ``log_variable``: by which the hooks are told to count statements, and where."""

    path: str
    log_variable: ClassVar[str]

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self._hooks = Hooks(box, self.log_variable, ".statements")

    def start(self) -> None:
        self.box.preload(READER, "driver")

    def query(self, sql: str, name: str = "result") -> Table:
        """Read a copy of the submission's database. What fails (no file, no such table) is the submission's fault."""
        return Table.decoded(name, read(self.box, READER, "duckdb_query", name, path=self.path, sql=sql))

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
