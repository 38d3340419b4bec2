"""Real systems that execute submissions, each behind one driver: one module an engine.

A driver's verbs are what a grader thinks in: run this DAG for this day, build with these variables, read this
table. An engine lives in a box; ``Lab.use`` starts it there once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from harness.sandboxes._box import Box


class Engine:
    """One engine in one box. ``fidelity`` says in a sentence what is real about it and what is not."""

    name: ClassVar[str]
    fidelity: ClassVar[str]
    # Whether every command takes seconds to start: the everyday tests then prove less of a task.
    starts_slowly: ClassVar[bool] = False

    def __init__(self, box: Box) -> None:
        self.box = box

    def start(self) -> None:
        """Make it ready; called once."""

    def variables(self) -> dict[str, str]:
        """Environment variables by which the submission finds the engine."""
        return {}

    def reset(self) -> None:
        """Back to how ``start`` left it."""

    def close(self) -> None:
        """End what runs outside the residents."""


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
