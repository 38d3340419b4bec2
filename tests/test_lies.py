"""Whether a lie that isn't caught, and a truth that is taken for a lie, are told."""

import pytest

from graders.operation import Operation
from harness import lies
from harness.grading import suite_contract
from harness.sandboxes import _choice
from harness.task import Task, load_suite, select
from harness.verify import cases


@pytest.fixture
def task() -> Task:
    return select(load_suite(), ("sql/scd2-users",))[0]


@pytest.mark.bubblewrap
@pytest.mark.engines
def test_a_lie_that_is_not_caught_and_a_truth_that_is_not_believed(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        "no lie at all": lies.Lie(frozenset({lies.SCHEDULE}), lambda text: text),
        "more of a lie than it says": lies.Lie(frozenset(), lies.LIES["another destination"].tell),
    }
    monkeypatch.setattr(lies, "LIES", told)
    first, second = lies.lies_problems(task, _choice.load("bubblewrap"), suite_contract())
    assert first == "lie 'no lie at all': stated_schedule_is_the_one_that_runs passed"
    assert second.startswith(
        "lie 'more of a lie than it says': stated_ends_are_the_real_ones failed: "
        "Destination: '`lakehouse.page_views`, partitioned by hour' names none of dim_users"
    )


@pytest.mark.parametrize("task", load_suite(), ids=lambda task: task.id)
def test_a_task_that_says_how_it_is_operated_is_lied_about(task: Task) -> None:
    is_operated = isinstance(getattr(task.checks, "OPERATION", None), Operation)
    assert [case.kind for case in cases(task)].count("lies") == is_operated


@pytest.mark.parametrize("name", lies.LIES)
@pytest.mark.parametrize("task", load_suite(), ids=lambda task: task.id)
def test_a_lie_can_be_told_of_every_reference(task: Task, name: str) -> None:
    told = lies.LIES[name].tell(task.reference.deliverable)
    assert (told == task.reference.deliverable) == (not lies.LIES[name].breaks)
