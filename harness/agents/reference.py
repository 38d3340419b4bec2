"""``reference``: the known-good solution. What it scores below 1 is a defect of the task or the grader."""

from __future__ import annotations

from harness.agents import Agent, Assignment
from harness.agents._baseline import Baseline
from harness.errors import UsageError
from harness.submission import Submission

BASELINE = True


class Reference(Baseline):
    def choose(self, assignment: Assignment) -> tuple[Submission, str]:
        return assignment.task.reference, "the reference"


def create(argument: str = "") -> Agent:
    if argument:
        raise UsageError(f"reference takes no argument, but got {argument!r}", "write: --model reference")
    return Reference("reference")
