"""What can be detected: against published tables, and against what simulated comparisons find."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from results.power import (
    Design,
    Noise,
    attempts_needed,
    chance_to_find,
    minimum_detectable_effect,
    tasks_needed,
)
from results.sign_flip import sign_flip

COIN = Noise.assumed(0.5)


def test_power_is_that_of_the_paired_t_test():
    # One-sided t-test, n = 20, δ/σ = 0.5, α = 0.05: power 0.695 (G*Power 3.1)
    assert chance_to_find(0.5, 1 / sqrt(20), 20) == pytest.approx(0.6951, abs=5e-4)


def test_without_an_effect_power_is_alpha():
    assert Design(20, 3, COIN, alpha=0.025).power(1e-12) == pytest.approx(0.025, abs=1e-6)


def test_the_detectable_effect_is_detected_with_the_asked_power():
    design = Design(30, 4, COIN)
    effect = minimum_detectable_effect(design, 0.9)
    assert effect is not None
    assert design.power(effect) == pytest.approx(0.9, abs=1e-4)


def test_attempts_and_tasks_needed_are_the_fewest():
    attempts = attempts_needed(Design(40, 1, COIN), 0.1)
    assert attempts is not None
    assert Design(40, attempts, COIN).power(0.1) >= 0.8 > Design(40, attempts - 1, COIN).power(0.1)
    tasks = tasks_needed(Design(1, 3, COIN), 0.1)
    assert tasks is not None
    assert Design(tasks, 3, COIN).power(0.1) >= 0.8 > Design(tasks - 1, 3, COIN).power(0.1)


def test_too_few_tasks_find_nothing_whatever_the_attempts():
    # 4 tasks: chance makes all of them worse once in 16 times
    assert Design(4, 1000, COIN).power(1.0) == 0.0
    assert minimum_detectable_effect(Design(4, 1000, COIN)) is None
    assert attempts_needed(Design(4, 1, COIN), 0.5) is None
    assert Design(5, 1000, COIN).power(0.5) > 0.8


def test_an_effect_that_varies_over_tasks_needs_more_tasks_not_more_attempts():
    assert attempts_needed(Design(6, 1, COIN, spread=2), 0.1) is None
    assert attempts_needed(Design(6, 1, COIN, spread=0), 0.1) is not None


def test_the_pilots_variance_is_the_one_within_tasks():
    # s² of (0, 1) is 0.5, of (1, 1, 1) is 0: pooled (0.5·1 + 0·2) / 3
    noise = Noise.of_pilot({"a/1": [0.0, 1.0], "a/2": [1.0, 1.0, 1.0], "a/3": [0.0]})
    assert noise.variance() == noise.within == pytest.approx(1 / 6)
    assert (noise.mean, noise.failing) == (pytest.approx(4 / 6), pytest.approx(2 / 6))
    assert "5 attempts at 2 tasks" in noise.source


def test_a_pilot_of_one_attempt_a_task_gives_the_most_it_can_be():
    noise = Noise.of_pilot({"a/1": [0.0], "a/2": [1.0]})
    assert (noise.mean, noise.within) == (0.5, 0.5)
    assert "the most" in noise.source
    with pytest.raises(ValueError, match="two scores"):
        Noise.of_pilot({"a/1": [0.0]})


def test_a_worse_candidate_of_a_good_baseline_is_noisier():
    # One attempt in ten fails and loses 0.4: a loss of 0.04 makes it two in ten, whose variance is 0.16 / 0.09 as big.
    noise = Noise(mean=0.96, within=0.01, failing=0.1, source="")
    assert noise.variance(0.04) == pytest.approx(0.01 * 16 / 9)
    assert noise.variance(0.5) == pytest.approx(0.01 * 25 / 9)
    assert Noise(mean=0.3, within=0.01, failing=0.7, source="").variance(0.1) == 0.01


def test_a_perfect_pilot_is_no_proof_that_nothing_varies():
    noise = Noise.of_pilot({f"a/{number}": [1.0, 1.0] for number in range(20)})
    assert (noise.variance(), noise.variance(0.2)) == (0.0, pytest.approx(0.16))
    effect = minimum_detectable_effect(Design(20, 2, noise))
    assert effect is not None
    assert effect > 0.1


def test_nothing_finds_a_loss_of_more_than_there_is():
    assert minimum_detectable_effect(Design(40, 3, Noise.assumed(0.01))) is None
    assert minimum_detectable_effect(Design(40, 3, Noise.assumed(0.0))) is None


@pytest.mark.parametrize("tasks", [6, 8, 9, 20])
def test_power_is_what_the_sign_flip_test_finds(tasks):
    drawn = np.random.default_rng(17).normal(-0.3, 0.35, size=(600, tasks))
    found = np.mean([sign_flip(list(row)).worse <= 0.025 for row in drawn])
    assert chance_to_find(0.3, 0.35 / sqrt(tasks), tasks, alpha=0.025) == pytest.approx(found, abs=0.06)


def test_attempts_that_never_differ_detect_everything():
    assert Design(10, 1, Noise(0.5, 0.0, 0.5, ""), spread=0).power(0.01) == 1.0
