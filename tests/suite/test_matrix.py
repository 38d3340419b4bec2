"""The bundled suite's graders are proven: every solution of every task loses exactly the checks it should.

The engines are the same in both sandboxes, so the everyday tests execute the reference in another hidden world in each,
and alternates, lies and some mutants in one of them, in turns, and a tried solution where an engine keeps something in
the folder; of tasks whose engine starts slowly, only the reference
in the first world. The rest of the matrix, which `bench verify --sandbox NAME` executes too, is marked nightly.
"""

from __future__ import annotations

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
            marks=[getattr(pytest.mark, sandbox), pytest.mark.engines, *marks(turn, case, number)],
        )
        for turn, sandbox in enumerate(SANDBOXES)
        for task in load_suite()
        for number, case in enumerate(cases(task, HIDDEN_SEEDS))
    ]


def marks(turn: int, case: Case, number: int) -> list[pytest.MarkDecorator]:
    first_world, its_turn = case.seed == HIDDEN_SEEDS[0], turn == number % 2
    if starts_slowly(case.task):
        of_reference = SANDBOXES.index(everyday_sandbox(case.task, 0))
        proven = first_world and case.kind == "reference" and turn == of_reference
        return [] if proven else [pytest.mark.nightly]
    everyday = {
        "reference": turn == HIDDEN_SEEDS.index(case.seed),
        "alternate": first_world and its_turn,
        "nop": its_turn,
        "lies": its_turn,
        "tried": its_turn and any(glob.startswith("!") for glob in case.task.takes),
        "mutant": its_turn and case.name in everyday_mutants(case.task),
    }
    return [] if everyday[case.kind] else [pytest.mark.nightly]


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
