"""What is measured of trials, by name: the score, resolved, each dimension, each clause."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from results.records import CheckRecord, TrialRecord
from results.statistics import Scores


@dataclass(frozen=True)
class Measures:
    """Scores by task of everything that a trial is measured by. Of a clause: 1 if the trial obeyed it, or 0."""

    score: Scores
    resolved: Scores
    dimensions: Mapping[str, Scores] = field(default_factory=dict)
    clauses: Mapping[str, Scores] = field(default_factory=dict)


def measure(trials: Iterable[TrialRecord], planted: Measures | None = None) -> Measures:
    """The graded trials' values; invalid trials are left out.

    With ``planted`` (of all runs that are compared) an invalid trial counts as zero in everything that its task
    is measured by there.
    """
    score: dict[str, list[float]] = defaultdict(list)
    resolved: dict[str, list[float]] = defaultdict(list)
    dimensions: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    clauses: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for trial in trials:
        if trial.status == "graded" and trial.score is not None:
            score[trial.task].append(trial.score)
            resolved[trial.task].append(float(bool(trial.resolved)))
            for name, value in trial.dimensions.items():
                dimensions[name][trial.task].append(value)
            for name, value in _clauses(trial).items():
                clauses[name][trial.task].append(value)
        elif planted:
            score[trial.task].append(0.0)
            resolved[trial.task].append(0.0)
            for measured, known in ((dimensions, planted.dimensions), (clauses, planted.clauses)):
                for name, scores in known.items():
                    if scores.get(trial.task):
                        measured[name][trial.task].append(0.0)
    return Measures(score, resolved, _sorted(dimensions), _sorted(clauses))


def _sorted(measured: Mapping[str, Scores]) -> dict[str, Scores]:
    return {name: measured[name] for name in sorted(measured)}


def _clauses(trial: TrialRecord) -> dict[str, float]:
    return {clause: float(all(check.passed for check in checks)) for clause, checks in checks_of_clauses(trial).items()}


def checks_of_clauses(trial: TrialRecord) -> dict[str, list[CheckRecord]]:
    """Of each clause the checks that name it and count. A trial obeys a clause if all of these passed."""
    found: dict[str, list[CheckRecord]] = defaultdict(list)
    for check in trial.checks:
        for clause in check.clauses if check.weight else ():
            found[clause].append(check)
    return found
