"""Two sets of scores of the same tasks: how much the second differs from the first, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from results.sign_flip import SEED, PValues, sign_flip
from results.statistics import Scores

ALPHA = 0.05
RESAMPLES = 10_000

Verdict = Literal["regressed", "not regressed", "underpowered"]


@dataclass(frozen=True)
class Difference:
    """Candidate minus baseline. The bounds are one-sided at α each: together an interval at 1 − 2α.

    ``None`` where nothing can be said: fewer than two tasks.
    """

    value: float
    standard_error: float | None
    low: float | None
    high: float | None
    tasks: int
    p: PValues

    def not_inferior(self, margin: float) -> bool:
        """Whether a loss of ``margin`` or more is ruled out (at α).

        Non-inferiority by the confidence bound: the lower one lies above −margin (CONSORT extension, Piaggio et
        al. 2012, *JAMA* 308).
        """
        return self.low is not None and self.low > -margin

    def equivalent(self, margin: float) -> bool:
        """Whether a change of ``margin`` or more, either way, is ruled out: two one-sided tests (Schuirmann 1987)."""
        return self.not_inferior(margin) and self.high is not None and self.high < margin

    def verdict(self, margin: float, p_worse: float | None = None, alpha: float = ALPHA) -> Verdict:
        """``p_worse``: the adjusted one-sided p, if this is one of several questions.

        A loss that is real but certainly smaller than the margin is no regression: that is what a margin is for.
        """
        if self.not_inferior(margin):
            return "not regressed"
        return "regressed" if (self.p.worse if p_worse is None else p_worse) <= alpha else "underpowered"


def differences(baseline: Scores, candidate: Scores) -> dict[str, float]:
    """The mean of a task's attempts, candidate minus baseline, for the tasks that have a score in both."""
    return {
        task: fmean(candidate[task]) - fmean(baseline[task])
        for task in sorted(baseline)
        if baseline[task] and candidate.get(task)
    }


def compare_scores(baseline: Scores, candidate: Scores, alpha: float = ALPHA) -> Difference | None:
    """The mean of the tasks' differences, each task counting once; ``None`` without a task in common.

    Pairing by task takes the tasks' difficulty out of the error (Miller, arXiv 2411.00640, §4)::

        d_t = mean of the candidate's attempts − mean of the baseline's;   SE² = s²(d) / n,   t with n − 1 df

    If all tasks differ by the same, t would claim certainty. But a task of another kind may have gone unseen:
    with n tasks alike, at most q = 1 − α^(1/n) of all are of another kind (the "rule of three", Hanley and
    Lippman-Hand 1983), and these differ by at most 1: the bounds are d̄·(1 − q) ± q.
    """
    by_task = list(differences(baseline, candidate).values())
    return compare_differences(by_task, alpha) if by_task else None


def compare_differences(by_task: Sequence[float], alpha: float = ALPHA) -> Difference:
    """The same from the tasks' differences."""
    value, count, p = fmean(by_task), len(by_task), sign_flip(by_task)
    if count < 2:
        return Difference(value, None, None, None, count, p)
    error, low, high = bounds(by_task, alpha)
    return Difference(value, error, low, high, count, p)


def bounds(differences: Sequence[float], alpha: float = ALPHA) -> tuple[float, float, float]:
    """Standard error and bounds of the mean of two differences or more, see ``compare_scores``."""
    value, count = fmean(differences), len(differences)
    error = stdev(differences) / sqrt(count)
    if error < 1e-12:
        return error, *unseen(value, count, alpha)
    reach = float(stdtrit(count - 1, 1 - alpha)) * error
    return error, max(value - reach, -1.0), min(value + reach, 1.0)


def unseen(value: float, count: int, alpha: float) -> tuple[float, float]:
    """Bounds of a mean that is ``value`` in ``count`` differences, if there are others of which none was seen."""
    others = 1 - alpha ** (1 / count)
    return value * (1 - others) - others, value * (1 - others) + others


def bootstrap(by_task: Sequence[float], alpha: float = ALPHA, resamples: int = RESAMPLES) -> tuple[float, float] | None:
    """The interval at 1 − 2α that the cluster bootstrap gives: tasks are drawn again, each with all its attempts.

    Percentiles of the mean over resampled tasks (Efron and Tibshirani 1993, §13.3), the seed fixed. It is a look
    from another side, not what a verdict rests on: with few tasks it is too narrow (see docs/statistics.md).
    """
    if len(by_task) < 2:
        return None
    values, random = np.asarray(by_task, dtype=float), np.random.default_rng(SEED)
    part = max(1, 2_000_000 // len(values))
    means = [
        values[random.integers(0, len(values), size=(min(part, resamples - start), len(values)))].mean(axis=1)
        for start in range(0, resamples, part)
    ]
    low, high = np.quantile(np.concatenate(means), [alpha, 1 - alpha])
    return float(low), float(high)
