"""Paired comparisons: by hand, against libraries' values, and against the truth they must cover."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from scipy.stats import ttest_rel

from results.multiplicity import holm
from results.paired import bootstrap, compare_differences, compare_scores, differences
from results.sign_flip import ENUMERATED, least_p, mcnemar, sign_flip
from results.statistics import Scores


def scores(*by_task: float | list[float]) -> Scores:
    return {f"a/{number}": one if isinstance(one, list) else [one] for number, one in enumerate(by_task)}


# Sign flips


def test_the_exact_test_counts_all_flips_by_hand():
    # Sums of ±1 ±2 ±4: −7 is the lowest of 8; −5 = −4 −2 +1 the second.
    assert sign_flip([-1, -2, -4]).worse == pytest.approx(1 / 8)
    assert sign_flip([1, -2, -4]).worse == pytest.approx(2 / 8)
    assert sign_flip([1, -2, -4]).better == pytest.approx(7 / 8)
    assert sign_flip([1, -2, -4]).either == pytest.approx(4 / 8)


def test_ties_count_half_and_the_observed_flip_whole():
    # Sums of ±1 ±1 ±1: −3 once, −1 three times: 1 + 1 + 2/2 of 8.
    assert sign_flip([-1, -1, 1]).worse == pytest.approx(3 / 8)


def test_tasks_that_did_not_change_say_nothing():
    assert sign_flip([-1, 0, -2, 0, -4]) == sign_flip([-1, -2, -4])
    assert sign_flip([0, 0]) == sign_flip([]) == mcnemar(0, 0)
    assert sign_flip([0.0]).worse == 1.0


def test_random_flips_agree_with_all_flips():
    values = list(np.random.default_rng(5).normal(-0.2, 0.5, ENUMERATED + 2))
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    exact = float(np.mean(sums <= sum(values) + 1e-12))
    drawn = sign_flip(values).worse
    assert drawn == pytest.approx(exact, abs=4 * sqrt(exact * (1 - exact) / 20_000))
    assert sign_flip(values).worse == drawn


def test_a_random_p_is_never_zero():
    assert 0 < sign_flip([-1.0] * 200).worse < 1e-4


@pytest.mark.parametrize("tasks", [1, 4, 9])
def test_the_least_p_is_reached_when_every_task_is_worse(tasks):
    assert sign_flip([-(2.0**number) for number in range(tasks)]).worse == least_p(tasks)


def test_mcnemar_by_hand():
    # 6 turned, 5 of them for the worse: P(≥ 5 of 6) = (6 + 1) / 64
    assert mcnemar(5, 1).worse == pytest.approx(7 / 64)
    assert mcnemar(5, 1).better == pytest.approx(63 / 64)
    assert mcnemar(5, 1).either == pytest.approx(14 / 64)


# Holm


def test_holm_by_hand():
    # Ordered .01 .02 .03 .5: ·4, ·3, ·2, ·1 and never falling.
    adjusted = holm({"a": 0.02, "b": 0.5, "c": 0.01, "d": 0.03})
    assert adjusted == pytest.approx({"a": 0.06, "b": 0.5, "c": 0.04, "d": 0.06})
    assert list(adjusted) == ["a", "b", "c", "d"]


def test_holm_with_weights_gives_the_heavy_hypothesis_its_share():
    # p / w: .02/2 < .03/1; first .02 · 3/2, then what remains: .03 · 1/1, not below the first
    assert holm({"a": 0.02, "b": 0.03}, {"a": 2, "b": 1}) == pytest.approx({"a": 0.03, "b": 0.03})
    assert holm({"a": 0.6}) == {"a": 0.6}
    assert holm({}) == {}
    with pytest.raises(ValueError, match="above 0"):
        holm({"a": 0.1}, {"a": 0})


def test_holm_rarely_gives_one_false_alarm_among_many():
    random = np.random.default_rng(7)
    weights = {str(number): 1.0 + number for number in range(8)}
    alarms = sum(
        min(holm(dict(zip(weights, random.random(8), strict=True)), weights).values()) <= 0.05 for _ in range(4000)
    )
    assert alarms / 4000 == pytest.approx(0.05, abs=0.011)


# Differences


def test_differences_are_of_means_and_of_tasks_in_both():
    found = differences({"a/1": [1.0, 0.0], "a/2": [1.0], "a/3": []}, {"a/1": [1.0], "a/3": [1.0], "a/4": [0.0]})
    assert found == {"a/1": 0.5}


def test_the_interval_is_the_paired_t_interval():
    baseline, candidate = [0.9, 0.7, 0.8, 0.4, 0.6], [0.8, 0.65, 0.4, 0.5, 0.4]
    found = compare_scores(scores(*baseline), scores(*candidate))
    assert found is not None
    reference = ttest_rel(candidate, baseline).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high))
    assert found.value == pytest.approx(-0.13)


def test_a_task_counts_once_however_often_it_was_tried():
    once = compare_scores(scores(1.0, 0.5, 0.0), scores(0.0, 0.5, 0.25))
    often = compare_scores(scores([1.0] * 8, 0.5, 0.0), scores([0.0] * 3, 0.5, [0.0, 0.5]))
    assert often == once


def test_tasks_that_all_changed_alike_are_no_certainty():
    # 10 tasks: at most 1 − 0.05^(1/10) = 25.9 % of all tasks are of another kind
    same = compare_differences([0.0] * 10)
    assert (same.low, same.high) == pytest.approx((-0.258866, 0.258866), abs=1e-6)
    worse = compare_differences([-0.5] * 10)
    assert (worse.low, worse.high) == pytest.approx((-0.629433, -0.111701), abs=1e-6)


def test_one_task_has_a_difference_but_no_interval_and_no_verdict():
    found = compare_differences([-1.0])
    assert (found.value, found.low, found.high) == (-1.0, None, None)
    assert found.verdict(0.02) == "underpowered"
    assert compare_scores(scores(1.0), {"b/1": [1.0]}) is None


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ([-0.5, -0.4, -0.3, -0.6, -0.2, -0.4], "regressed"),
        ([0.5, 0.4, 0.3, 0.6, 0.2, 0.4], "not regressed"),
        ([-0.5, 0.4, -0.3, 0.6, -0.2, 0.1], "underpowered"),
        ([0.001, -0.002] * 10, "not regressed"),
        # Surely worse, and surely by less than the margin: what the margin is for.
        ([-0.004, -0.006] * 10, "not regressed"),
        ([0.0] * 6, "underpowered"),
        ([0.0] * 200, "not regressed"),
    ],
)
def test_the_verdict_has_three_values(changes, verdict):
    assert compare_differences(changes).verdict(0.02) == verdict


def test_a_verdict_believes_the_adjusted_p():
    found = compare_differences([-0.5, -0.4, -0.3, -0.6, -0.2, -0.4])
    assert found.verdict(0.02, p_worse=0.2) == "underpowered"


def test_equivalence_needs_both_sides():
    assert compare_differences([0.001, -0.002] * 10).equivalent(0.02)
    assert not compare_differences([0.101, 0.098] * 10).equivalent(0.02)
    assert compare_differences([0.101, 0.098] * 10).not_inferior(0.02)


def test_the_bootstrap_repeats_and_agrees_with_t_when_there_are_many_tasks():
    values = list(np.random.default_rng(11).normal(-0.1, 0.3, 300))
    low, high = bootstrap(values) or (0.0, 0.0)
    found = compare_differences(values)
    assert (low, high) == bootstrap(values)
    assert (low, high) == pytest.approx((found.low, found.high), abs=0.004)
    assert bootstrap([0.5]) is None
