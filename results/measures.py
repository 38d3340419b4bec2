"""What is measured of trials, by name: the score, resolved, each dimension, each clause."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from results.records import TrialRecord
from results.statistics import Scores


@dataclass(frozen=True)
class Measures:
    """Scores by task of everything that a trial is measured by."""

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
    """Of each clause the share of the weight of its checks that passed."""
    weights: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for check in trial.checks:
        for clause in check.clauses:
            weights[clause].append((check.weight, check.weight * check.passed))
    return {clause: _share(pairs) for clause, pairs in weights.items() if any(weight for weight, _ in pairs)}


def _share(pairs: Sequence[tuple[float, float]]) -> float:
    return min(sum(passed for _, passed in pairs) / sum(weight for weight, _ in pairs), 1.0)
