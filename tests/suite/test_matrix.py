"""The bundled suite's graders are proven: every solution of every task loses exactly the checks it should.

Every day this executes the reference of the first task on each set of engines that start slowly, and of each other task
the reference, an alternate in another hidden world and a mutant. The engines are the same in both sandboxes, so one
reference for each environment is executed in Docker, and all else in bubblewrap, which is quicker. The rest of the
matrix, which `bench verify --sandbox NAME` executes too, is marked nightly.
"""

from __future__ import annotations

import functools

import pytest

from harness import discovery
from harness.grading import suite_contract
from harness.sandboxes import _choice
from harness.task import HIDDEN_SEEDS, Task, load_suite
from harness.task_problems import task_problems
from harness.verify import Case, cases, judge, telling_mutants
from tests.conftest import SANDBOXES
from tests.turns import everyday_sandbox


def matrix() -> list[object]:
    return [
        pytest.param(
            sandbox,
            case,
            id=f"{sandbox}-{case.task.id}-{case.label}-{case.seed}".replace(" ", "-"),
            marks=[getattr(pytest.mark, sandbox), pytest.mark.engines, *marks(sandbox, case)],
        )
        for sandbox in SANDBOXES
        for task in load_suite()
        for case in cases(task, HIDDEN_SEEDS)
    ]


def marks(sandbox: str, case: Case) -> list[pytest.MarkDecorator]:
    task = case.task
    if case.kind == "reference":
        everyday = (sandbox, case.seed) == (sandboxes_of_references().get(task.id), HIDDEN_SEEDS[0])
    else:
        quick = sandbox == "bubblewrap" and not starts_slowly(task)
        everyday = quick and {
            "alternate": case.seed == HIDDEN_SEEDS[1] and case.name == next(iter(task.alternates)),
            "mutant": case.name == everyday_mutant(task),
        }.get(case.kind, False)
    return [] if everyday else [pytest.mark.nightly]


@functools.cache
def sandboxes_of_references() -> dict[str, str]:
    """Of each task whose reference is executed every day: in Docker the last one of an environment."""
    first: dict[object, Task] = {}
    for task in load_suite():
        first.setdefault(task.manifest.engines if starts_slowly(task) else task.id, task)
    last = {task.manifest.environment: task.id for task in first.values()}
    return {
        task.id: everyday_sandbox(task, 0) if task.id == last[task.manifest.environment] else "bubblewrap"
        for task in first.values()
    }


def starts_slowly(task: Task) -> bool:
    return any(discovery.load("harness.engines", name).ENGINE.starts_slowly for name in task.manifest.engines)


def everyday_mutant(task: Task) -> str:
    """The first of those that together fail every check."""
    telling = telling_mutants(task)
    return next(name for name in task.mutants if name in telling)


@pytest.mark.parametrize("task", load_suite(), ids=lambda task: task.id)
def test_a_task_is_whole(task: Task) -> None:
    assert not task_problems(task)


@pytest.mark.parametrize(("sandbox", "case"), matrix())
def test_a_solution_loses_exactly_what_it_breaks(sandbox: str, case: Case) -> None:
    verdict = judge(case, _choice.load(sandbox), suite_contract())
    assert not verdict.problems, "\n".join(verdict.problems)
