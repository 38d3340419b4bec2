"""Real systems that execute submissions, each behind one driver: one module an engine.

A driver's verbs are what a grader thinks in: run this DAG for this day, build with these variables, read this
table. An engine lives in a box; ``Lab`` starts it there once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from harness.errors import SubmissionFault

if TYPE_CHECKING:
    from harness.sandboxes._box import Box
    from harness.tables import Table


class Engine:
    """One engine in one box. ``fidelity`` says in a sentence what is real about it and what is not."""

    name: ClassVar[str]
    fidelity: ClassVar[str]
    # Whether a grade takes many seconds: the everyday tests then prove less of a task.
    starts_slowly: ClassVar[bool] = False

    # Globs of what it keeps in the work folder when something is run: no part of a submission, or else whoever tried
    # a solution would hand in the visible world's rows with it, and be graded on top of them.
    leaves: ClassVar[tuple[str, ...]] = ()

    # Commands that a submission is run with where this engine is.
    programs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, box: Box) -> None:
        self.box = box

    @classmethod
    def at(cls, box: Box) -> Engine:
        """The box's own, or what the user's configuration names in its place."""
        return cls(box)

    def start(self) -> None:
        """Make it ready; called once."""

    def variables(self) -> dict[str, str]:
        """Environment variables by which the submission finds the engine."""
        return {}

    def dump(self) -> dict[str, bytes]:
        """What it holds of the world that lies in no folder of the box, as files from which it can be put back."""
        return {}

    def reset(self) -> None:
        """Back to how ``start`` left it."""

    def close(self) -> None:
        """End what runs outside the residents."""

    def tables(self) -> frozenset[str]:
        """Names of the submission's tables, schema-qualified where there are schemas; none if they can't be listed."""
        return frozenset()

    def holds(self, table: str) -> bool:
        """Whether a table of the submission's is here and has rows."""
        return False

    def values(self, table: str, column: str, most: int) -> frozenset[str]:
        """Different values of a column of the submission's, as text; none where there is no such column."""
        return frozenset()


class QueriedEngine(Engine):
    """An engine whose tables the grader reads by SQL. ``LISTING`` selects their names."""

    LISTING: ClassVar[str]

    def query(self, sql: str, name: str = "result") -> Table:
        """What the grader reads. What fails is the submission's fault."""
        raise NotImplementedError

    def tables(self) -> frozenset[str]:
        return frozenset(str(name) for (name,) in self._found(self.LISTING))

    def holds(self, table: str) -> bool:
        return bool(self._found(f"SELECT 1 FROM {table} LIMIT 1"))

    def values(self, table: str, column: str, most: int) -> frozenset[str]:
        found = self._found(f"SELECT DISTINCT {column} FROM {table} ORDER BY 1 LIMIT {most}")
        return frozenset(str(value) for (value,) in found if value)

    def _found(self, sql: str) -> Sequence[tuple[object, ...]]:
        try:
            return self.query(sql, "what the pipeline left").rows
        except SubmissionFault:
            return ()


class CrashingEngine(Engine):
    """An engine that can stop the submission after any of its statements."""

    def count(self) -> None:
        """Begin to count statements."""
        raise NotImplementedError

    def crash(self, after: int) -> None:
        """Begin to count, and kill the submission once ``after`` statements have finished."""
        raise NotImplementedError

    def stop_counting(self) -> list[str]:
        """Stop; one letter a finished statement: ``I`` no transaction open after it (a commit), ``T``/``E`` one is."""
        raise NotImplementedError
