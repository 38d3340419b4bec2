"""The regression gate: what it decides, what it refuses, what it shows."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from xml.etree import ElementTree

import numpy as np
import pytest

from results import comparison_rendering as rendering
from results.comparable import NotComparable
from results.comparison import compare
from results.errors import RunDirectoryError
from results.junit import as_junit
from results.records import PersonaRecord, RunRecord, SuiteRecord, TaskRecord, TrialRecord
from results.run_directory import RunDirectory
from results.submission_diff import LARGEST, submission_diff
from tests.results.builders import trial_record
from tests.results.comparisons import CHECKS, drawn_trials, graded, on_disk, task_names, with_submission

TASKS = task_names(8)
GOOD = (True, True, True, True)
NOT_IDEMPOTENT = (True, False, True, True)


def same(passed: tuple[bool, ...], attempts: int = 2, tasks: tuple[str, ...] = TASKS, **changes) -> list[TrialRecord]:
    return [graded(task, attempt, passed, **changes) for task in tasks for attempt in range(1, attempts + 1)]


@pytest.fixture
def pair(tmp_path):
    """Makes a comparison of two lists of trials."""

    def make(before, after, margin=0.02, baseline=None, candidate=None):
        one = on_disk(tmp_path / "base", before, **(baseline or {}))
        return compare(one, on_disk(tmp_path / "candidate", after, **(candidate or {})), margin)

    return make


def text_of(comparison, **options) -> str:
    import io

    from rich.console import Console

    console = Console(file=io.StringIO(), width=200, highlight=False)
    console.print(rendering.for_terminal(comparison, **options))
    return console.file.getvalue()


# The verdict


def test_a_loss_in_one_dimension_is_found_and_named(pair):
    found = pair(same(GOOD), same(NOT_IDEMPOTENT))
    assert found.verdict == "regressed"
    assert {row.name: row.verdict for row in found.dimensions} == {
        "correctness": "underpowered",
        "deliverable": "underpowered",
        "idempotency": "regressed",
        "late_data": "underpowered",
    }
    assert (found.score.baseline, found.score.candidate) == (1.0, 0.75)
    assert found.row("constraints/idempotent-pipelines").verdict == "regressed"
    assert found.row("constraints/late-data").verdict == "underpowered"


def test_p_is_adjusted_over_the_rows_of_the_gate(pair):
    found = pair(same(GOOD), same(NOT_IDEMPOTENT))
    # All 8 tasks worse in score, resolved and idempotency: 1/256 each. Six rows, the score weighs 5 of 10:
    # p / weight puts the score first, 1/256 · 10/5; then resolved with 1/256 · 5/1.
    assert found.score.p == pytest.approx(2 / 256)
    assert found.resolved.p == found.row("idempotency").p == pytest.approx(5 / 256)
    assert found.row("correctness").p == 1.0


def test_no_change_with_enough_tasks_is_no_regression(pair):
    random = np.random.default_rng(3)
    skills = dict.fromkeys(task_names(150), 0.99)
    found = pair(drawn_trials(skills, 4, random), drawn_trials(skills, 4, random), margin=0.02)
    assert found.verdict == "not regressed"
    assert not found.fails("underpowered")


def test_few_tasks_that_did_not_change_are_underpowered_and_fail_only_if_asked(pair):
    found = pair(same(GOOD), same(GOOD))
    assert found.verdict == "underpowered"
    assert not found.fails("regression")
    assert found.fails("underpowered")
    assert "`bench plan` says what would show it" in text_of(found)


def test_too_few_tasks_are_told_from_too_few_attempts(pair):
    tasks = TASKS[:3]
    found = pair(same(GOOD, tasks=tasks), same((False,) * 4, tasks=tasks))
    assert found.verdict == "underpowered"
    assert "with 3 tasks not even a loss on every one is evidence" in text_of(found)


def test_one_task_is_compared_without_an_interval(pair):
    found = pair(same(GOOD, tasks=TASKS[:1]), same((False,) * 4, tasks=TASKS[:1]))
    assert (found.verdict, found.score.difference.low) == ("underpowered", None)
    assert "with 1 task not even" in text_of(found)
    assert json.loads(rendering.as_json(found, fail_on="regression", failed=False))["score"]["low"] is None


def test_the_margin_is_what_is_accepted(pair, tmp_path):
    random = np.random.default_rng(4)
    tasks = task_names(80)
    before = drawn_trials(dict.fromkeys(tasks, 0.97), 4, random)
    after = drawn_trials(dict.fromkeys(tasks, 0.9), 4, random)
    assert pair(before, after, margin=0.02).verdict == "regressed"
    one, other = RunDirectory.open(tmp_path / "base"), RunDirectory.open(tmp_path / "candidate")
    wide = compare(one, other, margin=0.3)
    assert wide.verdict == "not regressed"
    assert {row.verdict for row in wide.gate} == {"not regressed"}


def test_what_a_task_is_not_measured_by_is_paired_where_it_is(pair):
    extra = [graded(TASKS[0], 1, GOOD, dimensions={"scale": 1.0}), *same(GOOD, tasks=TASKS[1:])]
    found = pair(extra, extra)
    assert found.row("scale").difference.tasks == 1
    assert found.row("idempotency").difference.tasks == 7
    with pytest.raises(KeyError):
        found.row("lineage")


# Invalid and missing trials


def test_invalid_trials_are_shown_with_coverage_and_both_treatments(pair):
    after = [*same(GOOD, attempts=1), *(trial_record(task, 2, None) for task in TASKS)]
    found = pair(same(GOOD), after)
    assert (found.verdict, found.verdict_as_zero) == ("underpowered", "regressed")
    assert (found.coverage[1].graded, found.coverage[1].invalid) == (8, 8)
    assert found.score_as_zero.difference.value == -0.5
    shown = text_of(found)
    assert "candidate: 8 of 16 trials invalid (the world failed) and left out" in shown
    assert "if invalid trials count as zero: regressed, score 1.000 → 0.500 (-0.500)" in shown


def test_an_invalid_trial_counted_as_zero_is_zero_in_what_its_task_is_measured_by(pair):
    after = [*same(GOOD, attempts=1), *(trial_record(task, 2, None) for task in TASKS)]
    found = pair(same(GOOD), [*after])
    as_zero = json.loads(rendering.as_json(found, fail_on="regression", failed=False))
    assert as_zero["score_invalid_as_zero"]["candidate"] == 0.5
    assert as_zero["coverage"]["candidate"] == {
        "planned": 16,
        "graded": 8,
        "invalid": 8,
        "missing": 0,
        "fraction": 0.5,
    }


def test_a_task_without_a_grade_in_one_run_is_left_out_and_named(pair):
    after = [*same(GOOD, tasks=TASKS[1:]), trial_record(TASKS[0], 1, None)]
    found = pair(same(GOOD), after, candidate={"planned": TASKS})
    assert found.score.difference.tasks == 7
    assert f"left out, for they have a grade in one run only: {TASKS[0]}" in text_of(found)


def test_a_partial_run_is_told_with_how_to_go_on(pair, tmp_path):
    found = pair(same(GOOD), same(GOOD, attempts=1), candidate={"attempts": 2})
    assert f"the candidate is partial: 8 of 16 trials not finished; go on with: bench run --resume {tmp_path}" in (
        text_of(found)
    )


@pytest.mark.parametrize("after", [[], [trial_record(task, 1, None) for task in TASKS]])
def test_nothing_to_compare_is_an_error_and_no_number(pair, after):
    with pytest.raises(RunDirectoryError, match="no task has a grade in both"):
        pair(same(GOOD), after, candidate={"planned": TASKS})


# What is refused


@pytest.mark.parametrize(
    ("changes", "told", "mend"),
    [
        ({"simulated": True}, "simulated and .* is real", "only"),
        ({"suite": SuiteRecord(name="other", digest="x")}, "suite 'core'", "suite"),
        ({"planned": TASKS[:7]}, TASKS[7], "bench run"),
        (
            {"tasks": {task: TaskRecord(digest="new", grader_digest="g") for task in TASKS}},
            "changed between the two runs: .* and 4 more",
            "no regrade mends",
        ),
        ({"seeds": (1, 2, 3)}, "different worlds", "again"),
        (
            {"tasks": {task: TaskRecord(digest=f"d-{task}", grader_digest="new") for task in TASKS}},
            "graded by different checks",
            r"bench regrade \S+base; bench regrade \S+candidate",
        ),
    ],
)
def test_what_is_not_alike_is_refused_with_what_would_mend_it(pair, changes, told, mend):
    after = [trial for trial in same(GOOD) if trial.task in changes.get("planned", TASKS)]
    with pytest.raises(NotComparable, match=told) as caught:
        pair(same(GOOD), after, candidate=changes)
    assert re.search(mend, caught.value.mend)
    assert caught.value.exit_code == 2


def test_a_regraded_run_is_compared_though_its_suites_digest_is_old(pair):
    assert pair(same(GOOD), same(GOOD), candidate={"suite": SuiteRecord(name="core", digest="old")})


def test_what_is_compared_and_what_could_be_mistaken_for_it_is_said(pair):
    changes = {
        "persona": PersonaRecord(name="mine", digest="0123456789", text="x"),
        "model": "openai/\x1b[2Jother",
        "parameters": {"effort": "high"},
        "environments": {"core": "1"},
        "sandbox": "bubblewrap",
    }
    shown = text_of(pair(same(GOOD), same(GOOD), candidate=changes))
    assert "persona: data-engineer@abcdef0 → mine@0123456" in shown
    assert "model: anthropic/some-model → openai/other" in shown
    assert "parameters: – → effort=high" in shown
    assert "the engines' environments differ" in shown
    assert "the sandboxes differ: docker and bubblewrap" in shown


# What turned, and what it cost


def test_tasks_that_turned_show_both_sides(pair, tmp_path):
    before = [graded(TASKS[0], 1, GOOD), graded(TASKS[0], 2, NOT_IDEMPOTENT), graded(TASKS[1], 1, NOT_IDEMPOTENT)]
    after = [graded(TASKS[0], 1, NOT_IDEMPOTENT), graded(TASKS[0], 2, NOT_IDEMPOTENT), graded(TASKS[1], 1, GOOD)]
    found = pair(before, after)
    worse, better = found.flips
    assert (worse.kind, worse.task, better.kind, better.task) == (
        "newly failing",
        TASKS[0],
        "newly passing",
        TASKS[1],
    )
    assert (worse.baseline.resolved, worse.baseline.graded, worse.candidate.resolved) == (1, 2, 0)
    assert worse.checks == (("rerun_changes_nothing", "rerun_changes_nothing: 3 rows differ"),)
    assert worse.candidate.folder.transcript == tmp_path / "candidate/trials/sql--task-000/1/transcript.jsonl"
    assert [check for check, _ in better.checks] == ["rerun_changes_nothing"]
    assert f"newly failing: {TASKS[0]} (1/2 → 0/2 resolved)" in text_of(found)


def test_attempts_of_the_same_world_are_shown_side_by_side(pair):
    before = [graded(TASKS[0], attempt, GOOD) for attempt in (1, 2, 3)]
    after = [graded(TASKS[0], attempt, GOOD if attempt < 3 else NOT_IDEMPOTENT) for attempt in (1, 2, 3)]
    [flip] = pair(before, after).flips
    assert (flip.baseline.attempt, flip.candidate.attempt) == (3, 3)


def test_mcnemar_counts_tasks_that_turned(pair):
    before, after = same(GOOD, attempts=3), same(GOOD, attempts=3, tasks=TASKS[5:])
    found = pair(before, [*same(NOT_IDEMPOTENT, attempts=3, tasks=TASKS[:5]), *after])
    assert found.turned.worse == pytest.approx(1 / 32)


def test_changes_of_cost_and_time_are_ratios_with_intervals(pair):
    costs = [graded(task, 1, GOOD, cost=Decimal(number) / 10) for number, task in enumerate(TASKS, start=1)]
    double = [trial.model_copy(update={"cost": trial.cost * 2}) for trial in costs]
    cost = pair(costs, double).expenses[0]
    assert (cost.name, cost.baseline, cost.candidate) == ("cost", pytest.approx(0.45), pytest.approx(0.9))
    assert (cost.ratio, cost.low, cost.high) == pytest.approx((2.0, 2.0, 2.0))


def test_one_unknown_cost_makes_the_change_unknown(pair):
    after = same(GOOD)
    after[3] = after[3].model_copy(update={"cost": None})
    found = pair(same(GOOD), after)
    assert (found.expenses[0].candidate, found.expenses[0].ratio) == (None, None)
    assert "cost a trial: $0.1000 → unknown\n" in re.sub(" +\n", "\n", text_of(found))


# Forms


def test_hostile_evidence_becomes_no_markup(pair):
    evil = "x\x1b]0;owned\x07 ``` </details><script>alert(1)</script> @everyone\n| a | b |\x9b2J"
    after = same(NOT_IDEMPOTENT)
    checks = tuple(check.model_copy(update={"evidence": evil}) for check in after[0].checks)
    after[0] = after[0].model_copy(update={"checks": checks})
    found = pair(same(GOOD), after, candidate={"model": "evil/<b>|`x"})
    markdown, terminal = rendering.as_markdown(found), text_of(found)
    for form in (markdown, terminal, as_junit(found, "regression").decode()):
        assert not any(character in form for character in "\x1b\x07\x9b")
        assert "owned" not in form
    [line] = [line for line in markdown.splitlines() if "<script" in line]
    start = markdown.splitlines().index(line)
    assert markdown.splitlines()[start - 1] == "````"
    assert r"evil/\<b>\|\`x" in markdown


def test_junit_fails_what_regressed_and_skips_what_is_undecided(pair):
    root = ElementTree.fromstring(as_junit(pair(same(GOOD), same(NOT_IDEMPOTENT)), "regression"))
    suite = root.find("testsuite")
    assert suite is not None
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped")} == {
        "tests": "7",
        "failures": "4",
        "skipped": "3",
    }
    failed = [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None]
    assert failed == ["verdict", "score", "resolved", "idempotency"]


def test_junit_fails_the_verdict_for_being_underpowered_only_if_asked(pair):
    found = pair(same(GOOD), same(GOOD))
    verdicts = [
        ElementTree.fromstring(as_junit(found, reason)).find("testsuite/testcase[@name='verdict']")
        for reason in ("regression", "underpowered")
    ]
    assert [next(iter(case)).tag for case in verdicts if case is not None] == ["skipped", "failure"]


def test_simulated_comparisons_are_marked_in_every_form(pair):
    found = pair(same(GOOD), same(GOOD), baseline={"simulated": True}, candidate={"simulated": True})
    assert text_of(found).startswith("SIMULATED · underpowered")
    assert rendering.as_markdown(found).startswith("## SIMULATED · ")
    assert json.loads(rendering.as_json(found, fail_on="regression", failed=False))["simulated"] is True


def test_clauses_are_shown_on_demand(pair):
    found = pair(same(GOOD), same(GOOD))
    assert "constraints/late-data" not in text_of(found)
    assert "constraints/late-data" in text_of(found, clauses=True)
    assert len(found.clauses) == len(CHECKS)


# Diffs of submissions


@pytest.fixture
def submissions(tmp_path):
    run = on_disk(tmp_path / "r", [])
    yield lambda **files: (
        [with_submission(run, TASKS[0], attempt, files[side]) for attempt, side in enumerate(("old", "new"), start=1)],
        submission_diff(run.trial(TASKS[0], 1).submission, run.trial(TASKS[0], 2).submission),
    )[1]


def test_a_diff_shows_changed_new_and_removed_files(submissions):
    assert submissions(
        old={"a.sql": "select 1\nfrom a\n", "gone.txt": "x\n", "same": "s"},
        new={"a.sql": "select 2\nfrom a\n", "dir/new.txt": "y\n", "same": "s"},
    ).splitlines() == [
        "--- a/a.sql",
        "+++ b/a.sql",
        "@@ -1,2 +1,2 @@",
        "-select 1",
        "+select 2",
        " from a",
        "--- /dev/null",
        "+++ b/dir/new.txt",
        "@@ -0,0 +1 @@",
        "+y",
        "--- a/gone.txt",
        "+++ /dev/null",
        "@@ -1 +0,0 @@",
        "-x",
    ]


def test_equal_submissions_have_no_diff(submissions):
    assert submissions(old={"a": "x"}, new={"a": "x"}) == ""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"\xff\xfe", b"x", "a: binary, differs\n"),
        (b"\0", b"x", "a: binary, differs\n"),
        (b"x" * (LARGEST + 1), b"x", f"a: too large to compare ({LARGEST + 1:,} bytes and 1 bytes)\n"),
        (b"x\n" * 9000, b"x", "a: too many lines to compare (9,000 and 1)\n"),
    ],
)
def test_what_cannot_be_compared_line_by_line_is_said(submissions, old, new, told):
    assert submissions(old={"a": old}, new={"a": new}) == told


def test_a_diff_drives_no_terminal_and_follows_no_link(submissions, tmp_path):
    assert "\x1b" not in submissions(old={"a": "x"}, new={"a": "\x1b[2Jy"})
    link = tmp_path / "r/trials/sql--task-000/2/submission/link"
    link.symlink_to("/etc/passwd")
    assert "link" not in submission_diff(link.parent.parent.parent / "1/submission", link.parent)


def test_a_missing_submission_is_said(tmp_path):
    assert submission_diff(tmp_path / "a", tmp_path / "b").count("there is no") == 2


def test_records_made_for_these_tests_are_whole(tmp_path):
    run = on_disk(tmp_path / "r", same(GOOD), created=datetime(2025, 1, 1, tzinfo=UTC))
    assert isinstance(RunDirectory.open(run.path).record, RunRecord)
