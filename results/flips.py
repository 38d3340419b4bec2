"""Which tasks turned: resolved before and failing now, or the other way round, with the evidence of both sides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from results.records import TrialRecord
from results.run_directory import RunDirectory, TrialFolder


@dataclass(frozen=True)
class Side:
    """Of one run: how many of a task's graded attempts were resolved, and the attempt to look at."""

    resolved: int
    graded: int
    attempt: int
    folder: TrialFolder
    submission: str | None

    @property
    def rate(self) -> float:
        return self.resolved / self.graded


@dataclass(frozen=True)
class Flip:
    """A task that is resolved in a smaller (larger) share of its attempts than in the baseline.

    ``checks``: id and evidence of what fails on the failing side's attempt and passed on the other's.
    """

    task: str
    kind: Literal["newly failing", "newly passing"]
    baseline: Side
    candidate: Side
    checks: tuple[tuple[str, str], ...]

    @property
    def same_submission(self) -> bool:
        return self.baseline.submission is not None and self.baseline.submission == self.candidate.submission


def flips(
    baseline: tuple[RunDirectory, Iterable[TrialRecord]], candidate: tuple[RunDirectory, Iterable[TrialRecord]]
) -> list[Flip]:
    """The tasks that turned, newly failing first, the widest turn first."""
    before, after = _graded(baseline[1]), _graded(candidate[1])
    found = []
    for task in sorted(set(before) & set(after)):
        gap = _rate(after[task]) - _rate(before[task])
        if abs(gap) < 1e-9:
            continue
        old, new = _to_look_at(before[task], after[task]) if gap < 0 else _to_look_at(after[task], before[task])[::-1]
        failing, passing = (new, old) if gap < 0 else (old, new)
        found.append(
            Flip(
                task,
                "newly failing" if gap < 0 else "newly passing",
                _side(baseline[0], before[task], old),
                _side(candidate[0], after[task], new),
                _broken(failing, passing),
            )
        )
    return sorted(found, key=lambda flip: (flip.kind, -abs(flip.candidate.rate - flip.baseline.rate), flip.task))


def _graded(trials: Iterable[TrialRecord]) -> dict[str, list[TrialRecord]]:
    found: dict[str, list[TrialRecord]] = {}
    for trial in sorted(trials, key=lambda trial: trial.key):
        if trial.status == "graded":
            found.setdefault(trial.task, []).append(trial)
    return found


def _rate(trials: list[TrialRecord]) -> float:
    return sum(bool(trial.resolved) for trial in trials) / len(trials)


def _to_look_at(better: list[TrialRecord], worse: list[TrialRecord]) -> tuple[TrialRecord, TrialRecord]:
    """A resolved and a failing attempt, of the same number if possible: equal numbers were graded in one world."""
    resolved = {trial.attempt: trial for trial in better if trial.resolved}
    failing = {trial.attempt: trial for trial in worse if not trial.resolved}
    number = next((attempt for attempt in resolved if attempt in failing), None)
    if number is not None:
        return resolved[number], failing[number]
    return next(iter(resolved.values())), next(iter(failing.values()))


def _side(directory: RunDirectory, trials: list[TrialRecord], shown: TrialRecord) -> Side:
    return Side(
        sum(bool(trial.resolved) for trial in trials),
        len(trials),
        shown.attempt,
        directory.trial(shown.task, shown.attempt),
        shown.submission,
    )


def _broken(failing: TrialRecord, passing: TrialRecord) -> tuple[tuple[str, str], ...]:
    passed = {check.id for check in passing.checks if check.passed}
    return tuple((check.id, check.evidence) for check in failing.checks if not check.passed and check.id in passed)
