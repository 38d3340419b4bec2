"""The bundled suite's graders are proven: every solution of every task loses exactly the checks it should.

The engines are the same in both sandboxes, so the everyday tests execute the reference in Docker, and in bubblewrap,
which is quicker, alternates in another hidden world, lies, some mutants, and a tried solution where an engine keeps
something in the folder. Of tasks whose engine starts slowly, they execute only the reference, in Docker one for each
environment. The rest of the matrix, which `bench verify --sandbox NAME` executes too, is marked nightly.
"""

from __future__ import annotations

import functools

import pytest

from harness import discovery
from harness.grading import suite_contract
from harness.sandboxes import _choice
from harness.task import HIDDEN_SEEDS, Task, load_suite
from harness.verify import Case, cases, judge, task_problems, telling_mutants
from tests.turns import SANDBOXES, everyday_sandbox

EVERYDAY_MUTANTS = 2  # a task


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
    if case.kind == "reference":
        everyday = (sandbox, case.seed) == (sandbox_of_reference(case.task), HIDDEN_SEEDS[0])
    else:
        quick = sandbox == "bubblewrap" and not starts_slowly(case.task)
        everyday = quick and {
            "alternate": case.seed == HIDDEN_SEEDS[1],
            "tried": any(glob.startswith("!") for glob in case.task.takes),
            "mutant": case.name in everyday_mutants(case.task),
        }.get(case.kind, True)
    return [] if everyday else [pytest.mark.nightly]


def sandbox_of_reference(task: Task) -> str:
    is_another = starts_slowly(task) and last_slow_ones()[task.manifest.environment] != task.id
    return "bubblewrap" if is_another else everyday_sandbox(task, 0)


@functools.cache
def last_slow_ones() -> dict[str, str]:
    """By environment, the last of its tasks whose engine starts slowly."""
    return {task.manifest.environment: task.id for task in load_suite() if starts_slowly(task)}


def starts_slowly(task: Task) -> bool:
    return any(discovery.load("harness.engines", name).ENGINE.starts_slowly for name in task.manifest.engines)


def everyday_mutants(task: Task) -> list[str]:
    """The first of those that together fail every check."""
    telling = telling_mutants(task)
    return [name for name in task.mutants if name in telling][:EVERYDAY_MUTANTS]


@pytest.mark.parametrize("task", load_suite(), ids=lambda task: task.id)
def test_a_task_is_whole(task: Task) -> None:
    assert not task_problems(task)


@pytest.mark.parametrize(("sandbox", "case"), matrix())
def test_a_solution_loses_exactly_what_it_breaks(sandbox: str, case: Case) -> None:
    verdict = judge(case, _choice.load(sandbox), suite_contract())
    assert not verdict.problems, "\n".join(verdict.problems)
