"""Questions asked of a run in a test: is its score, a dimension or a clause no worse than the baseline's?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from results.comparison import MARGIN, RESOLVED, SCORE, Comparison, FailOn, Row, compare, fails
from results.comparison_rendering import cells_of, headline
from results.errors import RunDirectoryError
from results.measures import Measures, measure
from results.records import TrialRecord
from results.run_directory import RunDirectory
from results.statistics import Coverage, Estimate, Scores, mean, rate


@dataclass(frozen=True)
class Judgement:
    """The answer to a question; true or false, and in words what it rests on."""

    holds: bool
    text: str

    def __bool__(self) -> bool:
        return self.holds

    def __repr__(self) -> str:
        return f"<{self.text}>"


@dataclass(frozen=True)
class Measured:
    """The score, resolved, a dimension or a clause of one run. ``is_rate``: of outcomes that are 0 or 1."""

    result: Result
    name: str
    scores: Scores
    is_rate: bool = False

    @property
    def estimate(self) -> Estimate:
        """The mean with its interval at 95 %, tasks as the unit."""
        found = rate(self.scores) if self.is_rate else mean(self.scores)
        assert found is not None, f"nothing was measured for {self.name}"
        return found

    @property
    def value(self) -> float:
        return self.estimate.value

    def not_worse_than(self, baseline: Result, margin: float = MARGIN, fail_on: FailOn = "regression") -> Judgement:
        """Whether the gate passes in this: no regression is shown against the baseline.

        The verdict is the one of ``bench compare``, adjusted for all the questions it asks; so asserting several
        dimensions makes no more false alarms than one. ``fail_on="underpowered"`` also fails if a loss of the margin
        can't be ruled out.

        Raises:
            NotComparable: the baseline asked or graded something else.
            RunDirectoryError: it has no grade for this, or ``margin`` or ``fail_on`` can't be.
        """
        comparison = self.result.compared(baseline, margin)
        try:
            row = comparison.row(self.name)
        except KeyError:
            raise RunDirectoryError(f"{baseline.directory.path} has no grade for {self.name!r}") from None
        return Judgement(not fails(row.verdict, fail_on), _told(row, comparison))

    def at_least(self, threshold: float) -> Judgement:
        """Whether the mean is at least this; says nothing of chance, so leave it room."""
        found = self.estimate
        interval = "" if found.low is None else f" ({found.low:.3f} to {found.high:.3f})"
        return Judgement(found.value >= threshold, f"{self.name} {found.value:.3f}{interval}, asked {threshold:g}")


@dataclass(frozen=True)
class Result:
    """A finished run."""

    directory: RunDirectory

    @cached_property
    def trials(self) -> list[TrialRecord]:
        return self.directory.records()

    @cached_property
    def _measures(self) -> Measures:
        return measure(self.trials)

    @property
    def coverage(self) -> Coverage:
        graded = sum(trial.status == "graded" for trial in self.trials)
        return Coverage(len(self.directory.record.planned_trials), graded, len(self.trials) - graded)

    @property
    def score(self) -> Measured:
        return Measured(self, SCORE, self._measures.score)

    @property
    def resolved(self) -> Measured:
        return Measured(self, RESOLVED, self._measures.resolved, is_rate=True)

    def dimension(self, name: str) -> Measured:
        """
        Raises:
            RunDirectoryError: no trial has a grade in it; the ones there are, are named.
        """
        return self._named(name, self._measures.dimensions, "dimension")

    def clause(self, name: str) -> Measured:
        """How often a clause of the persona was obeyed, by the id that checks name; errors as ``dimension``."""
        return self._named(name, self._measures.clauses, "clause")

    def _named(self, name: str, measured: Mapping[str, Scores], kind: str) -> Measured:
        if name not in measured:
            raise RunDirectoryError(f"no {kind} {name!r} was graded", f"graded: {', '.join(measured) or 'none'}")
        return Measured(self, name, measured[name], is_rate=kind == "clause")

    def not_worse_than(self, baseline: Result, margin: float = MARGIN, fail_on: FailOn = "regression") -> Judgement:
        """The gate in all: the score, resolved and every dimension, as ``bench compare`` decides."""
        comparison = self.compared(baseline, margin)
        rows = [row for row in comparison.gate if row.verdict == "regressed"]
        told = "; ".join([headline(comparison), *(_told(row, comparison) for row in rows)])
        return Judgement(not comparison.fails(fail_on), told)

    def compared(self, baseline: Result, margin: float = MARGIN) -> Comparison:
        """All that ``bench compare`` knows; computed once for each baseline and margin."""
        key = (baseline.directory.path, margin)
        if key not in self._comparisons:
            self._comparisons[key] = compare(baseline.directory, self.directory, margin)
        return self._comparisons[key]

    @cached_property
    def _comparisons(self) -> dict[tuple[Path, float], Comparison]:
        return {}


def _told(row: Row, comparison: Comparison) -> str:
    name, before, after, difference, p, verdict = cells_of(row)
    return f"{verdict}: {name} {before} → {after}, {difference}, p {p}, margin {comparison.margin:g}"
