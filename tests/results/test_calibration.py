"""A short calibration: the gate's error rates against the truth. The long one is benchmarks/calibration.py."""

from __future__ import annotations

import pytest

from benchmarks.calibration import POWER, Scenario, Tally, simulate, simulate_on_disk
from results.comparison import SCORES_SHARE
from results.paired import ALPHA
from results.power import Design, minimum_detectable_effect

SCENARIO = Scenario(tasks=20, attempts=4, skills=(8.0, 3.0))
COMPARISONS = 300


def test_bounds_are_bounds():
    assert Tally(25, 300).at_most(0.05)
    assert not Tally(32, 300).at_most(0.05)
    assert Tally(255, 300).at_least(0.9)
    assert not Tally(245, 300).at_least(0.9)


def test_where_nothing_changed_alarms_are_rare_and_intervals_cover():
    found = simulate(SCENARIO, COMPARISONS)
    assert found.score.at_most(ALPHA)
    assert found.gate.at_most(ALPHA)
    assert found.mcnemar.at_most(ALPHA)
    assert found.covered.at_least(1 - 2 * ALPHA)


def test_power_is_as_planned():
    design = Design(SCENARIO.tasks, SCENARIO.attempts, SCENARIO.noise(), alpha=ALPHA * SCORES_SHARE)
    effect = minimum_detectable_effect(design, POWER)
    assert effect is not None
    found = simulate(SCENARIO, COMPARISONS, effect, design.spread)
    assert found.score_at_its_share.rate == pytest.approx(design.power(found.effect), abs=0.08)
    assert found.gate.rate >= found.score_at_its_share.rate
    assert found.covered.at_least(1 - 2 * ALPHA)


def test_a_loss_of_the_margin_is_rarely_called_none():
    found = simulate(SCENARIO, COMPARISONS, effect=0.05, spread=0.5, margin=0.05)
    assert found.not_regressed.at_most(ALPHA)


def test_the_whole_way_from_run_directories_alarms_as_rarely(tmp_path):
    assert simulate_on_disk(20, tmp_path).at_most(ALPHA)
