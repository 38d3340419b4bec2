"""Rankings: an order where there is one, ties where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from results.ranking import bradley_terry, places, ranking, ranks
from results.statistics import Scores


def entrant(skill: float, seed: int, tasks: int = 40) -> Scores:
    drawn = np.random.default_rng(seed).random((tasks, 3)) < skill
    return {f"a/{number}": [float(one) for one in row] for number, row in enumerate(drawn)}


def test_bradley_terry_finds_the_strengths_that_made_the_games():
    strength = np.array([8.0, 2.0, 1.0, 0.0625])  # geometric mean 1
    wins = 1e6 * strength[:, None] / (strength[:, None] + strength[None, :])
    np.fill_diagonal(wins, 0)
    assert bradley_terry(wins) == pytest.approx(strength / (strength + 1), abs=1e-4)


def test_bradley_terry_of_two_by_hand():
    # 3 wins against 1, half a win added to each: 3.5 : 1.5, the average is the geometric mean
    odds = (3.5 / 1.5) ** 0.5
    assert bradley_terry(np.array([[0, 3.0], [1.0, 0]])) == pytest.approx([odds / (1 + odds), 1 / (1 + odds)])


def test_what_can_be_told_apart_is_ordered_and_what_cannot_is_a_tie():
    found = ranking({"weak": entrant(0.1, 1), "good": entrant(0.7, 2), "alike": entrant(0.7, 3), "top": entrant(1, 4)})
    assert {one.name: one.rank for one in found} == {"top": 1, "good": 2, "alike": 2, "weak": 4}
    assert found[0].name == "top"
    assert all(one.low <= one.strength <= one.high for one in found)
    assert found[0].low > found[-1].high


def test_equals_are_ties():
    same = entrant(0.5, 1)
    found = ranking({"a": same, "b": same, "c": same})
    assert [(one.rank, one.strength) for one in found] == [(1, 0.5)] * 3


def test_entrants_alike_are_rarely_told_apart():
    alarms = sum(
        max(ranks({str(n): entrant(0.6, 10 * number + n, 12) for n in range(3)}).values()) > 1 for number in range(200)
    )
    assert alarms <= 19  # at 5 %, 20 or more of 200 happen once in 400


def test_only_tasks_that_all_have_count():
    found = ranking({"a": {"a/1": [1.0], "a/2": [0.0]}, "b": {"a/1": [1.0], "a/2": []}})
    assert [one.mean for one in found] == [1.0, 1.0]
    with pytest.raises(ValueError, match="no task in common"):
        ranking({"a": {"a/1": [1.0]}, "b": {"a/2": [1.0]}})
    with pytest.raises(ValueError, match="nobody"):
        ranking({})
    [alone] = ranking({"a": {"a/1": [1.0]}})
    assert (alone.rank, alone.strength) == (1, 0.5)


def test_many_entrants_are_ranked_as_few_are():
    skills = [0.15, 0.15, 0.5, 0.5, 0.9, 0.9]
    means = [[sum(values) / 3 for values in entrant(skill, seed).values()] for seed, skill in enumerate(skills)]
    assert places(means) == [5, 5, 3, 3, 1, 1]
    # The same ones again and again are too many for flips; whoever is alike stays tied.
    assert places(means * 4) == [17, 17, 9, 9, 1, 1] * 4
    assert places([means[0]] * 30) == [1] * 30


def test_too_few_tasks_tell_no_two_of_many_apart():
    assert places([[number / 40] * 8 for number in range(30)]) == [1] * 30


def test_many_alike_are_rarely_told_apart():
    alarms = 0
    for seed in range(60):
        means = (np.random.default_rng(seed).random((16, 30, 3)) < 0.6).mean(axis=2)
        alarms += max(places(means.tolist())) > 1
    assert alarms <= 8  # at 5 %, 9 or more of 60 happen once in 250
