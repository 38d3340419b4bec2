"""Plans: what a comparison takes, from a pilot or from assumptions."""

from __future__ import annotations

from decimal import Decimal

import pytest

from results.planning import Pilot, detectable, make_plan
from results.power import Design, Noise, minimum_detectable_effect
from tests.results.builders import trial_record
from tests.results.comparisons import graded, task_names

TASKS = task_names(10)


def pilot(attempts=2, **changes):
    trials = [
        graded(task, attempt, (True, attempt % 2 == 0, True, True), **changes)
        for task in TASKS
        for attempt in range(1, attempts + 1)
    ]
    return Pilot.of(trials)


def test_a_pilot_tells_tasks_attempts_variance_and_cost():
    found = pilot()
    assert (found.tasks, found.attempts, found.cost) == (10, 2, Decimal("0.10"))
    assert found.noise.variance() == pytest.approx(0.25**2 / 2)


def test_an_unknown_cost_stays_unknown():
    assert pilot(cost=None).cost is None
    plan = make_plan(10, Noise.assumed(0.5), effect=0.3)
    assert [option.cost for option in plan.options] == [None]


def test_invalid_trials_of_a_pilot_have_no_score():
    found = Pilot.of([*(graded(task, 1, (True,) * 4) for task in TASKS), trial_record("sql/lost", 1, None)])
    assert (found.tasks, found.attempts) == (10, 1)
    with pytest.raises(ValueError, match="two scores"):
        Pilot.of([trial_record("sql/lost", 1, None)])


def test_the_plan_buys_what_finds_the_effect():
    plan = make_plan(10, Noise.assumed(0.5), effect=0.2, cost=Decimal("0.30"))
    [option] = plan.options
    assert option.trials == 2 * 10 * option.attempts
    assert option.cost == Decimal("0.30") * option.trials
    assert option.detects is not None
    assert option.detects <= 0.2
    fewer = Design(10, option.attempts - 1, Noise.assumed(0.5), alpha=plan.alpha_of_score)
    assert fewer.power(0.2) < 0.8
    assert plan.tasks_needed is not None
    assert plan.tasks_needed > 10


def test_a_pilot_as_the_baseline_saves_one_run_and_costs_attempts():
    known = pilot(attempts=20)
    both, against = make_plan(10, known.noise, effect=0.1, pilot=known, cost=known.cost).options
    assert "20 attempts" in against.name
    assert against.trials < both.trials


def test_a_pilot_too_small_for_the_effect_is_no_way_to_go():
    known = pilot(attempts=2)
    assert [option.name for option in make_plan(10, known.noise, effect=0.02, pilot=known).options] == ["two new runs"]


def test_the_score_is_planned_with_its_share_of_alpha():
    plan = make_plan(30, Noise.assumed(0.5), attempts=4)
    assert plan.alpha_of_score == 0.025
    [asked] = [option for option in plan.ladder if option.attempts == 4]
    assert asked.detects == minimum_detectable_effect(Design(30, 4, Noise.assumed(0.5), alpha=0.025))


def test_effect_and_attempts_give_the_power():
    plan = make_plan(30, Noise.assumed(0.5), effect=0.1, attempts=4)
    assert plan.power_for_effect == Design(30, 4, Noise.assumed(0.5), alpha=0.025).power(0.1)
    assert make_plan(30, Noise.assumed(0.5), effect=0.1).power_for_effect is None


def test_too_few_tasks_are_hopeless():
    plan = make_plan(5, Noise.assumed(0.5), effect=0.5)
    assert plan.hopeless
    assert plan.options == ()
    assert not make_plan(6, Noise.assumed(0.5)).hopeless


def test_a_line_for_before_a_run():
    [option] = [option for option in make_plan(20, Noise.assumed(0.5)).ladder if option.attempts == 3]
    assert detectable(20, 3) == option.detects
    assert detectable(20, 3, pilot().noise) < detectable(20, 3)
    assert detectable(5, 3) is None


@pytest.mark.parametrize(("tasks", "attempts", "rough"), [(11, 5, True), (12, 1, True), (12, 2, False)])
def test_a_rough_plan_says_so(tasks, attempts, rough):
    assert make_plan(tasks, Noise.assumed(0.5), attempts=attempts).coarse is rough
