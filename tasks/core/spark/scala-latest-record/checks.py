"""Builds the job once; runs it, again when late rows have come, and again on another cluster with other files."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import must_end_well
from graders.tables import assert_same_rows, canonical_rows, rows_with
from harness.engines.spark import Spark
from harness.lab import Lab
from harness.tables import Table

from .world import FIRST, LATE, World, furnish, furnish_otherwise

CUSTOMER = {
    "customer_id": "text",
    "name": "text",
    "email": "text",
    "segment": "text",
    "source": "text",
    "changed_at": "timestamp",
}
REJECTED = {"customer_id": "text"}
JAR = "latest-customers.jar"
BUILD = f"scalac -d {JAR} *.scala"
# Another cluster: more partitions than cores, and nobody who puts small ones together.
OTHERWISE = {
    "spark.master": "local[1]",
    "spark.sql.shuffle.partitions": "7",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.files.openCostInBytes": "134217728",
}
OPERATION = Operation(
    command=f"{BUILD} && spark-submit --class LatestCustomers {JAR}",
    fills=("customers",),
    every=datetime.timedelta(days=1),
    topics={
        "which row is the latest": "latest sequence changed_at tie equal same clock",
        "late changes": "late old past order",
        "rows that are repeated": "twice duplic repeat same",
        "columns": "column header schema",
        "completeness": "complet whole all every",
    },
)
ALL = ("plain", "numbered", "tied", "undated", "emptied", "left", "late")


@dataclass(frozen=True)
class State:
    customers: Table
    rejected: Table | None


@dataclass(frozen=True)
class Runs:
    """The tables after the first run, after late rows have come, and after a run on other files and another cluster."""

    first: State
    late: State
    otherwise: State


def run(lab: Lab, what: str, settings: dict[str, str] | None = None) -> State:
    spark = lab.use(Spark)
    limit = lab.task.manifest.limits.run_time
    must_end_well(spark.submit(JAR, main="LatestCustomers", settings=settings, timeout=limit), what)
    rejected = spark.parquet("customers_rejected") if spark.files("customers_rejected") else None
    return State(spark.parquet("customers"), rejected)


@scenario
def runs(lab: Lab, world: World) -> Runs:
    must_end_well(lab.run("bash", "-c", BUILD), "the build")
    furnish(world, lab, [FIRST])
    first = run(lab, "the first run")
    furnish(world, lab, [LATE])
    late = run(lab, "the run after late changes have come")
    lab.box.clear("data")
    furnish_otherwise(world, lab)
    lab.note("run again with the same rows in other files, the other way round, on one core with seven partitions")
    return Runs(first, late, run(lab, "a run with the same rows in other files", OTHERWISE))


def assert_customers(world: World, table: Table, why: str, groups: Iterable[str], deliveries: Iterable[str]) -> None:
    """The groups' customers stand in the table as they must, and the groups' others don't."""
    deliveries = list(deliveries)
    for group in groups:
        expected = world.customers(group, deliveries)
        assert expected, f"no customer of the group {group} is expected"
        rows = rows_with(table, "customer_id", world.groups[group], CUSTOMER)
        assert_same_rows(rows, expected, CUSTOMER, why=why)


@check("correctness", clauses=["expertise-areas/apache-spark", "responsibilities/design-and-build-etl-elt-pipelines"])
def every_customer_stands_once_as_last_changed(runs: Runs, world: World) -> None:
    assert_customers(world, runs.first.customers, "after the first run", ["plain"], [FIRST])


@check("correctness", clauses=["expertise-areas/scala"])
def of_rows_of_one_moment_sequence_and_source_decide(runs: Runs, world: World) -> None:
    why = "customers with several rows of one moment"
    assert_customers(world, runs.first.customers, why, ["numbered", "tied"], [FIRST])


@check("correctness", clauses=["expertise-areas/scala"])
def rows_without_a_time_are_older_than_any_other(runs: Runs, world: World) -> None:
    assert_customers(world, runs.first.customers, "customers with rows without changed_at", ["undated"], [FIRST])


@check("correctness", clauses=["responsibilities/data-integration-across-sources"])
def what_is_empty_in_the_latest_row_is_empty(runs: Runs, world: World) -> None:
    assert_customers(world, runs.first.customers, "customers of whom less is known now", ["emptied"], [FIRST])


@check("correctness", clauses=["responsibilities/data-integration-across-sources"])
def who_has_left_is_no_customer(runs: Runs, world: World) -> None:
    assert_customers(world, runs.first.customers, "customers who have left, some of them come back", ["left"], [FIRST])


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def late_changes_take_their_place(runs: Runs, world: World) -> None:
    why = "late changes, older and newer than what was known"
    assert_customers(world, runs.late.customers, why, ["late"], [FIRST, LATE])


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines", "expertise-areas/scala"])
def neither_files_nor_partitions_nor_a_further_run_matter(runs: Runs, world: World) -> None:
    assert len(runs.late.customers), "there are no customers after two runs"
    why = "the same rows in five files, the other way round, on one core with seven shuffle partitions"
    assert_same_rows(runs.otherwise.customers, runs.late.customers, CUSTOMER, why=why)


@check("quality", clauses=["constraints/always-validate-data-quality", "constraints/never-lose-data"])
def broken_rows_are_kept_aside_with_a_reason(runs: Runs, world: World) -> None:
    for deliveries, seen in (([FIRST], runs.first), ([FIRST, LATE], runs.late)):
        assert seen.rejected is not None, "there is nothing in customers_rejected"
        assert_same_rows(seen.rejected, world.rejected(deliveries), REJECTED, why="broken rows so far")
        reasons = [reason for (reason,) in canonical_rows(seen.rejected, {"reason": "text"})]
        assert all(reason and reason.strip() for reason in reasons), "a rejected row has no reason"
        stray = [
            row
            for row in canonical_rows(seen.customers, CUSTOMER)
            if row[0] is None or row[0] in world.groups["broken"]
        ]
        assert not stray, f"{len(stray)} broken rows are among the customers, e.g. {stray[0]}"


# canary: 58d2d429-7b16-4150-990d-7e9849ec9d0a
