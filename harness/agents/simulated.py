"""``simulated/<skill>``: solves a task with probability ``skill`` and else hands in one of its mutants.

The draw depends on the task, the attempt and the skill alone, so a run repeats to the letter anywhere. It is
the ground truth that statistics are calibrated on, not a model.
"""

from __future__ import annotations

import random

from harness.agents import Agent, Assignment, submitted
from harness.agents._baseline import Baseline
from harness.errors import UsageError
from harness.submission import Submission

BASELINE = True


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


def create(argument: str = "") -> Agent:
    try:
        skill = float(argument)
    except ValueError:
        skill = -1.0
    if not 0 <= skill <= 1:
        raise UsageError(f"simulated needs a skill from 0 to 1, but got {argument!r}", "write: --model simulated/0.6")
    return Simulated(skill)
