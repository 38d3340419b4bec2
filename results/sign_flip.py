"""Tests for paired differences that assume nothing about their distribution: sign-flip, and McNemar for outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

SEED = 20241100
ENUMERATED = 16  # up to so many differences all 2^n flips are tried; beyond, DRAWS random ones
DRAWS = 20_000
KEPT = 500  # signs for so many differences are kept from one test to the next: a comparison asks a dozen
_TIE = 1e-9


@dataclass(frozen=True)
class PValues:
    """``worse`` and ``better``: one-sided, small if the differences lie below or above 0. ``either``: two-sided."""

    worse: float
    better: float
    either: float


def sign_flip(differences: Sequence[float]) -> PValues:
    """How often chance alone would give a sum as extreme as this one: if nothing changed, each sign is a coin.

    Fisher's randomization test (*The Design of Experiments*, 1935, §21): exact over all 2^n sign flips, or over
    random ones, where the observed one counts as drawn too, so that p is never 0 (Phipson and Smyth 2010,
    arXiv 1603.05766). Scores are coarse (attempts resolve or don't), so other flips often give the very same
    sum; these ties count half (Lancaster's mid-p, 1961): counted whole, far fewer than α of the tests would
    alarm, and effects would be missed. Without ties the test is exact.
    """
    moved = np.array([value for value in differences if abs(value) > _TIE])
    if not len(moved):
        return PValues(1.0, 1.0, 1.0)
    observed = float(moved.sum())
    sums = _all_sums(moved) if len(moved) <= ENUMERATED else _drawn_sums(moved, observed)
    worse, better = _tail(-sums, -observed), _tail(sums, observed)
    return PValues(worse, better, min(1.0, 2 * min(worse, better)))


def least_p(tasks: int) -> float:
    """The smallest one-sided p that so many tasks can show: all of them worse, which chance does once in 2^n."""
    return 2.0 ** -min(tasks, 1000)


def exact_sign_flip(differences: Sequence[float]) -> PValues:
    """The same test without drawing: p may be as small as 2^-n, which many comparisons at once need.

    Beyond ``ENUMERATED`` differences their sums are counted on a grid: the differences are rounded to steps of 1/500
    (wider for more than 200 of them), and of the rounded ones the distribution over all 2^n flips is exact, by adding
    one difference after the other (the shift algorithm of Streitberg and Röhmel 1986, *Statistical Software
    Newsletter* 12).
    """
    if sum(abs(value) > _TIE for value in differences) <= ENUMERATED:
        return sign_flip(differences)
    steps = min(500, max(100_000 // len(differences), 10))
    rounded = np.rint(np.asarray(differences, dtype=float) * steps).astype(int)
    moved = rounded[rounded != 0]
    if not len(moved):
        return PValues(1.0, 1.0, 1.0)
    moved //= np.gcd.reduce(moved)
    reach, observed = int(np.abs(moved).sum()), int(moved.sum())
    chances, so_far = np.zeros(2 * reach + 1), 0
    chances[reach] = 1.0
    for step in np.abs(moved):
        inside = chances[reach - so_far : reach + so_far + 1] / 2
        so_far += int(step)
        chances[reach - so_far : reach + so_far + 1] = 0.0
        chances[reach - so_far : reach - so_far + len(inside)] += inside
        chances[reach + so_far + 1 - len(inside) : reach + so_far + 1] += inside
    tied = chances[reach + observed] / 2 + 2.0 ** -(min(len(moved), 1000) + 1)
    worse = float(chances[: reach + observed].sum() + tied)
    better = float(chances[reach + observed + 1 :].sum() + tied)
    return PValues(min(worse, 1.0), min(better, 1.0), min(1.0, 2 * min(worse, better)))


def _tail(sums: NDArray[np.float64], observed: float) -> float:
    beyond = np.count_nonzero(sums > observed + _TIE)
    ties = np.count_nonzero(np.abs(sums - observed) <= _TIE)
    return float((beyond + 1 + (ties - 1) / 2) / len(sums))


def _all_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _drawn_sums(values: NDArray[np.float64], observed: float) -> NDArray[np.float64]:
    return np.append(np.concatenate([signs @ values for signs in _drawn_signs(len(values))]), observed)


def _drawn_signs(count: int) -> Iterable[NDArray[np.int8]]:
    """The same random signs at every call, in parts: thousands of tasks would fill the memory."""
    return _kept_signs(count) if count <= KEPT else _new_signs(count)


@lru_cache(maxsize=2)
def _kept_signs(count: int) -> tuple[NDArray[np.int8], ...]:
    return tuple(_new_signs(count))


def _new_signs(count: int) -> Iterator[NDArray[np.int8]]:
    random = np.random.default_rng(SEED)
    for _ in range(0, DRAWS, 1000):
        yield random.integers(0, 2, size=(1000, count), dtype=np.int8) * 2 - 1


def mcnemar(newly_failing: int, newly_passing: int) -> PValues:
    """Whether outcomes turned more often one way than the other; those that didn't turn say nothing.

    The exact test of McNemar (1947, *Psychometrika* 12): if nothing changed, the turned ones are fair coins.
    """
    turned = newly_failing + newly_passing
    if not turned:
        return PValues(1.0, 1.0, 1.0)
    # Of n fair coins k or more fall one way; scipy.stats says the same, but takes a second to import.
    worse, better = (float(bdtrc(count - 1, turned, 0.5)) for count in (newly_failing, newly_passing))
    return PValues(worse, better, min(1.0, 2 * min(worse, better)))
