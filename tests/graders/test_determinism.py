"""The same submission is graded the same, however often."""

from __future__ import annotations

from pathlib import Path

import pytest

from graders.grade import Grade, grade
from harness.grading import suite_contract
from harness.sandboxes import _choice
from harness.submission import Submission
from harness.task import HIDDEN_SEEDS, Task, load_suite
from tests.turns import in_both

TINY = {task.id: task for task in load_suite(str(Path(__file__).parents[1] / "attacks" / "suite"))}
CORE = {task.id: task for task in load_suite()}
CHEAPEST = [TINY["shell/tiny-total"], TINY["sql/tiny-load"]]


def told(found: Grade) -> tuple[object, ...]:
    """All of a grade but how long it took."""
    return (found.score, found.resolved, found.checks, found.notes, found.tampering)


def is_graded_alike(task: Task, submission: Submission, sandbox: str, times: int) -> None:
    grades = [grade(task, submission, _choice.load(sandbox), HIDDEN_SEEDS[0], suite_contract()) for _ in range(times)]
    assert [told(found) for found in grades] == [told(grades[0])] * times


@pytest.mark.engines
@pytest.mark.parametrize("task", CHEAPEST, ids=lambda task: task.id)
@pytest.mark.parametrize("sandbox", in_both("bubblewrap"))
def test_grading_three_times_is_grading_once(task: Task, sandbox: str) -> None:
    """Right work, and work that fails for the reason that its evidence gives."""
    is_graded_alike(task, task.reference, sandbox, 3)
    is_graded_alike(task, task.workspace, sandbox, 3)


@pytest.mark.nightly
@pytest.mark.engines
@pytest.mark.parametrize("task", CORE.values(), ids=lambda task: task.id)
@pytest.mark.parametrize("sandbox", in_both("bubblewrap"))
def test_grading_twenty_times_is_grading_once(task: Task, sandbox: str) -> None:
    is_graded_alike(task, task.reference, sandbox, 20)


@pytest.mark.nightly
@pytest.mark.engines
@pytest.mark.bubblewrap
@pytest.mark.parametrize("task", CORE.values(), ids=lambda task: task.id)
def test_a_mutant_loses_the_same_checks_twenty_times(task: Task) -> None:
    """With evidence that may differ: a line number, a server's own name for a session."""
    submission = next(iter(task.mutants.values()))[1]
    grades = [grade(task, submission, _choice.load("bubblewrap"), HIDDEN_SEEDS[0], suite_contract()) for _ in range(20)]
    assert {found.failed for found in grades} == {grades[0].failed}
    assert {found.score for found in grades} == {grades[0].score}
