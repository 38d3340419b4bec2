"""What a comparison can detect before it is paid for: power, minimum detectable effect, attempts and tasks needed.

A difference of two means over the same n tasks, with a and b attempts each, varies by

    SE² = (σ_e² + σ_a²/a + σ_b²/b) / n

where σ_a² and σ_b² are the variances of attempts at one task in the two runs, and σ_e² that of the effect between
tasks. How much the tasks themselves differ doesn't matter: each is compared with itself. More attempts reduce only
the second part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from math import sqrt
from statistics import fmean, variance

import numpy as np
from scipy.optimize import brentq
from scipy.special import nctdtr, stdtrit

from results.paired import ALPHA
from results.sign_flip import SEED, least_p
from results.statistics import Scores

POWER = 0.8
MOST_ATTEMPTS = 1000
MOST_TASKS = 100_000
# An edit that costs 0.05 on average doesn't cost 0.05 everywhere: it varies over the tasks by half of that.
SPREAD = 0.5

SIMULATED_TASKS = 8  # up to so many, power is found by simulation
_SIMULATIONS = 4000
_STEPS = np.linspace(0.0, 10.0, 41)  # effects, in standard errors


@dataclass(frozen=True)
class Noise:
    """How much attempts at one task vary, and how that changes when a candidate is worse.

    ``within``: the variance σ² of attempts at one task. ``failing``: the share of attempts that lost any score; what
    they lost in the mean follows from ``mean``. ``source``: where the numbers are from.
    """

    mean: float
    within: float
    failing: float
    source: str

    @classmethod
    def of_pilot(cls, scores: Scores) -> Noise:
        """Estimated from a run: the variances within tasks, pooled; with one attempt a task, the one of all scores.

        The latter is too large, never too small: it holds the tasks' differences as well.

        Raises:
            ValueError: fewer than two scores.
        """
        every = [score for values in scores.values() for score in values]
        if len(every) < 2:
            raise ValueError("a pilot needs at least two scores")
        repeated = [values for values in scores.values() if len(values) > 1]
        if repeated:
            freedom = sum(len(values) - 1 for values in repeated)
            within = sum(variance(values) * (len(values) - 1) for values in repeated) / freedom
            source = f"the pilot's {sum(map(len, repeated))} attempts at {len(repeated)} tasks"
        else:
            within = variance(every)
            source = "the pilot's scores; with one attempt a task, the most it can be"
        return cls(fmean(every), within, fmean(score < 1 for score in every), source)

    @classmethod
    def assumed(cls, mean: float) -> Noise:
        """All or nothing with this chance: no score between 0 and 1 with this mean varies more."""
        source = f"assumed: attempts that are all or nothing, at a mean of {mean:g}"
        return cls(mean, mean * (1 - mean), 1 - mean, source)

    def variance(self, loss: float = 0.0) -> float:
        """The variance of attempts at one task, in a run whose mean is less by ``loss``.

        A worse candidate fails more often; attempts that fail at a rate q vary by q·(1 − q), so beside a good
        baseline it is the noisier one. Beyond a half it is left at its most. If nothing failed, the pilot doesn't
        show what a failure costs, and it may be all.
        """
        if self.failing <= 0:
            failing = min(loss, 0.5)
            return failing * (1 - failing)
        if self.failing >= 0.5 or loss <= 0:
            return self.within
        a_failure_costs = (1 - self.mean) / self.failing
        failing = min(self.failing + loss / a_failure_costs, 0.5)
        return self.within * failing * (1 - failing) / (self.failing * (1 - self.failing))


@dataclass(frozen=True)
class Design:
    """A comparison as it is planned. ``spread``: the effect's standard deviation over tasks, in effects."""

    tasks: int
    attempts: int
    noise: Noise
    baseline_attempts: int | None = None
    alpha: float = ALPHA
    spread: float = SPREAD

    def standard_error(self, effect: float) -> float:
        before = self.noise.variance() / (self.baseline_attempts or self.attempts)
        after = self.noise.variance(effect) / self.attempts
        return sqrt(((self.spread * effect) ** 2 + before + after) / self.tasks)

    def power(self, effect: float) -> float:
        """The chance that a true loss of ``effect`` is called one, by a one-sided test of level α.

        For a ``coarse`` design it is up to a tenth too large.
        """
        return chance_to_find(effect, self.standard_error(effect), self.tasks, self.alpha)

    @property
    def coarse(self) -> bool:
        """Whether many tasks will show the very same result in both runs, and normal differences are far from true."""
        return self.tasks < 12 or self.attempts < 2


def chance_to_find(effect: float, error: float, tasks: int, alpha: float = ALPHA) -> float:
    """The chance that the sign-flip test finds a loss of ``effect`` in differences with this standard error.

    With few tasks the test is coarse, and its power is simulated with normal differences. With more it has the
    power of the t-test, by the non-central t distribution (Cohen 1988, ch. 2). 0 if even a loss on every task is
    no evidence at α.
    """
    if tasks < 2 or least_p(tasks) > alpha:
        return 0.0
    if error < 1e-12:
        return 1.0 if effect > 0 else 0.0
    if tasks <= SIMULATED_TASKS:
        return float(np.interp(effect / error, _STEPS, _simulated(tasks, alpha)))
    critical = float(stdtrit(tasks - 1, 1 - alpha))
    chance = 1 - float(nctdtr(tasks - 1, effect / error, critical))
    # Far out the non-central t can't be computed any more: there nothing stays undetected.
    return chance if np.isfinite(chance) else 1.0


@lru_cache(maxsize=64)
def _simulated(tasks: int, alpha: float) -> tuple[float, ...]:
    """The sign-flip test's power at each of ``_STEPS``; never falling."""
    drawn = np.random.default_rng(SEED).standard_normal((tasks, _SIMULATIONS))
    signs = np.array(list(product((1.0, -1.0), repeat=tasks)))  # the first flips nothing: what is observed
    sums, flipped = signs @ drawn, signs.sum(axis=1)[:, None]
    found = []
    for step in _STEPS:
        shifted = sums - flipped * step / sqrt(tasks)
        as_extreme = np.count_nonzero(shifted <= shifted[0] + 1e-12, axis=0)
        found.append(float(np.mean(as_extreme / len(signs) <= alpha)))
    return tuple(np.maximum.accumulate(found).tolist())


def detectable_loss(error: float, tasks: int, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """The smallest true loss that a comparison with this standard error finds; ``None`` if not even one of 1."""
    return _smallest(lambda effect: chance_to_find(effect, error, tasks, alpha), power, 1.0)


def minimum_detectable_effect(design: Design, power: float = POWER) -> float | None:
    """The smallest true loss that is found with this power; ``None`` if not even the loss of everything is.

    Bloom, *Minimum Detectable Effects*, 1995 (*Evaluation Review* 19), with the power of the test that is used.
    """
    return _smallest(design.power, power, design.noise.mean)


def attempts_needed(design: Design, effect: float, power: float = POWER) -> int | None:
    """The fewest attempts a task (of the new runs) that find ``effect``; ``None`` if they can't be enough."""
    return _fewest(lambda n: replace(design, attempts=n).power(effect) >= power, MOST_ATTEMPTS)


def tasks_needed(design: Design, effect: float, power: float = POWER) -> int | None:
    """The fewest tasks that find ``effect`` at the design's attempts; ``None`` if they are beyond counting."""
    return _fewest(lambda n: replace(design, tasks=n).power(effect) >= power, MOST_TASKS)


def _smallest(power_of: Callable[[float], float], power: float, most: float) -> float | None:
    if most <= 1e-9 or power_of(most) < power:
        return None
    if power_of(1e-9) >= power:
        return 0.0
    return float(brentq(lambda effect: power_of(effect) - power, 1e-9, most, xtol=1e-6))


def _fewest(enough: Callable[[int], bool], most: int) -> int | None:
    """The smallest number for which a condition that stays true holds, by bisection."""
    if not enough(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
