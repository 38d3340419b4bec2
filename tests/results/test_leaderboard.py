"""What a leaderboard says, from records to text."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import pytest
from rich.console import Console

from results import rendering
from results.leaderboard import Run, leaderboards
from results.records import TaskRecord, Times, TrialRecord, Usage
from results.rendering_html import as_html
from tests.results.builders import TASKS, run_record, trial_record


def trials(*scores: float | None, **changes) -> list[TrialRecord]:
    """Scores of attempts 1 and 2 of the first task, then of the second, …"""
    return [trial_record(TASKS[number // 2], number % 2 + 1, score, **changes) for number, score in enumerate(scores)]


def row(*runs: Run) -> dict:
    [board] = leaderboards(runs)
    [found] = board.rows()
    return found


def text(*runs: Run) -> str:
    console = Console(file=io.StringIO(), width=160, highlight=False)
    console.print(rendering.for_terminal(leaderboards(runs)))
    return console.file.getvalue()


COMPLETE = Run(run_record(), trials(1.0, 0.5, 1.0, 1.0, 0.0, 0.0, cost="0.25"))


def test_a_row_holds_what_was_measured():
    usage, times = Usage(input=10, output=20, cache_read=30, cache_write=40), Times(agent=90.0, waited=500.0)
    dimensions = {"quality": 0.5, "security": 1.0}
    measured = row(Run(run_record(), trials(*[1.0] * 6, usage=usage, times=times, dimensions=dimensions, turns=4)))
    assert (measured["score"], measured["resolved"], measured["coverage"]) == (1.0, 1.0, 1.0)
    assert (measured["dimension.quality"], measured["dimension.security"]) == (0.5, 1.0)
    assert (measured["input_tokens"], measured["output_tokens"]) == (60, 120)
    assert (measured["working_seconds"], measured["turns"]) == (90.0, 4.0)
    assert (measured["k"], measured["pass_at_k"], measured["pass_hat_k"]) == (2, 1.0, 1.0)


def test_score_resolved_and_passes_by_hand():
    measured = row(COMPLETE)
    assert measured["score"] == pytest.approx(3.5 / 6)
    assert measured["resolved"] == pytest.approx(0.5)
    assert measured["pass_at_k"] == pytest.approx(2 / 3)
    assert measured["pass_hat_k"] == pytest.approx(1 / 3)
    assert measured["score_low"] < measured["score"] < measured["score_high"]
    assert measured["cost"] == Decimal("1.50")


def test_one_unknown_cost_makes_the_total_unknown_and_never_zero():
    found = [*COMPLETE.trials[:-1], trial_record(TASKS[2], 2, 0.0, cost=None)]
    assert row(Run(run_record(), found))["cost"] is None
    assert "unknown" in text(Run(run_record(), found))
    assert "$1.50" in text(COMPLETE)


def test_invalid_trials_are_shown_as_missing_and_as_zero():
    found = Run(run_record(), trials(1.0, None, 1.0, 1.0, 1.0, None))
    measured = row(found)
    assert (measured["score"], measured["score_invalid_as_zero"]) == (1.0, pytest.approx(4 / 6))
    assert (measured["coverage"], measured["invalid"], measured["state"]) == (
        pytest.approx(4 / 6),
        2,
        "complete",
    )
    assert "2 trials invalid (the world failed) and left out; counted as zero, the score is 0.67" in text(found)


def test_an_unfinished_run_is_partial_and_ranked_after_the_finished():
    unfinished = Run(run_record(run="r2", model="other/model"), trials(1.0))
    [board] = leaderboards([unfinished, COMPLETE])
    assert [found["state"] for found in board.rows()] == ["complete", "partial"]
    assert " partial " in text(unfinished)
    assert "5 of 6 trials not finished" in text(unfinished)


def test_a_run_without_a_trial_shows_no_score():
    empty = Run(run_record(), [])
    assert row(empty)["score"] is None
    assert "0/6" in text(empty)


def test_a_run_whose_trials_are_all_invalid_shows_no_score():
    measured = row(Run(run_record(), trials(*[None] * 6)))
    assert (measured["score"], measured["resolved"], measured["score_invalid_as_zero"]) == (None, None, 0.0)


def test_runs_of_the_same_configuration_are_one_row():
    again = Run(run_record(run="r2"), COMPLETE.trials)
    measured = row(COMPLETE, again)
    assert (measured["planned"], measured["graded"], measured["runs"]) == (12, 12, "r1 r2")


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "openai/other"},
        {"agent": "oneshot"},
        {"parameters": {"effort": "high"}},
        {"persona": COMPLETE.record.persona.model_copy(update={"digest": "123"})},
    ],
)
def test_what_differs_in_configuration_differs_in_row(changes):
    [board] = leaderboards([COMPLETE, Run(run_record(run="r2", **changes), COMPLETE.trials)])
    assert len(board.rows()) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"simulated": True},
        {"planned": TASKS[:2]},
        {"tasks": {task: TaskRecord(digest="changed", grader_digest="g") for task in TASKS}},
        {"tasks": {task: TaskRecord(digest=f"d-{task}", grader_digest="changed") for task in TASKS}},
    ],
)
def test_what_is_not_comparable_shares_no_table(changes):
    other = Run(run_record(run="r2", **changes), COMPLETE.trials[:4])
    assert [len(board.rows()) for board in leaderboards([COMPLETE, other])] == [1, 1]


def test_simulated_results_are_marked_in_every_form():
    simulated = Run(run_record(run="r2", model="simulated/0.8", simulated=True), COMPLETE.trials)
    boards = leaderboards([simulated, COMPLETE])
    assert [board.simulated for board in boards] == [False, True]
    real, marked = rendering.as_markdown(boards).split("## ")[1:]
    assert "imulated" not in real
    assert "SIMULATED · suite core · 3 tasks" in marked
    assert "simulated/0.8 (simulated)" in marked
    assert "simulated/0.8 (simulated)" in text(simulated)
    tables = json.loads(rendering.as_json(boards))["tables"]
    assert [[found["simulated"] for found in table["rows"]] for table in tables] == [[False], [True]]
    blocks = [list(csv.DictReader(io.StringIO(block))) for block in rendering.as_csv(boards).split("\n\n")]
    assert [[found["simulated"] for found in block] for block in blocks] == [["False"], ["True"]]


def test_json_and_csv_leave_the_unknown_empty():
    boards = leaderboards([Run(run_record(), trials(1.0, dimensions={"quality": 0.5}))])
    [found] = json.loads(rendering.as_json(boards))["tables"][0]["rows"]
    assert (found["cost"], found["dimensions"]) == (
        None,
        {"quality": {"score": 0.5, "low": None, "high": None}},
    )
    [line] = csv.DictReader(io.StringIO(rendering.as_csv(boards)))
    assert (line["cost"], line["k"], line["dimension.quality"]) == ("", "", "0.5")


def test_a_dimension_that_only_some_have_is_empty_for_the_others():
    other = Run(run_record(run="r2", agent="oneshot"), trials(*[0.5] * 6, dimensions={"scale": 0.5}))
    [board] = leaderboards([COMPLETE, other])
    assert board.dimensions == ["scale"]
    assert [found["dimension.scale"] for found in board.rows()] == [None, 0.5]


def test_a_hostile_name_drives_no_terminal_and_breaks_no_table():
    hostile = Run(run_record(model="evil/\x1b]0;owned\x07\x1b[2J[red]a|b\n| # | fake |\x9b31m"), COMPLETE.trials)
    for form in (
        text(hostile),
        rendering.as_markdown(leaderboards([hostile])),
        rendering.as_csv([*leaderboards([hostile])]),
    ):
        assert not any(character in form for character in "\x1b\x07\x9b")
        assert "owned" not in form
    lines = rendering.as_markdown(leaderboards([hostile])).splitlines()
    assert sum("fake" in line for line in lines) == 1
    assert r"evil/\[red]a\|b \| # \| fake" in "\n".join(lines)


def test_the_digest_of_a_persona_is_shown_where_its_name_is_not_enough():
    other = COMPLETE.record.persona.model_copy(update={"digest": "0123456789"})
    assert "data-engineer@" not in text(COMPLETE)
    assert "data-engineer@0123456" in text(COMPLETE, Run(run_record(run="r2", persona=other), COMPLETE.trials))


@pytest.mark.parametrize(("seconds", "shown"), [(None, "–"), (59.4, "59 s"), (59.7, "1:00"), (3725.0, "62:05")])
def test_times_are_rounded_to_whole_seconds(seconds, shown):
    assert rendering.duration(seconds) == shown


@pytest.mark.parametrize(("tokens", "shown"), [(9999, "9999"), (12_345, "12k"), (999_999, "1.0M"), (2_450_000, "2.5M")])
def test_tokens_are_counted_in_thousands_and_millions(tokens, shown):
    assert rendering._count(tokens) == shown


# Ranks, fronts, lifts and parts

NAMES = tuple(f"{technology}/task-{number}" for technology in ("airflow", "dbt") for number in range(8))


def configured(name: str, score, cost: str | None = "0.10", persona: str = "data-engineer", **changes) -> Run:
    """A finished run of sixteen tasks; ``score``: of a task's number."""
    text = "" if persona == "none" else "You are a data engineer."
    record = run_record(
        run=f"{name}-{persona}",
        model=name,
        planned=NAMES,
        attempts=1,
        persona=COMPLETE.record.persona.model_copy(update={"name": persona, "digest": persona, "text": text}),
        **changes,
    )
    found = [
        trial_record(
            task,
            1,
            score(number),
            cost=cost,
            technologies=(task.partition("/")[0], "sql"),
            responsibilities=("modelling",),
            difficulty="hard" if number % 2 else "easy",
            dimensions={"quality": score(number), **({"scale": 1.0} if number < 8 else {})},
        )
        for number, task in enumerate(NAMES)
    ]
    return Run(record, found)


GOOD = configured("good", lambda number: 0.9 if number % 3 else 1.0, "1.00")
ALIKE = configured("alike", lambda number: 1.0 if number % 3 else 0.8, "0.50")
POOR = configured("poor", lambda number: 0.1, "0.75")


def test_what_is_not_told_apart_has_one_rank_and_is_shown_as_a_tie():
    [board] = leaderboards([POOR, ALIKE, GOOD])
    assert [(found["model"], found["rank"], found["tied"]) for found in board.rows()] == [
        ("good", 1, True),
        ("alike", 1, True),
        ("poor", 3, False),
    ]
    assert board.rows()[0]["strength"] > board.rows()[2]["strength"]
    shown = text(POOR, ALIKE, GOOD)
    assert shown.count("1=") == 2
    assert "rows of one rank (=) are not told apart by their tasks" in shown


def test_an_unfinished_row_has_no_rank_and_takes_none_away():
    unfinished = Run(run_record(model="late", planned=NAMES, attempts=1), GOOD.trials[:1])
    [board] = leaderboards([GOOD, POOR, unfinished])
    assert [found["rank"] for found in board.rows()] == [1, 2, None]
    assert board.rows()[2]["front"] is None


def test_the_front_is_whom_nobody_beats_in_cost_and_score():
    [board] = leaderboards([GOOD, ALIKE, POOR, configured("free", lambda number: 0.5, None)])
    fronts = {found["model"]: found["front"] for found in board.rows()}
    assert fronts == {"good": True, "alike": True, "poor": False, "free": None}
    assert "no other row scores as much for less money a trial: #1, #2" in text(GOOD, ALIKE, POOR)


def test_a_personas_lift_is_paired_with_the_same_model_without_one():
    bare = configured("good", lambda number: 0.7 if number % 3 else 0.8, persona="none")
    other = configured("poor", lambda number: 0.0, persona="none", agent="oneshot")
    [board] = leaderboards([GOOD, bare, POOR, other])
    lifts = {(found["model"], found["persona"]): found["lift"] for found in board.rows()}
    assert lifts["good", "data-engineer"] == pytest.approx(0.2)
    # Nobody to compare it with: the other one's agent differs.
    assert lifts["poor", "data-engineer"] is None
    assert lifts["good", "none"] is None
    first = board.rows()[0]
    assert first["lift_low"] < 0.2 < first["lift_high"]
    assert first["lift_p"] < 0.001
    assert "#1: the persona adds +0.20" in text(GOOD, bare)


def test_parts_are_tables_of_their_own():
    by_technology = {board.part: board for board in leaderboards([GOOD, POOR], "technology")}
    assert {part: len(board.tasks) for part, board in by_technology.items()} == {"airflow": 8, "dbt": 8, "sql": 16}
    assert by_technology["airflow"].title == "suite core · 8 tasks · technology airflow"
    [top, _] = by_technology["dbt"].rows()
    expected = [trial.score for trial in GOOD.trials if trial.task.startswith("dbt/")]
    assert top["score"] == pytest.approx(sum(expected) / 8)
    assert (top["planned"], top["graded"], top["cost"], top["state"]) == (8, 8, Decimal("8.00"), "complete")
    assert "scale" in by_technology["airflow"].dimensions
    assert "scale" not in by_technology["dbt"].dimensions
    assert [board.part for board in leaderboards([GOOD], "difficulty")] == ["easy", "hard"]
    assert [board.part for board in leaderboards([GOOD], "responsibility")] == ["modelling"]


def test_a_dimensions_table_counts_the_trials_that_passed_all_of_it():
    boards = {board.part: board for board in leaderboards([GOOD, POOR], "dimension")}
    [good, poor] = boards["quality"].rows()
    assert (good["score"], good["resolved"]) == (pytest.approx(15 / 16), pytest.approx(6 / 16))
    assert (poor["score"], poor["resolved"]) == (pytest.approx(0.1), 0.0)
    [scale, _] = boards["scale"].rows()
    assert (scale["planned"], scale["graded"], scale["score"]) == (8, 8, 1.0)


def test_every_form_names_the_part():
    boards = leaderboards([GOOD], "technology")
    assert "## suite core · 8 tasks · technology dbt" in rendering.as_markdown(boards)
    tables = json.loads(rendering.as_json(boards))["tables"]
    assert [(table["by"], table["part"]) for table in tables] == [
        ("technology", part) for part in ("airflow", "dbt", "sql")
    ]
    blocks = [list(csv.DictReader(io.StringIO(block))) for block in rendering.as_csv(boards).split("\n\n")]
    assert [block[0]["technology"] for block in blocks] == ["airflow", "dbt", "sql"]
    assert "technology dbt" in as_html(boards)


def test_html_holds_no_markup_of_others():
    hostile = Run(run_record(model="<script>alert(1)</script>\x1b[2J", planned=NAMES, attempts=1), GOOD.trials)
    page = as_html(leaderboards([hostile]))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_failing_and_all_passing_claim_no_certainty(value):
    found = row(configured("same", lambda number: value))
    assert (found["score"], found["resolved"]) == (value, value)
    assert 0 < found["score_high"] - found["score_low"] < 0.3
    assert found["rank"] == 1


def test_one_task_has_no_interval():
    record = run_record(planned=NAMES[:1], attempts=2)
    found = row(Run(record, [trial_record(NAMES[0], attempt, 0.5) for attempt in (1, 2)]))
    assert (found["score"], found["score_low"], found["score_high"]) == (0.5, None, None)
