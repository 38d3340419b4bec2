"""Ablations and scorecards against a known truth: a short version of benchmarks/ablation.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from benchmarks.ablation import NOTHING, PLANTED, Scenario, expected, graded, left_out, simulate, tasks, trials
from harness import persona
from results.paired import ALPHA
from results.scorecard import scorecard
from tests.results.comparisons import on_disk


def test_where_nothing_matters_nothing_is_found() -> None:
    found = simulate(Scenario("null", NOTHING, 10), 80)
    assert found.false_alarms.at_most(ALPHA)
    assert found.covered.at_least(1 - ALPHA)


def test_planted_effects_are_found_and_the_others_are_not() -> None:
    found = simulate(Scenario("planted", PLANTED, 40), 20)
    assert found.load_bearing.rate >= 0.9
    assert found.harmful.rate >= 0.7
    assert found.false_alarms.at_most(ALPHA)
    assert found.wrongly_dead.count == 0
    assert found.covered.at_least(1 - ALPHA)


def test_clauses_that_do_nothing_are_dead_weight_if_there_are_pairs_enough() -> None:
    found = simulate(Scenario("rare", dict.fromkeys(NOTHING, (0.995, 0.995)), 100, skill=1.0), 4)
    assert found.idle.rate >= 0.9
    assert found.false_alarms.count == 0


def test_the_truth_is_what_is_found_in_the_long_run() -> None:
    behaviour, text = Scenario("planted", PLANTED, 1).behaviour, persona.load(None).text
    drawn = trials(behaviour, text, 2000, np.random.default_rng(5))
    means = {
        task.id: np.mean([one.score for one in drawn if one.task == task.id and one.score is not None])
        for task in tasks()
    }
    assert expected(behaviour, text)["score"] == pytest.approx(float(np.mean(list(means.values()))), abs=0.005)


def test_the_scorecard_shows_how_often_each_clause_is_obeyed(tmp_path: Path) -> None:
    behaviour = Scenario("planted", PLANTED, 1).behaviour
    (lost,) = [text for name, text in left_out().items() if name == "constraints/no-data-is-ever-lost"]
    rates = {}
    for name, text in (("whole", persona.load(None).text), ("without", lost)):
        drawn = trials(behaviour, text, 300, np.random.default_rng(11))
        card = scorecard(on_disk(tmp_path / name, drawn, simulated=True))
        for clause in PLANTED:
            row = card.row(clause)
            assert row is not None
            disobeyed = [
                sum(
                    chance
                    for mutant, chance in behaviour.mistakes(task, text).items()
                    if any(clause in check.clauses and not check.passed for check in graded(task, mutant).checks)
                )
                for task in tasks()
                if any(clause in check.clauses for check in graded(task, "").checks)
            ]
            assert row.trials == 300 * len(disobeyed)
            truth = 1 - float(np.mean(disobeyed))
            assert binomtest(row.obeyed, row.trials, truth).pvalue > 1e-4, clause
            assert len(row.failing) == row.trials - row.obeyed
            rates[name, clause] = row.estimate.value
    assert rates["whole", "constraints/never-lose-data"] > rates["without", "constraints/never-lose-data"] + 0.15
