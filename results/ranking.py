"""Many entrants over the same tasks in an order that says where there is none: ties are shown as ties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from results.multiplicity import holm
from results.paired import ALPHA, differences
from results.sign_flip import SEED, sign_flip
from results.statistics import Scores

RESAMPLES = 500
FEW = 12  # entrants, up to which each pair is tested by its own flips
CHUNK = 4096
_ITERATIONS = 10_000
_CLOSE = 1e-10


@dataclass(frozen=True)
class Ranked:
    """``rank``: one more than the number of entrants that are surely better. Equal ranks are ties.

    ``strength``: the chance to beat an average entrant on a task (Bradley–Terry), with its interval.
    """

    name: str
    rank: int
    mean: float
    strength: float
    low: float
    high: float


def ranking(entrants: Mapping[str, Scores], alpha: float = ALPHA) -> list[Ranked]:
    """Best first. Only tasks that every entrant has a score for count.

    Raises:
        ValueError: no task in common, or nobody to rank.
    """
    tasks = _common_tasks(entrants)
    names = list(entrants)
    means = np.array([[fmean(entrants[name][task]) for task in tasks] for name in names])
    places = ranks(entrants, alpha)
    strengths, low, high = _with_interval(means, alpha)
    found = [
        Ranked(
            name,
            places[name],
            float(means[number].mean()),
            float(strengths[number]),
            float(low[number]),
            float(high[number]),
        )
        for number, name in enumerate(names)
    ]
    return sorted(found, key=lambda one: (one.rank, -one.mean, one.name))


def ranks(entrants: Mapping[str, Scores], alpha: float = ALPHA) -> dict[str, int]:
    """One more than the number of entrants that are surely better.

    *Surely*: by the sign-flip test of the paired differences by task, two-sided, Holm-adjusted over all pairs. No
    rank is claimed from intervals that look at each entrant alone: these may overlap where a paired comparison
    tells two entrants apart, since tasks are hard or easy for both.

    Raises:
        ValueError: no task in common, or nobody to rank.
    """
    told_apart = _surely_better(entrants, _common_tasks(entrants), alpha)
    return {name: 1 + sum(loser == name for _, loser in told_apart) for name in entrants}


def places(means: Sequence[Sequence[float]], alpha: float = ALPHA) -> list[int]:
    """``ranks`` from each entrant's mean of every common task.

    Of more than ``FEW`` entrants there are so many pairs that random flips don't reach the p that Holm asks for; then
    the sum over all flips is taken as normal with its exact variance, Σ d² (the flips are independent), and p never
    falls below the least that so many tasks can show. Far out, where it matters, that errs to the safe side:
    Hoeffding's bound exp(−z²/2) holds for the flips as for the normal.
    """
    table = np.asarray(means, dtype=float)
    if len(table) <= FEW:
        of = {str(number): {str(task): [value] for task, value in enumerate(row)} for number, row in enumerate(table)}
        return list(ranks(of, alpha).values())
    one, other = np.triu_indices(len(table), 1)
    totals, squares, moved = np.empty(len(one)), np.empty(len(one)), np.empty(len(one))
    for start in range(0, len(one), CHUNK):
        part = slice(start, start + CHUNK)
        gaps = table[one[part]] - table[other[part]]
        gaps[np.abs(gaps) <= _CLOSE] = 0.0
        totals[part], squares[part] = gaps.sum(axis=1), (gaps**2).sum(axis=1)
        moved[part] = (gaps != 0).sum(axis=1)
    z = np.abs(totals) / np.sqrt(np.where(squares > 0, squares, 1.0))
    p = np.where(squares > 0, np.maximum(2 * ndtr(-z), 2.0 ** (1 - moved)), 1.0)
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate(np.minimum(p[order] * np.arange(len(p), 0, -1), 1.0))
    apart = order[adjusted <= alpha]
    losers = np.where(totals[apart] > 0, other[apart], one[apart])
    return [int(1 + count) for count in np.bincount(losers, minlength=len(table))]


def strengths(means: Sequence[Sequence[float]]) -> list[float]:
    """The chance of each entrant to beat an average one on a task (``bradley_terry``), from the same."""
    return [float(strength) for strength in bradley_terry(_wins(np.asarray(means, dtype=float)))]


def _common_tasks(entrants: Mapping[str, Scores]) -> list[str]:
    if not entrants:
        raise ValueError("nobody to rank")
    sets = [{task for task, values in scores.items() if values} for scores in entrants.values()]
    common = sorted(set.intersection(*sets))
    if not common:
        raise ValueError("the entrants have no task in common")
    return common


def _surely_better(entrants: Mapping[str, Scores], tasks: list[str], alpha: float) -> set[tuple[str, str]]:
    """(winner, loser) of each pair that the test tells apart."""
    shared = {name: {task: scores[task] for task in tasks} for name, scores in entrants.items()}
    gaps = {
        (one, other): list(differences(shared[other], shared[one]).values()) for one, other in combinations(shared, 2)
    }
    keys = {str(number): pair for number, pair in enumerate(gaps)}
    adjusted = holm({key: sign_flip(gaps[pair]).either for key, pair in keys.items()})
    told_apart = [keys[key] for key, p in adjusted.items() if p <= alpha]
    return {pair if fmean(gaps[pair]) > 0 else (pair[1], pair[0]) for pair in told_apart}


def bradley_terry(wins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each entrant's chance to beat an average one, from how often i beat j (``wins[i, j]``; a tie is half a win).

    Bradley and Terry 1952 (*Biometrika* 39), P(i beats j) = π_i / (π_i + π_j), fitted by Hunter's MM algorithm
    (2004, *Annals of Statistics* 32)::

        π_i ← Σ_j wins_ij / Σ_j (n_ij / (π_i + π_j))

    Half a win and half a loss of each pair are added, without which who never lost is infinitely strong. The
    average entrant is the one of geometric mean strength.
    """
    count = len(wins)
    if count == 1:
        return np.array([0.5])
    games = wins + 0.5
    np.fill_diagonal(games, 0.0)
    played, won = games + games.T, games.sum(axis=1)
    strength = np.ones(count)
    for _ in range(_ITERATIONS):
        new = won / (played / (strength[:, None] + strength[None, :])).sum(axis=1)
        new /= np.exp(np.log(new).mean())
        moved = np.abs(new - strength).max()
        strength = new
        if moved < _CLOSE:
            break
    return np.asarray(strength / (strength + 1.0))


def _wins(means: NDArray[np.float64]) -> NDArray[np.float64]:
    gaps = (row - means for row in means)
    return np.array([(gap > _CLOSE).sum(axis=1) + (np.abs(gap) <= _CLOSE).sum(axis=1) / 2 for gap in gaps])


def _with_interval(means: NDArray[np.float64], alpha: float) -> tuple[NDArray[np.float64], ...]:
    """Strengths with their interval at 1 − α by the cluster bootstrap over tasks."""
    random = np.random.default_rng(SEED)
    tasks = means.shape[1]
    drawn = [bradley_terry(_wins(means[:, random.integers(0, tasks, tasks)])) for _ in range(RESAMPLES)]
    low, high = np.quantile(np.array(drawn), [alpha / 2, 1 - alpha / 2], axis=0)
    return bradley_terry(_wins(means)), low, high
