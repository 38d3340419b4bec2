"""How sure a result is: intervals whose unit is the task, since the attempts at one task resemble each other.

``Scores`` is a list of values by task, one an attempt; a task without a value is left out of everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb, fsum, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

Scores = Mapping[str, Sequence[float]]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value with the interval that holds the true one at the asked confidence.

    The interval is ``None`` where nothing can be said: fewer than two tasks.
    """

    value: float
    standard_error: float | None
    low: float | None
    high: float | None
    tasks: int


def mean(scores: Scores, confidence: float = 0.95) -> Estimate | None:
    """The mean of scores between 0 and 1, with its task-clustered standard error and Student-t interval.

    Miller, *Adding Error Bars to Evals*, arXiv 2411.00640, with tasks as clusters::

        SE² = 1/n² · Σ_c Σ_i Σ_j (s_ic − s̄)(s_jc − s̄)  =  1/n² · Σ_c (Σ_i (s_ic − s̄))²

    times C/(C − 1), which removes the bias of few clusters (at one attempt a task it gives the usual s²/C);
    the interval has C − 1 degrees of freedom. If all tasks scored the same, t would claim certainty; then the
    interval is Wilson's over the tasks: at a given mean, nothing between 0 and 1 varies more than a coin.

    ``None`` if there is no score at all.
    """
    return mean_of_sums(*_counted(scores), confidence)


def mean_of_sums(counts: FloatArray, sums: FloatArray, confidence: float = 0.95) -> Estimate | None:
    """``mean`` from each task's number of scores and their sum, which is all it depends on."""
    counts, sums = counts[counts > 0], sums[counts > 0]
    n, count = float(counts.sum()), len(counts)
    if count == 0:
        return None
    value = float(sums.sum()) / n
    if count < 2:
        return Estimate(value, None, None, None, count)
    error = sqrt(float(((sums - counts * value) ** 2).sum()) * count / (count - 1)) / n
    if error < 1e-12:
        low, high = wilson(value * count, count, confidence)
    else:
        reach = float(stdtrit(count - 1, (1 + confidence) / 2)) * error
        low, high = max(value - reach, 0.0), min(value + reach, 1.0)
    return Estimate(value, error, low, high, count)


def wilson(successes: float, trials: float, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of a rate from independent trials (Wilson 1927): honest near 0 and 1, where ± is not."""
    z = float(ndtri((1 + confidence) / 2))
    rate, spread = successes / trials, z * z / trials
    centre = (rate + spread / 2) / (1 + spread)
    reach = z / (1 + spread) * sqrt(rate * (1 - rate) / trials + spread / (4 * trials))
    return max(centre - reach, 0.0), min(centre + reach, 1.0)


def rate(outcomes: Scores, confidence: float = 0.95) -> Estimate | None:
    """The rate of outcomes that are 0 or 1, with Wilson's interval over as many trials as they are worth.

    Attempts at one task are not independent: the trials count as ``p(1 − p)/SE²`` (Kish's effective sample
    size, with the clustered standard error), at least the number of tasks and at most that of attempts. If
    all outcomes are the same, nothing shows that attempts differ, and only the tasks count.
    """
    return rate_of_sums(*_counted(outcomes), confidence)


def rate_of_sums(counts: FloatArray, sums: FloatArray, confidence: float = 0.95) -> Estimate | None:
    """``rate`` from each task's number of outcomes and how many of them are 1."""
    estimate = mean_of_sums(counts, sums, confidence)
    if estimate is None or estimate.standard_error is None:
        return estimate
    attempts = float(counts.sum())
    worth = float(estimate.tasks)
    if estimate.standard_error >= 1e-12:
        effective = estimate.value * (1 - estimate.value) / estimate.standard_error**2
        worth = min(max(effective, worth), attempts)
    low, high = wilson(estimate.value * worth, worth, confidence)
    return Estimate(estimate.value, estimate.standard_error, low, high, estimate.tasks)


def _counted(scores: Scores) -> tuple[FloatArray, FloatArray]:
    values = [one for one in scores.values() if one]
    return np.array([len(one) for one in values], dtype=float), np.array([fsum(one) for one in values])


@dataclass(frozen=True)
class Coverage:
    """How much of what was planned a result rests on."""

    planned: int
    graded: int
    invalid: int

    @property
    def fraction(self) -> float:
        return self.graded / self.planned if self.planned else 0.0

    @property
    def missing(self) -> int:
        """Not finished: neither graded nor invalid."""
        return self.planned - self.graded - self.invalid


def invalid_as_zero(scores: Scores, invalid: Mapping[str, int]) -> dict[str, list[float]]:
    """The scores with a zero for every invalid trial of a task, where ``scores`` alone leaves them out."""
    tasks = [*scores, *(task for task in invalid if task not in scores)]
    return {task: [*scores.get(task, ()), *[0.0] * invalid.get(task, 0)] for task in tasks}


def pass_at_k(attempts: int, resolved: int, k: int) -> float:
    """The chance that at least one of k attempts resolves: ``1 − C(n−c, k)/C(n, k)``, unbiased.

    Chen et al., *Evaluating Large Language Models Trained on Code*, arXiv 2107.03374.
    """
    _check_counts(attempts, resolved, k)
    return 1 - comb(attempts - resolved, k) / comb(attempts, k)


def pass_hat_k(attempts: int, resolved: int, k: int) -> float:
    """The chance that all of k attempts resolve (pass^k): ``C(c, k)/C(n, k)``, unbiased.

    Yao et al., *τ-bench*, arXiv 2406.12045.
    """
    _check_counts(attempts, resolved, k)
    return comb(resolved, k) / comb(attempts, k)


def _check_counts(attempts: int, resolved: int, k: int) -> None:
    if not (0 <= resolved <= attempts and 1 <= k <= attempts):
        raise ValueError(f"no estimate from {resolved} of {attempts} attempts at k = {k}")
