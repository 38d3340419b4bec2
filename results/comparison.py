"""Two runs of the same tasks: did the candidate get worse? The regression gate and what it shows.

The gate asks several questions of the same trials: the score in all, resolved, and each dimension. Together they
raise a false alarm with a chance of at most α (Holm, the score with half of α and the rest with the other half,
so that many dimensions don't blind the gate to a loss in all). Clauses are many and small; they are a family of
their own, which informs and doesn't decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, get_args

from results.comparable import cautions, require_comparable, what_differs
from results.errors import RunDirectoryError
from results.expenses import Expense, expenses
from results.flips import Flip, flips
from results.measures import Measures, measure
from results.multiplicity import holm
from results.paired import ALPHA, Difference, Verdict, bootstrap, compare_differences, differences
from results.power import detectable_loss
from results.records import RunRecord, TrialRecord
from results.run_directory import RunDirectory
from results.scorecard import Scorecard, scorecard
from results.sign_flip import PValues, least_p, mcnemar
from results.statistics import Coverage, Scores

MARGIN = 0.02
SCORE, RESOLVED = "score", "resolved"
SCORES_SHARE = 0.5  # of α, the most that the score has to make do with

FailOn = Literal["regression", "underpowered"]


@dataclass(frozen=True)
class Row:
    """One thing measured in both runs. ``p``: one-sided for a loss, Holm-adjusted.

    ``share``: of α, the least that it was tested with.
    """

    name: str
    baseline: float
    candidate: float
    difference: Difference
    by_task: tuple[float, ...]
    p: float
    verdict: Verdict
    share: float

    @property
    def detectable(self) -> float | None:
        """The smallest true loss that this many tasks and attempts would have found with 80 % power, at its share.

        Differences that are all equal say nothing about how much they vary: then it is unknown.
        """
        error = self.difference.standard_error
        return None if error is None or error < 1e-12 else detectable_loss(error, self.difference.tasks, self.share)

    def bootstrap(self, alpha: float) -> tuple[float, float] | None:
        """The interval of the difference at 1 − 2α, seen another way (``results.paired.bootstrap``)."""
        return bootstrap(self.by_task, alpha)


@dataclass(frozen=True)
class Comparison:
    """``verdict``: regressed if any row of the gate is; not regressed if the score's loss is surely below the margin.

    ``verdict_as_zero``: the same if every invalid trial counted as zero in everything.
    """

    baseline: RunDirectory
    candidate: RunDirectory
    margin: float
    alpha: float
    verdict: Verdict
    verdict_as_zero: Verdict
    score: Row
    score_as_zero: Row
    resolved: Row
    dimensions: tuple[Row, ...]
    clauses: tuple[Row, ...]
    scorecards: tuple[Scorecard, Scorecard]
    turned: PValues
    flips: tuple[Flip, ...]
    expenses: tuple[Expense, ...]
    coverage: tuple[Coverage, Coverage]
    differs: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def gate(self) -> tuple[Row, ...]:
        """The rows that decide."""
        return self.score, self.resolved, *self.dimensions

    @property
    def of_personas(self) -> bool:
        """Whether it compares two personas."""
        return self.baseline.record.persona.digest != self.candidate.record.persona.digest

    @property
    def simulated(self) -> bool:
        return self.baseline.record.simulated

    def fails(self, on: FailOn) -> bool:
        return fails(self.verdict, on)

    def row(self, name: str) -> Row:
        """By ``score``, ``resolved``, a dimension's name or a clause's id.

        Raises:
            KeyError: neither run measured it in a task that both have a grade of.
        """
        return {row.name: row for row in (*self.clauses, *self.gate)}[name]


def fails(verdict: Verdict, on: FailOn) -> bool:
    """``underpowered`` fails on a regression, too.

    Raises:
        RunDirectoryError: ``on`` is neither; a slip of the pen must not weaken a gate.
    """
    if on not in (known := get_args(FailOn)):
        raise RunDirectoryError(f"fail_on={on!r} is nothing to fail on", f"write one of: {', '.join(known)}")
    return verdict == "regressed" or (on == "underpowered" and verdict == "underpowered")


def compare(
    baseline: RunDirectory, candidate: RunDirectory, margin: float = MARGIN, alpha: float = ALPHA
) -> Comparison:
    """Compare two run directories.

    Raises:
        NotComparable: they didn't ask or grade the same.
        RunDirectoryError: damaged, or no task has a grade in both; or ``margin`` is not between 0 and 1.
    """
    if not 0 <= margin <= 1:
        raise RunDirectoryError(f"margin={margin!r} is no loss of a score", "write a number from 0 to 1, such as 0.02")
    require_comparable(baseline, candidate)
    before, after = baseline.records(), candidate.records()
    measured = measure(before), measure(after)
    if not differences(measured[0].score, measured[1].score):
        raise RunDirectoryError(
            f"no task has a grade in both {baseline.path} and {candidate.path}",
            "a run under way is continued with: bench run --resume RUN",
        )
    planted = measure([*before, *after])
    gate = gate_rows(*measured, margin, alpha)
    gate_as_zero = gate_rows(measure(before, planted), measure(after, planted), margin, alpha)
    coverage = _coverage(baseline.record, before), _coverage(candidate.record, after)
    turns = differences(measured[0].resolved, measured[1].resolved).values()
    return Comparison(
        baseline,
        candidate,
        margin,
        alpha,
        verdict=overall(gate),
        verdict_as_zero=overall(gate_as_zero),
        score=gate[SCORE],
        score_as_zero=gate_as_zero[SCORE],
        resolved=gate[RESOLVED],
        dimensions=tuple(row for name, row in gate.items() if name not in {SCORE, RESOLVED}),
        clauses=tuple(_rows(measured[0].clauses, measured[1].clauses, margin, alpha).values()),
        scorecards=(scorecard(baseline, before), scorecard(candidate, after)),
        turned=mcnemar(sum(turn < -1e-9 for turn in turns), sum(turn > 1e-9 for turn in turns)),
        flips=tuple(flips((baseline, before), (candidate, after))),
        expenses=expenses(before, after, alpha),
        coverage=coverage,
        differs=tuple(what_differs(baseline.record, candidate.record)),
        notes=(*cautions(baseline.record, candidate.record), *_gaps(baseline, candidate, coverage, measured)),
    )


def gate_rows(baseline: Measures, candidate: Measures, margin: float = MARGIN, alpha: float = ALPHA) -> dict[str, Row]:
    """The rows that decide, by name; the score's is the first."""
    return _rows(
        {SCORE: baseline.score, RESOLVED: baseline.resolved, **baseline.dimensions},
        {SCORE: candidate.score, RESOLVED: candidate.resolved, **candidate.dimensions},
        margin,
        alpha,
        heavy=SCORE,
    )


def overall(gate: Mapping[str, Row]) -> Verdict:
    """The verdict in all."""
    if any(row.verdict == "regressed" for row in gate.values()):
        return "regressed"
    return gate[SCORE].verdict


def _rows(
    baseline: Mapping[str, Scores], candidate: Mapping[str, Scores], margin: float, alpha: float, heavy: str = ""
) -> dict[str, Row]:
    """A row for everything that a task of both runs has; one family of tests.

    What has so few tasks that not even a loss on all of them is evidence takes no share of α (after Tarone 1990,
    *Biometrics* 46): how many tasks there are doesn't depend on the results.
    """
    gaps = {name: differences(baseline[name], candidate[name]) for name in baseline if name in candidate}
    found = {name: compare_differences(list(gap.values()), alpha) for name, gap in gaps.items() if gap}
    asked = [name for name, difference in found.items() if least_p(difference.tasks) <= alpha]
    others = max(len(asked) - 1, 1)
    weights = {name: others * SCORES_SHARE / (1 - SCORES_SHARE) if name == heavy else 1.0 for name in asked}
    adjusted = dict.fromkeys(found, 1.0) | holm({name: found[name].p.worse for name in asked}, weights)
    rows = {}
    for name, difference in found.items():
        rows[name] = Row(
            name,
            fmean(fmean(baseline[name][task]) for task in gaps[name]),
            fmean(fmean(candidate[name][task]) for task in gaps[name]),
            difference,
            tuple(gaps[name].values()),
            adjusted[name],
            difference.verdict(margin, adjusted[name], alpha),
            alpha * weights.get(name, 0.0) / (sum(weights.values()) or 1.0),
        )
    return rows


def _coverage(record: RunRecord, trials: list[TrialRecord]) -> Coverage:
    graded = sum(trial.status == "graded" for trial in trials)
    return Coverage(len(record.planned_trials), graded, len(trials) - graded)


def _gaps(
    baseline: RunDirectory,
    candidate: RunDirectory,
    coverage: tuple[Coverage, Coverage],
    measured: tuple[Measures, Measures],
) -> list[str]:
    notes = []
    for label, run, covered in zip(("baseline", "candidate"), (baseline, candidate), coverage, strict=True):
        if covered.missing > 0:
            notes.append(
                f"the {label} is partial: {covered.missing} of {covered.planned} trials not finished; "
                f"go on with: bench run --resume {run.path}"
            )
    alone = set(measured[0].score) ^ set(measured[1].score)
    if alone:
        notes.append(f"left out, for they have a grade in one run only: {', '.join(sorted(alone))}")
    return notes
