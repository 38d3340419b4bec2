"""Intervals against values computed by hand, and against the truth they must cover."""

from __future__ import annotations

from itertools import combinations
from math import sqrt

import numpy as np
import pytest

from results.statistics import Coverage, invalid_as_zero, mean, pass_at_k, pass_hat_k, rate, wilson


def test_one_attempt_a_task_gives_the_usual_standard_error_and_t_interval():
    estimate = mean({"a/1": [0.2], "a/2": [0.4], "a/3": [0.9]})
    assert estimate is not None
    assert estimate.value == pytest.approx(0.5)
    # s² = (0.09 + 0.01 + 0.16) / 2 = 0.13
    assert estimate.standard_error == pytest.approx(sqrt(0.13 / 3))
    # t(0.975, 2) = 4.302653; 0.5 ± 0.8957 is cut to what a score can be
    assert (estimate.low, estimate.high) == (0.0, 1.0)


def test_the_standard_error_is_clustered_by_task():
    # s̄ = 0.5; the tasks' sums of deviations are 0.8, −0.6, −0.2: squares 0.64 + 0.36 + 0.04 = 1.04
    estimate = mean({"a/1": [1.0, 0.8], "a/2": [0.1, 0.3], "a/3": [0.4, 0.4]}, confidence=0.9)
    assert estimate is not None
    assert estimate.value == pytest.approx(0.5)
    assert estimate.standard_error == pytest.approx(sqrt(1.04 * 3 / 2) / 6)
    # t(0.95, 2) = 2.919986
    assert estimate.low == pytest.approx(max(0.5 - 2.919986 * sqrt(1.56) / 6, 0), abs=1e-6)
    assert estimate.tasks == 3


def test_repeating_the_same_attempts_makes_nothing_surer():
    once = mean({"a/1": [0.5], "a/2": [0.7], "a/3": [0.6]})
    often = mean({"a/1": [0.5] * 9, "a/2": [0.7] * 9, "a/3": [0.6] * 9})
    assert once is not None
    assert often is not None
    assert (often.standard_error, often.low, often.high) == pytest.approx((once.standard_error, once.low, once.high))


def test_one_task_has_a_mean_but_no_interval():
    estimate = mean({"a/1": [0.5, 0.7], "a/2": []})
    assert estimate is not None
    assert (estimate.value, estimate.low, estimate.high) == (pytest.approx(0.6), None, None)
    assert mean({"a/1": []}) is None
    assert rate({}) is None


def test_a_perfect_score_is_not_certain():
    estimate = mean({f"a/{number}": [1.0] for number in range(6)})
    assert estimate is not None
    assert (estimate.low, estimate.high) == pytest.approx((0.609666, 1.0), abs=1e-6)


def test_wilson_by_hand():
    # z = 1.959964, p = 0.8, n = 10: (0.8 + 0.192073) / 1.384146 ± 1.959964/1.384146 · √(0.016 + 0.0096036)
    assert wilson(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-6)
    assert wilson(0, 10) == pytest.approx((0.0, 0.277533), abs=1e-6)


def test_a_rate_counts_equal_attempts_once():
    tasks = {f"a/{number}": [float(number % 2)] * 5 for number in range(8)}
    estimate = rate(tasks)
    assert estimate is not None
    assert (estimate.low, estimate.high) == pytest.approx(wilson(4, 8))


def test_a_rate_counts_attempts_that_differ_as_trials():
    # Every task is resolved in exactly half of its attempts: tasks don't differ, so all attempts count.
    estimate = rate({f"a/{number}": [0.0, 1.0] for number in range(8)} | {"a/8": [1.0, 1.0], "a/9": [0.0, 0.0]})
    assert estimate is not None
    assert (estimate.low, estimate.high) == pytest.approx(wilson(10, 20))


@pytest.mark.parametrize(("tasks", "attempts", "spread"), [(8, 1, 0.15), (12, 4, 0.2), (40, 3, 0.1)])
def test_the_mean_interval_covers_the_truth_as_often_as_it_says(tasks, attempts, spread):
    random = np.random.default_rng(20241101)
    covered, repeats = 0, 2000
    for _ in range(repeats):
        skill = random.normal(0.5, spread, size=(tasks, 1))
        drawn = skill + random.normal(0, 0.05, size=(tasks, attempts))
        estimate = mean({f"a/{number}": list(row) for number, row in enumerate(drawn)})
        assert estimate is not None
        covered += estimate.low <= 0.5 <= estimate.high
    assert covered / repeats == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(("tasks", "attempts"), [(6, 1), (12, 3), (30, 5)])
@pytest.mark.parametrize("difficulty", [(0.5, 0.5), (4, 1), (30, 1)])
def test_the_rate_interval_covers_the_truth_when_tasks_differ(tasks, attempts, difficulty):
    random = np.random.default_rng(20241102)
    truth = difficulty[0] / sum(difficulty)
    covered, repeats = 0, 1000
    for _ in range(repeats):
        chance = random.beta(*difficulty, size=(tasks, 1))
        drawn = (random.random((tasks, attempts)) < chance).astype(float)
        estimate = rate({f"a/{number}": list(row) for number, row in enumerate(drawn)})
        assert estimate is not None
        covered += estimate.low <= truth <= estimate.high
    assert covered / repeats >= 0.9


def test_invalid_trials_as_zero_also_count_tasks_that_have_nothing_else():
    scores = invalid_as_zero({"a/1": [1.0, 0.5], "a/2": [1.0]}, {"a/2": 1, "a/3": 2})
    assert scores == {"a/1": [1.0, 0.5], "a/2": [1.0, 0.0], "a/3": [0.0, 0.0]}


def test_coverage_tells_invalid_from_missing():
    coverage = Coverage(planned=12, graded=9, invalid=1)
    assert (coverage.fraction, coverage.missing) == (0.75, 2)


@pytest.mark.parametrize("attempts", [1, 3, 6])
def test_pass_at_k_and_pass_hat_k_are_the_share_of_all_draws(attempts):
    for resolved in range(attempts + 1):
        outcomes = [True] * resolved + [False] * (attempts - resolved)
        for k in range(1, attempts + 1):
            draws = list(combinations(outcomes, k))
            assert pass_at_k(attempts, resolved, k) == pytest.approx(sum(map(any, draws)) / len(draws))
            assert pass_hat_k(attempts, resolved, k) == pytest.approx(sum(map(all, draws)) / len(draws))


def test_pass_at_k_refuses_more_draws_than_attempts():
    with pytest.raises(ValueError, match="k = 4"):
        pass_at_k(3, 1, 4)
