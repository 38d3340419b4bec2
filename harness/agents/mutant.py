"""``mutant/<name>``: the reference broken in one named way."""

from __future__ import annotations

from harness.agents import Agent, Assignment
from harness.agents._baseline import Baseline
from harness.errors import UsageError
from harness.submission import Submission

BASELINE = True


class Mutant(Baseline):
    def __init__(self, mutant: str) -> None:
        super().__init__(f"mutant/{mutant}")
        self.mutant = mutant

    def choose(self, assignment: Assignment) -> tuple[Submission, str]:
        mutants = assignment.task.mutants
        if self.mutant not in mutants:
            raise UsageError(
                f"{assignment.task.id} has no mutant {self.mutant!r}", f"known: {', '.join(sorted(mutants))}"
            )
        return mutants[self.mutant][1], f"the mutant {self.mutant}"


def create(argument: str = "") -> Agent:
    if not argument:
        raise UsageError("mutant needs the name of a mutant", "write: --model mutant/<name>")
    return Mutant(argument)
