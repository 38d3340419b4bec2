"""``bench plan`` as a user meets it."""

from __future__ import annotations

import json

import pytest

from harness import cli
from tests.results.comparisons import graded, on_disk, task_names


@pytest.fixture
def pilot(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trials = [
        graded(task, attempt, (True, attempt > 1, True, True)) for task in task_names(12) for attempt in (1, 2, 3)
    ]
    on_disk(tmp_path / "pilot", trials)
    on_disk(tmp_path / "empty", [])


def plan(capsys, *options: str) -> dict:
    assert cli.execute(["plan", *options, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_pilot_gives_tasks_variance_and_cost(pilot, capsys):
    found = plan(capsys, "--detect", "0.1", "--pilot", "pilot")
    assert (found["tasks"], found["noise"]["mean"]) == (12, pytest.approx(11 / 12))
    both, against = found["options"]
    assert float(both["cost"]) == pytest.approx(0.1 * both["trials"])
    assert against["attempts"] > both["attempts"]
    assert cli.execute(["plan", "--detect", "0.1", "--pilot", "pilot"]) == 0
    shown = capsys.readouterr().out
    assert "the pilot's 36 attempts at 12 tasks" in shown
    assert f"${float(both['cost']):,.2f}" in shown


def test_other_tasks_than_the_pilots_need_a_baseline_of_their_own(pilot, capsys):
    found = plan(capsys, "--detect", "0.05", "--pilot", "pilot", "--tasks", "30")
    assert found["tasks"] == 30
    assert [option["name"] for option in found["options"]] == ["two new runs"]


def test_the_inverse_tells_what_attempts_detect(capsys):
    found = plan(capsys, "--attempts", "4", "--tasks", "40", "--trial-cost", "0.5")
    [asked] = [option for option in found["ladder"] if option["attempts"] == 4]
    assert (asked["trials"], float(asked["cost"])) == (320, 160.0)
    assert asked["detects"] == pytest.approx(0.165, abs=0.005)
    assert found["options"] == []


def test_both_give_the_power(capsys):
    assert cli.execute(["plan", "--attempts", "4", "--detect", "0.165", "--tasks", "40"]) == 0
    assert "4 attempts find a loss of 0.165 with 80 %" in capsys.readouterr().out


def test_without_a_pilot_the_suites_tasks_count(capsys):
    from harness.task import load_suite

    assert plan(capsys, "--attempts", "2")["tasks"] == len(load_suite())


def test_too_few_tasks_are_told(capsys):
    assert cli.execute(["plan", "--detect", "0.1", "--tasks", "4"]) == 0
    shown = capsys.readouterr().out
    assert "with 4 tasks not even a loss on every one is evidence" in shown
    assert "tasks would do" in shown


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "what is to be planned?"),
        (["--detect", "2"], "2"),
        (["--detect", "0.6", "--mean", "0.5"], "a mean score of 0.500 can't lose 0.6"),
        (["--detect", "0.1", "--pilot", "nowhere"], "nowhere does not exist"),
        (["--detect", "0.1", "--pilot", "empty"], "fewer than two graded trials"),
        (["--detect", "0.1", "--suite", "nowhere"], "unknown suite"),
    ],
)
def test_what_cannot_be_planned_exits_2(pilot, capsys, options, told):
    assert cli.execute(["plan", *options]) == 2
    assert told in capsys.readouterr().err
