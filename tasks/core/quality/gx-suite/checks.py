"""Runs the suite on good files and on files with one defect each; looks at which of them it lets through."""

from __future__ import annotations

import datetime

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import must_end_well
from harness.engines.greatexpectations import GreatExpectations, Validation
from harness.lab import Lab

from .world import (
    COLUMN,
    COMPLETENESS,
    CONSISTENCY,
    EMPTINESS,
    MOMENTS,
    TIMELINESS,
    TYPES,
    UNIQUENESS,
    VALIDITY,
    World,
)

SUITE = "suite.json"
OPERATION = Operation(
    command="python -m json.tool suite.json",
    fills=(),
    every=datetime.timedelta(days=1),
    topics={
        "columns": "column header",
        "addresses": "address email family famil",
        "the day": "day today fresh newest updated",
        "missing values": "missing empty null blank",
        "the whole file": "complete whole file",
    },
)


def validate(lab: Lab, world: World, content: str) -> Validation:
    lab.deliver({"users.csv": content})
    return lab.use(GreatExpectations).validate(
        SUITE, "users.csv", types=TYPES, moments=MOMENTS, parameters={"day": world.day}
    )


@scenario
def on_good_files(lab: Lab, world: World) -> dict[str, Validation]:
    return {name: validate(lab, world, content) for name, content in world.good.items()}


@scenario
def on_bad_files(lab: Lab, world: World) -> dict[str, dict[str, Validation]]:
    lab.note("the suite was run on files with one defect each")
    return {
        kind: {name: validate(lab, world, content) for name, content in defects.items()}
        for kind, defects in world.bad.items()
    }


def shown(found: Validation) -> str:
    return "; ".join(f"{one.type} {dict(one.kwargs)} {one.raised}".strip()[:200] for one in found.failed[:3])


def assert_passes(found: Validation, name: str) -> None:
    must_end_well(found.completed, "the suite")
    assert found.expectations, "the suite has no expectation"
    assert found.success, f"a good file ({name}) doesn't pass: {shown(found)}"


def alarms(good: dict[str, Validation], found: Validation) -> list[str]:
    """What fails, but for what fails on a usual good file, too."""
    always, failed = (
        [f"{one.type} {dict(one.kwargs)}" for one in file.failed] for file in (good["as it was agreed"], found)
    )
    return [one for one in failed if one not in always]


def assert_passes_as_usual(good: dict[str, Validation], name: str, what: str) -> None:
    """Nothing fails on this good file but what fails on every one."""
    must_end_well(good[name].completed, "the suite")
    assert good["as it was agreed"].expectations, "the suite has no expectation"
    failed = alarms(good, good[name])
    assert not failed, f"{what} fails: {failed[0]}"


def assert_caught(good: dict[str, Validation], bad: dict[str, Validation]) -> None:
    """Each file fails for what it is: an expectation that fails on good files, too, tells nothing."""
    for name, found in bad.items():
        must_end_well(found.completed, f"the suite, on a file with a defect ({name})")
        assert alarms(good, found), f"a file with a defect ({name}) passes all expectations that pass on good ones"


VALIDATION = ("constraints/always-validate-data-quality", "data-quality-framework/validation-rules")


@check("correctness", clauses=VALIDATION)
def a_good_file_passes(on_good_files: dict[str, Validation]) -> None:
    for name in ("as it was agreed", "many users", "a single user", "nobody has an age or a company"):
        assert_passes(on_good_files[name], name)


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def columns_more_and_in_another_order_pass(on_good_files: dict[str, Validation]) -> None:
    assert_passes_as_usual(
        on_good_files, "other columns, another order", "a file with columns that don't concern us, in another order"
    )


@check("correctness", clauses=VALIDATION)
def every_expectation_is_run(on_good_files: dict[str, Validation]) -> None:
    found = on_good_files["as it was agreed"]
    must_end_well(found.completed, "the suite")
    assert found.expectations, "the suite has no expectation"
    raised = [f"{one.type} {dict(one.kwargs)}: {one.raised}" for one in found.expectations if one.raised]
    assert not raised, f"expectations that can't be run: {'; '.join(raised[:3])}"


@check("quality", clauses=[*VALIDATION, "data-quality-framework/completeness"])
def a_missing_value_fails(on_good_files: dict[str, Validation], on_bad_files: dict[str, dict[str, Validation]]) -> None:
    assert_caught(on_good_files, on_bad_files[COMPLETENESS])


@check("quality", clauses=[*VALIDATION, "data-quality-framework/uniqueness"])
def a_user_who_is_there_twice_fails(
    on_good_files: dict[str, Validation], on_bad_files: dict[str, dict[str, Validation]]
) -> None:
    assert_caught(on_good_files, on_bad_files[UNIQUENESS])


@check("quality", clauses=[*VALIDATION, "data-quality-framework/validity"])
def a_value_of_another_form_fails(
    on_good_files: dict[str, Validation], on_bad_files: dict[str, dict[str, Validation]]
) -> None:
    assert_caught(on_good_files, on_bad_files[VALIDITY])


@check("quality", clauses=[*VALIDATION, "data-quality-framework/consistency"])
def fields_that_disagree_fail(
    on_good_files: dict[str, Validation], on_bad_files: dict[str, dict[str, Validation]]
) -> None:
    assert_caught(on_good_files, on_bad_files[CONSISTENCY])


@check("late_data", clauses=[*VALIDATION, "data-quality-framework/timeliness"])
def an_old_file_fails(on_good_files: dict[str, Validation], on_bad_files: dict[str, dict[str, Validation]]) -> None:
    assert_caught(on_good_files, on_bad_files[TIMELINESS])
    assert_passes_as_usual(
        on_good_files, "changed at midnight", "a file whose newest change is of the day's first moment"
    )


@check("durability", clauses=["constraints/never-lose-data", "data-quality-framework/completeness"])
def a_file_without_users_fails(
    on_good_files: dict[str, Validation], on_bad_files: dict[str, dict[str, Validation]]
) -> None:
    assert_caught(on_good_files, on_bad_files[EMPTINESS])


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def a_column_that_is_gone_fails(
    on_good_files: dict[str, Validation], on_bad_files: dict[str, dict[str, Validation]]
) -> None:
    assert_caught(on_good_files, on_bad_files[COLUMN])


# canary: b16a7930-c53c-46aa-9f7c-aa7f3074fc98
