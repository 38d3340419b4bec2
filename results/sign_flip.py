"""Tests for paired differences that assume nothing about their distribution: sign-flip, and McNemar for outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

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
    return PValues(
        worse=float(binomtest(newly_failing, turned, alternative="greater").pvalue),
        better=float(binomtest(newly_passing, turned, alternative="greater").pvalue),
        either=float(binomtest(newly_failing, turned).pvalue),
    )
