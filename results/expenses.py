"""What two runs took: cost, working time, tokens, turns; how the candidate's compare with the baseline's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from results.records import TrialRecord
from results.sign_flip import SEED

RESAMPLES = 2000


@dataclass(frozen=True)
class Expense:
    """The mean of a trial, tasks counting once each, and the ratio with its interval; unknown is ``None``."""

    name: str
    baseline: float | None
    candidate: float | None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None


def _cost(trial: TrialRecord) -> float | None:
    return None if trial.cost is None else float(trial.cost)


MEASURED: dict[str, Callable[[TrialRecord], float | None]] = {
    "cost": _cost,
    "working seconds": lambda trial: trial.times.agent,
    "output tokens": lambda trial: float(trial.usage.output),
    "turns": lambda trial: float(trial.turns),
}


def expenses(baseline: Sequence[TrialRecord], candidate: Sequence[TrialRecord], alpha: float) -> tuple[Expense, ...]:
    """Of the tasks that both runs have trials of, the invalid ones too: they were paid for."""
    tasks = sorted({trial.task for trial in baseline} & {trial.task for trial in candidate})
    return tuple(
        _expense(name, _by_task(baseline, tasks, value), _by_task(candidate, tasks, value), alpha)
        for name, value in MEASURED.items()
    )


def _by_task(
    trials: Sequence[TrialRecord], tasks: Sequence[str], value: Callable[[TrialRecord], float | None]
) -> list[float] | None:
    """The mean of each task; one unknown value makes all unknown, for no sum may look smaller than it was."""
    found: dict[str, list[float]] = {task: [] for task in tasks}
    for trial in trials:
        if trial.task in found:
            measured = value(trial)
            if measured is None:
                return None
            found[trial.task].append(measured)
    return [fmean(values) for values in found.values()]


def _expense(name: str, baseline: list[float] | None, candidate: list[float] | None, alpha: float) -> Expense:
    before = fmean(baseline) if baseline else None
    after = fmean(candidate) if candidate else None
    if not baseline or not candidate or not before or after is None:
        return Expense(name, before, after)
    if len(baseline) < 2:
        return Expense(name, before, after, after / before)
    old, new = np.array(baseline), np.array(candidate)
    drawn = np.random.default_rng(SEED).integers(0, len(old), size=(RESAMPLES, len(old)))
    totals = old[drawn].sum(axis=1)
    ratios = new[drawn].sum(axis=1)[totals > 0] / totals[totals > 0]
    low, high = np.quantile(ratios, [alpha, 1 - alpha])
    return Expense(name, before, after, after / before, float(low), float(high))
