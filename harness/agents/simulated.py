"""``simulated/<skill>``: solves a task with probability ``skill`` and else hands in one of its mutants.

``simulated/clauses:FILE`` obeys each clause with a chance that depends on whether the persona says it, see
``_behaviour.py``. The draws depend on the task, the attempt and the skill (or the persona and the file's seed) alone,
so a run repeats to the letter anywhere. It is the ground truth that statistics are calibrated on, not a model.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

from harness.agents import Agent, Assignment, submitted
from harness.agents._baseline import Baseline
from harness.errors import UsageError
from harness.submission import Submission

BASELINE = True
CLAUSES = "clauses:"


class Simulated(Baseline):
    def __init__(self, skill: float) -> None:
        super().__init__(f"simulated/{skill:g}")
        self.skill = skill

    def choose(self, assignment: Assignment) -> tuple[Submission, str]:
        task = assignment.task
        draw = random.Random(f"{task.id}|{assignment.attempt}|{self.skill!r}")  # noqa: S311 - a seeded draw
        if draw.random() < self.skill:
            return task.reference, "the reference"
        if not task.mutants:
            return submitted(task, task.workspace.files), "the starting files"
        name = draw.choice(sorted(task.mutants))
        return task.mutants[name][1], f"the mutant {name}"


class Obedient(Baseline):
    """Heeds its persona. Its name holds the digest of the file, so that a run isn't gone on with another one."""

    def __init__(self, path: str, digest: str = "") -> None:
        from harness.agents._behaviour import read_behaviour

        found = read_behaviour(Path(path))
        if digest not in {"", found.digest}:
            raise UsageError(
                f"{path} is no longer the behaviour {digest} that the run began with", "restore it, or begin a new run"
            )
        super().__init__(f"simulated/{CLAUSES}{path}@{found.digest}")
        self.behaviour = found.behaviour

    def choose(self, assignment: Assignment) -> tuple[Submission, str]:
        return self.behaviour.choose(assignment.task, assignment.attempt, assignment.persona)


def create(argument: str = "") -> Agent:
    if argument.startswith(CLAUSES):
        path, *digest = re.split(r"@(?=[0-9a-f]{8}$)", argument.removeprefix(CLAUSES), maxsplit=1)
        return Obedient(path, *digest)
    try:
        skill = float(argument)
    except ValueError:
        skill = -1.0
    if not 0 <= skill <= 1:
        raise UsageError(
            f"simulated needs a skill from 0 to 1, but got {argument!r}",
            "write: --model simulated/0.6, or --model simulated/clauses:FILE",
        )
    return Simulated(skill)
