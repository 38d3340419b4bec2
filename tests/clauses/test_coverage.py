from __future__ import annotations

from types import ModuleType

import pytest

from graders.check import check
from harness.clauses import Reading
from harness.clauses.coverage import Coverage, coverage
from harness.task import Task, load_suite
from tests.clauses.conftest import reading_of

PERSONA = """
## Responsibilities
- Design of the data warehouse
- Tracking lineage

## Expertise
- Airflow
- Snowflake

## Collaboration
### With Backend
- Write data contracts

## Constraints
- Never lose data
- Only deploy on Tuesdays

## Communication
- State assumptions
"""


@check("durability", clauses=["constraints/never-lose-data"])
def nothing_is_lost() -> None: ...


@check("correctness", clauses=["constraints/never-loose-data"])
def it_is_right() -> None: ...


@pytest.fixture
def task() -> Task:
    """A task of the suite with checks and a manifest of our own."""
    real = load_suite()[0]
    changed = {
        "id": "demo/one",
        "technologies": ("airflow",),
        "engines": ("postgres",),
        "responsibilities": ("responsibilities/data-warehouse-design", "responsibilities/typo"),
        "collaboration": ("backend", "nobody"),
    }
    task = Task(real.suite, real.folder, real.manifest.model_copy(update=changed))
    module = ModuleType("checks")
    module.__dict__.update(nothing_is_lost=nothing_is_lost, it_is_right=it_is_right)
    vars(task)["checks"] = module
    return task


@pytest.fixture
def matrix(task: Task) -> Coverage:
    return coverage(reading_of(PERSONA), [task])


def checks_for(matrix: Coverage, clause: str) -> set[tuple[str, str]]:
    return {(test.check, test.by) for row in matrix.rows if row.clause.id == clause for test in row.tests}


def test_a_check_tests_what_it_names(matrix: Coverage) -> None:
    assert checks_for(matrix, "constraints/never-lose-data") == {("nothing_is_lost", "check")}
    assert checks_for(matrix, "communication/state-assumptions") == {
        ("assumptions_about_the_source_are_stated", "check")
    }


@pytest.mark.parametrize(
    "clause",
    ["responsibilities/design-of-the-data-warehouse", "expertise/airflow", "collaboration/write-data-contracts"],
)
def test_checks_of_behaviour_test_what_their_task_lists(matrix: Coverage, clause: str) -> None:
    assert checks_for(matrix, clause) == {("nothing_is_lost", "task"), ("it_is_right", "task")}


def test_what_nobody_tests_is_told(matrix: Coverage) -> None:
    assert [clause.id for clause in matrix.uncovered] == [
        "responsibilities/tracking-lineage",
        "expertise/snowflake",
        "constraints/only-deploy-on-tuesdays",
    ]
    assert [clause.id for clause in matrix.gaps] == [
        "responsibilities/tracking-lineage",
        "constraints/only-deploy-on-tuesdays",
    ]


def test_names_that_are_no_clause_are_told_with_their_place(matrix: Coverage) -> None:
    assert matrix.unknown == (
        ("demo/one: it_is_right", "constraints/never-loose-data"),
        ("demo/one: task.toml", "responsibilities/typo"),
        ("demo/one: task.toml", "nobody"),
    )


def test_the_suite_covers_both_personas_alike(theirs: Reading, bundled: Reading) -> None:
    tasks = load_suite()
    gaps = [[name for clause in coverage(one, tasks).gaps for name in clause.canonical] for one in (theirs, bundled)]
    assert gaps[0] == gaps[1]
    assert not [name for name in gaps[0] if name.startswith(("constraints/", "communication"))]
