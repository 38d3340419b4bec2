"""Puts the submission's tests beside the given models, then beside broken and rewritten ones, and builds each."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import must_end_well
from graders.tables import assert_same_rows
from harness.engines.dbt import Dbt
from harness.engines.duckdb import DuckDB
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import (
    BROKEN,
    CUSTOMERS,
    DAILY,
    DOUBLED,
    EMPTY,
    FACT,
    LOST,
    PROMISED,
    REWRITTEN,
    SUMS,
    WRONG,
    Version,
    World,
    furnish,
    next_night,
)

# By the file of their model.
MARTS = {
    DAILY: ("daily_revenue", {"order_date": "date", "orders": "integer", "revenue": "decimal(2)"}),
    FACT: ("fct_orders", {"order_id": "text", "customer_id": "text", "status": "text", "amount": "decimal(2)"}),
    CUSTOMERS: ("dim_customers", {"customer_id": "text", "email": "text", "country": "text"}),
}
OPERATION = Operation(
    command="dbt build",
    fills=("main.fct_orders",),
    every=datetime.timedelta(days=1),
    topics={
        "versions": "version highest latest",
        "an empty export": "empty never",
        "guests": "guest account",
        "columns": "column schema",
        "a sound export": "sound customer once complete",
    },
)


@dataclass(frozen=True)
class Built:
    """How each build ended: of the right models first, which have to pass for the others to tell anything.

    ``standing`` is the mart before and after the build of each version that breaks a promise.
    """

    right: Completed
    rewritten: Completed
    night_after: Completed
    broken: dict[str, Completed]
    standing: dict[str, tuple[Table, Table]]


def models_of(lab: Lab) -> dict[str, bytes]:
    """The models as they were handed out, whatever the submission made of them."""
    return {path: content for path, content in lab.task.workspace.files.items() if path.endswith(".sql")}


def build(lab: Lab, changed: dict[str, str] | None = None) -> Completed:
    """The submission's project with these models."""
    files = {path: content.encode() for path, content in (changed or {}).items()}
    lab.box.put("work", models_of(lab) | files)
    return lab.use(Dbt).build()


def is_there(lab: Lab) -> None:
    """Something was added to the project that was handed out."""
    given = lab.task.workspace.files
    if all(given.get(path) == content for path, content in lab.submission.files.items() if path != "DELIVERABLE.md"):
        raise SubmissionFault("the project is as it was handed out: there is no test")


@scenario
def built(lab: Lab, world: World) -> Built:
    """One warehouse through all versions: dbt parses again only what changed."""
    is_there(lab)
    furnish(world, lab)
    right = build(lab)
    must_end_well(right, "dbt build of the models as they are, which are right")
    broken, standing = {}, {}
    for name, version in BROKEN.items():
        given = models_of(lab)[version.file].decode()
        assert given.count(version.find) == 1, name
        before = mart(lab, version) if name in PROMISED else None
        broken[name] = build(lab, {version.file: given.replace(version.find, version.replace)})
        if before:
            standing[name] = before, mart(lab, version)
    lab.note(f"the models were broken in {len(BROKEN)} ways: {'; '.join(BROKEN)}")
    rewritten = build(lab, REWRITTEN)
    lab.note("two models were written in other words")
    next_night(world, lab)
    lab.note("the next night's export had more orders, a customer more and a column `channel`")
    return Built(right, rewritten, build(lab), broken, standing)


def mart(lab: Lab, version: Version) -> Table:
    return lab.use(DuckDB).table(MARTS[version.file][0])


def assert_caught(built: Built, versions: Collection[str]) -> None:
    """The build of each of these versions failed, of itself."""
    green = [name for name in versions if built.broken[name].ok]
    assert not green, f"dbt build stays green though {'; and though '.join(green)}"
    for name in versions:
        ended = built.broken[name].killed
        assert not ended, f"the build of the version in which {name} was ended: {ended}"


VALIDATION = ("constraints/always-validate-data-quality", "responsibilities/data-quality-and-validation")


@check("correctness", clauses=VALIDATION)
def the_models_that_are_right_pass(built: Built) -> None:
    must_end_well(built.right, "dbt build of the models as they are, which are right")


@check("correctness", clauses=VALIDATION)
def a_model_in_other_words_passes(built: Built) -> None:
    must_end_well(built.rewritten, "dbt build of models that give the same rows by other SQL")


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def another_night_is_no_alarm(built: Built) -> None:
    must_end_well(
        built.night_after, "dbt build of the next night's export, which has more orders, a customer and a column more"
    )


@check("quality", clauses=[*VALIDATION, "data-quality-framework/uniqueness"])
def rows_that_are_doubled_are_noticed(built: Built) -> None:
    assert_caught(built, DOUBLED)


@check("durability", clauses=[*VALIDATION, "constraints/never-lose-data", "data-quality-framework/completeness"])
def rows_that_are_lost_are_noticed(built: Built) -> None:
    assert_caught(built, LOST)


@check("durability", clauses=[*VALIDATION, "constraints/never-lose-data"])
def an_empty_table_is_noticed(built: Built) -> None:
    assert_caught(built, EMPTY)


@check("quality", clauses=[*VALIDATION, "data-quality-framework/validity"])
def values_that_are_wrong_are_noticed(built: Built) -> None:
    assert_caught(built, WRONG)


@check("quality", clauses=[*VALIDATION, "data-quality-framework/consistency"])
def sums_that_are_off_are_noticed(built: Built) -> None:
    assert_caught(built, SUMS)


@check("schema_evolution", clauses=[*VALIDATION, "constraints/handle-schema-evolution-gracefully"])
def a_broken_promise_fails_before_readers_see_it(built: Built) -> None:
    assert_caught(built, PROMISED)
    for name, (before, after) in built.standing.items():
        table, types = MARTS[PROMISED[name].file]
        why = f"{name} in {table}: the build failed, but only after the table was replaced"
        assert_same_rows(after, before, types, why=why)


# canary: 268757c1-3351-4d53-93f7-d01261c86c4d
