"""All tasks of the leaderboards, and one task across the configurations: how each did, check by check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

from results.records import TrialRecord
from results.report.charts import SHARES, Mark
from results.report.pages import File
from results.report.pages.runs import state_of
from results.report.reading import Board, ReportedRun, Source

PLACE = 30
ENTRY = ("Tasks", "tasks.html")


@dataclass(frozen=True)
class Attempt:
    state: str
    link: str
    label: str
    score: float | None


@dataclass(frozen=True)
class Tried:
    """A configuration at a task. ``number`` is its rank on the board."""

    number: int
    model: str
    detail: str
    trials: tuple[TrialRecord, ...]
    attempts: tuple[Attempt, ...]
    planned: int

    @property
    def graded(self) -> list[TrialRecord]:
        return [trial for trial in self.trials if trial.status == "graded"]

    @property
    def resolved(self) -> int:
        return sum(bool(trial.resolved) for trial in self.graded)

    @property
    def score(self) -> float | None:
        scores = [trial.score for trial in self.graded if trial.score is not None]
        return fmean(scores) if scores else None

    @property
    def share(self) -> float | None:
        return self.resolved / len(self.graded) if self.graded else None

    def passed(self, check: str) -> tuple[int, int]:
        """In how many of its trials a check passed, of how many that have it."""
        outcomes = [one.passed for trial in self.graded for one in trial.checks if one.id == check]
        return sum(outcomes), len(outcomes)


def files(source: Source) -> Iterator[File]:
    yield File("tasks.html", "tasks.html", partial(_all, source))
    for board in source.boards:
        for task in board.table.tasks:
            yield File(board.task_path(task), "task.html", partial(_one, source, board, task))


def tried(board: Board, task: str) -> list[Tried]:
    """The configurations of a board at one of its tasks, in its order."""
    found = []
    for number, row in enumerate(board.rows, start=1):
        runs = board.runs_of(row)
        pairs = [(run, trial) for run in runs for trial in run.trials if trial.task == task]
        pairs.sort(key=lambda pair: (pair[0].id, pair[1].attempt))
        found.append(
            Tried(
                number,
                str(row["model"]),
                f"{row['agent']} · {row['persona']}",
                tuple(trial for _, trial in pairs),
                tuple(_attempt(run, trial, several=len(runs) > 1) for run, trial in pairs),
                sum(run.directory.record.attempts for run in runs),
            )
        )
    return found


def _attempt(run: ReportedRun, trial: TrialRecord, *, several: bool) -> Attempt:
    label = f"#{trial.attempt} of {run.id}" if several else f"#{trial.attempt}"
    return Attempt(state_of(trial), run.trial_path(*trial.key), label, trial.score)


def _all(source: Source) -> Mapping[str, Any]:
    return {
        "boards": [
            {"board": board, "tasks": [_summary(board, task) for task in board.table.tasks]} for board in source.boards
        ]
    }


def _summary(board: Board, task: str) -> dict[str, Any]:
    entrants = tried(board, task)
    return {"id": task, "path": board.task_path(task), "tried": entrants, **_about(entrants)}


def _about(entrants: Sequence[Tried]) -> dict[str, Any]:
    """What the records say of the task."""
    trial = next((trial for entrant in entrants for trial in entrant.trials), None)
    return {
        "difficulty": trial.difficulty if trial else "",
        "technologies": trial.technologies if trial else (),
        "responsibilities": trial.responsibilities if trial else (),
    }


def _one(source: Source, board: Board, task: str) -> Mapping[str, Any]:
    entrants = tried(board, task)
    checks = {check.id: check for entrant in entrants for trial in entrant.trials for check in trial.checks}
    return {
        "board": board,
        "task": task,
        "tried": entrants,
        **_about(entrants),
        "axis": SHARES,
        "marks": [Mark(f"#{one.number} {one.model}", one.score, detail=one.detail) for one in entrants],
        "checks": [(check, [one.passed(check.id) for one in entrants]) for check in checks.values()],
        "elsewhere": [other for other in source.boards if other is not board and task in other.table.tasks],
    }
