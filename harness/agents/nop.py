"""``nop``: leaves everything as it was found. What it scores above 0, a task gives away for nothing."""

from __future__ import annotations

from harness.agents import Agent, Assignment, submitted
from harness.agents._baseline import Baseline
from harness.errors import UsageError
from harness.submission import Submission

BASELINE = True


class Nop(Baseline):
    def choose(self, assignment: Assignment) -> tuple[Submission, str]:
        return submitted(assignment.task, assignment.task.workspace.files), "the starting files"


def create(argument: str = "") -> Agent:
    if argument:
        raise UsageError(f"nop takes no argument, but got {argument!r}", "write: --model nop")
    return Nop("nop")
