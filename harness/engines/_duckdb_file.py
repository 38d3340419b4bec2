"""An engine whose tables lie in a DuckDB file that the submission's own Python process writes."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.engines import CrashingEngine, QueriedEngine
from harness.engines._hooks import Hooks
from harness.errors import SubmissionFault
from harness.sandboxes._box import Box
from harness.tables import Table

READER = "trusted_reader"
# Seconds for reading what a submission left.
READING_TIME = 60.0


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
        return Table.decoded(name, self._read(name, "duckdb_query", path=self.path, sql=sql))

    def _read(self, name: str, function: str, **arguments: Any) -> dict[str, Any]:
        done = self._call(function, READING_TIME, **arguments)
        if done is None:
            # A file that DuckDB crashes on is among it.
            raise SubmissionFault(f"{name} can't be read in {READING_TIME:.0f} s and the box's memory")
        if "error" in done:
            raise SubmissionFault(f"{name} can't be read: {done['error']}")
        return done

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
