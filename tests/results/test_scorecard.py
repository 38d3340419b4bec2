"""The scorecard of a run: which clause was obeyed in how many trials, and which trials didn't obey it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from harness import cli
from results import scorecard_rendering as rendering
from results.comparison import compare
from results.comparison_rendering import as_markdown as comparison_as_markdown
from results.records import CheckRecord, PersonaRecord
from results.run_directory import RunDirectory
from results.scorecard import Scorecard, scorecard
from results.statistics import wilson
from tests.results.builders import trial_record
from tests.results.comparisons import graded, on_disk, task_names

GOOD, REPEATS = (True,) * 4, (True, False, True, True)
TASKS = task_names(3)
CLAUSE = "constraints/idempotent-pipelines"


def check(name: str, *clauses: str, passed: bool = True, weight: float = 1.0, evidence: str = "") -> CheckRecord:
    return CheckRecord(
        id=name,
        dimension="quality",
        clauses=clauses,
        weight=weight,
        required=True,
        passed=passed,
        evidence=evidence,
    )


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Of six trials one doesn't obey, another one is invalid."""
    done = [graded(task, attempt, GOOD) for task in TASKS for attempt in (1, 2)]
    done[3] = graded(TASKS[1], 2, REPEATS)
    done[5] = trial_record(TASKS[2], 2, None)
    return on_disk(tmp_path / "run", done)


def test_a_clause_is_obeyed_in_so_many_trials(run: RunDirectory) -> None:
    card = scorecard(run)
    row = card.row(CLAUSE)
    assert row is not None
    assert (row.obeyed, row.trials, row.checks) == (4, 5, ("rerun_changes_nothing",))
    assert [(one.task, one.attempt) for one in row.failing] == [(TASKS[1], 2)]
    assert row.failing[0].checks == (("rerun_changes_nothing", "rerun_changes_nothing: 3 rows differ"),)
    assert row.failing[0].folder.path == run.path / "trials" / "sql--task-001" / "2"
    assert (card.coverage.planned, card.coverage.graded, card.coverage.invalid) == (6, 5, 1)
    assert [other.failing for other in card.rows if other.clause != CLAUSE] == [(), (), ()]
    assert card.row("constraints/nobody-tests-this") is None


def test_the_interval_has_the_task_as_unit(tmp_path: Path) -> None:
    run = on_disk(tmp_path / "run", [graded(task, attempt, GOOD) for task in TASKS for attempt in range(1, 9)])
    row = scorecard(run).row(CLAUSE)
    assert row is not None
    # 24 trials at three tasks that all came out alike are worth three.
    assert (row.estimate.low, row.estimate.high) == pytest.approx(wilson(3, 3))


def test_every_check_that_names_a_clause_must_pass(tmp_path: Path) -> None:
    checks = (
        check("one", "a/b", "a/c"),
        check("two", "a/b", passed=False),
        check("no-weight", "a/c", weight=0, passed=False),
    )
    run = on_disk(tmp_path / "run", [trial_record(TASKS[0], 1, 0.5, checks=checks)])
    rows = {row.clause: (row.obeyed, row.trials, row.checks) for row in scorecard(run).rows}
    assert rows == {"a/b": (0, 1, ("one", "two")), "a/c": (1, 1, ("one",))}


def terminal(*cards: Scorecard) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(rendering.for_terminal(cards, [{CLAUSE: "line 7: Run twice, change nothing"}] * len(cards)))
    return console.export_text()


def test_every_form_shows_rates_words_and_the_failing_trials(run: RunDirectory) -> None:
    card, said = scorecard(run), {CLAUSE: "line 7: Run twice, change nothing"}
    text = terminal(card)
    assert "4 of 5" in text
    assert "line 7: Run twice, change nothing" in text
    assert f"{CLAUSE}: not obeyed in 1 of 5 trials" in text
    assert "sql/task-001 #2 rerun_changes_nothing" in text
    assert "1 trials are invalid (the world failed) and left out" in text
    markdown = rendering.as_markdown([card], [said])
    assert f"({run.path.as_posix()}/trials/sql--task-001/2)" in markdown
    (found,) = json.loads(rendering.as_json([card], [said]))["runs"]
    (row,) = [row for row in found["clauses"] if row["clause"] == CLAUSE]
    assert (row["obeyed"], row["trials"], row["says"]) == (4, 5, said[CLAUSE])
    assert row["failing"][0]["folder"] == str(run.path / "trials" / "sql--task-001" / "2")
    assert [row["says"] for row in found["clauses"] if row["clause"] != CLAUSE] == [None] * 3


def test_two_runs_stand_side_by_side(run: RunDirectory, tmp_path: Path) -> None:
    other = on_disk(tmp_path / "other", [graded(task, 1, REPEATS) for task in TASKS])
    text = terminal(scorecard(run), scorecard(other))
    (row,) = [line for line in text.splitlines() if line.strip().startswith(f"{CLAUSE} ")]
    assert row.index("4 of 5") < row.index("0 of 3")
    assert f"#2: {CLAUSE}: not obeyed in 3 of 3 trials" in text


def test_a_clause_that_is_said_and_not_tested_is_told_from_one_that_is_not_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    says = PersonaRecord(
        name="says",
        digest="d",
        text="# Constraints\n\n- Every pipeline is idempotent: running it again changes nothing\n",
    )
    clause = "constraints/always-implement-idempotent-pipelines"
    tested = (check("one", clause),)
    other = (check("two", "a/b"),)
    on_disk(tmp_path / "tested", [trial_record(TASKS[0], 1, 1.0, checks=tested)], persona=says)
    on_disk(tmp_path / "untested", [trial_record(TASKS[0], 1, 1.0, checks=other)], persona=says)
    silent = PersonaRecord(name="silent", digest="e", text="Be kind.")
    on_disk(tmp_path / "silent", [trial_record(TASKS[0], 1, 1.0, checks=other)], persona=silent)
    assert cli.execute(["scorecard", "tested", "untested", "silent", "--markdown"]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith(f"| {clause}")]
    assert [cell.strip() for cell in row.split("|")][2:-1] == ["1 of 1", "not tested", "–, not said"]


def test_compare_shows_two_personas_by_clause(tmp_path: Path) -> None:
    sides = []
    for name, passed in (("old", GOOD), ("new", REPEATS)):
        persona = PersonaRecord(name=name, digest=f"d-{name}", text=name)
        sides.append(on_disk(tmp_path / name, [graded(task, 1, passed) for task in TASKS], persona=persona))
    told = comparison_as_markdown(compare(*sides))
    (row,) = [line for line in told.splitlines() if CLAUSE in line and line.startswith("|")]
    assert row.index("3 of 3") < row.index("0 of 3")


def test_what_a_model_wrote_commands_no_terminal(tmp_path: Path) -> None:
    hostile = "\x1b[2J\x1b]0;owned\x07</summary><script>| [x](http://evil)"
    checks = (check("one", "a/\x1b[31mb|<i>", passed=False, evidence=hostile),)
    card = scorecard(on_disk(tmp_path / "run", [trial_record(TASKS[0], 1, 0.0, checks=checks)]))
    markdown = rendering.as_markdown([card], [{}])
    for form in (terminal(card), markdown, rendering.as_json([card], [{}])):
        assert "\x1b" not in form
        assert "owned" not in form
    assert "<script>" not in markdown.replace("\\<script>", "")
    assert "](http://evil)" not in markdown.replace("\\[x](http://evil)", "")
