"""Where a leaderboard's rows stand: rank with ties, strength, the front of cost and score, what a persona adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from results.paired import compare_differences
from results.ranking import places, strengths

CONFIDENCE = 0.05


@dataclass(frozen=True)
class Entrant:
    """A row, to which columns are added, and the mean score of each of its tasks."""

    row: dict[str, Any]
    means: dict[str, float]

    @property
    def score(self) -> float | None:
        score: float | None = self.row["score"]
        return score

    @property
    def cost(self) -> float | None:
        cost: float | None = self.row["cost_per_trial"]
        return cost


def add_standing(entrants: Sequence[Entrant]) -> None:
    """Adds these columns to the rows:

    ``rank``, ``tied`` (another has the same rank), ``strength`` (Bradley–Terry): of the finished rows that have a
    task in common. ``front``: no finished row scores as much for less money a trial, or more for as much; unknown
    without a cost. ``lift``, ``lift_low``, ``lift_high``, ``lift_p``: the persona against none, with the same model,
    agent and parameters, paired by task, at 95 %.
    """
    for one in entrants:
        one.row.update({"rank": None, "tied": None, "strength": None, "front": None})
        one.row.update({"lift": None, "lift_low": None, "lift_high": None, "lift_p": None})
    _rank([one for one in entrants if one.row["state"] == "complete" and one.means])
    finished = [one for one in entrants if one.row["state"] == "complete"]
    bare: dict[tuple[str, ...], list[Entrant]] = {}
    for one in entrants:
        if one.row["bare"]:
            bare.setdefault(_driven(one), []).append(one)
    for one in entrants:
        if one.row["state"] == "complete":
            one.row["front"] = _is_on_front(one, finished)
        if not one.row["bare"]:
            _lift(one, bare.get(_driven(one), []))


def _rank(entrants: Sequence[Entrant]) -> None:
    if not entrants or not (common := sorted(set.intersection(*(set(one.means) for one in entrants)))):
        return
    means = [[one.means[task] for task in common] for one in entrants]
    found = places(means)
    for one, place, strength in zip(entrants, found, strengths(means), strict=True):
        one.row.update({"rank": place, "tied": found.count(place) > 1, "strength": strength})


def _is_on_front(one: Entrant, entrants: Sequence[Entrant]) -> bool | None:
    if one.cost is None or one.score is None:
        return None
    for other in entrants:
        if other.cost is None or other.score is None or (other.cost, other.score) == (one.cost, one.score):
            continue
        if other.cost <= one.cost and other.score >= one.score:
            return False
    return True


def _driven(one: Entrant) -> tuple[str, ...]:
    """Everything of a configuration but its persona."""
    return tuple(one.row[name] for name in ("model", "agent", "parameters"))


def _lift(one: Entrant, bare: Sequence[Entrant]) -> None:
    gaps = [one.means[task] - other.means[task] for other in bare for task in sorted(one.means) if task in other.means]
    if gaps:
        found = compare_differences(gaps, CONFIDENCE / 2)
        one.row.update({"lift": found.value, "lift_low": found.low, "lift_high": found.high, "lift_p": found.p.either})
