"""Merges batches into a table with a history; during one of them another program appends to the table, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import must_end_well
from graders.tables import assert_same_rows, canonical_rows, rows_with
from harness.engines.databricks import Databricks
from harness.engines.spark import DeltaTable
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import ADDED, COLUMNS, PLAIN, RETYPED, WIDER, World, furnish, rows_of, typed

MOST_STEPS = 6
ORDER = {
    "order_id": "text",
    "customer_id": "text",
    "status": "text",
    "quantity": "integer",
    "amount": "decimal(2)",
    "updated_at": "timestamp",
}
CHANNEL = {"order_id": "text", ADDED: "text"}
OPERATION = Operation(
    command=f"spark-submit merge_orders.py --batch {PLAIN}",
    fills=("orders",),
    every=None,
    parameters={"batch": PLAIN},
    topics={
        "when a batch is complete": "complet whole finish partial",
        "which row counts": "updated_at same latest tie equal clock",
        "columns": "column type schema",
        "deletions": "delet remov",
        "order_ids": "order_id null missing unique key",
        "runs": "overlap concurr parallel once",
    },
)


@dataclass(frozen=True)
class Merged:
    """The table after each run: of a batch, of one with a new column, of one with another type, and of the first again.

    versions: what the versions from before the job hold at the end; why they can't be read, if they can't
    between: the versions that the first run went through before its last one
    """

    plain: DeltaTable
    wider: DeltaTable
    refused: Completed
    after_refusal: DeltaTable
    again: Completed
    after_again: DeltaTable
    versions: tuple[Table, ...] | str
    between: tuple[Table, ...]


def run(lab: Lab, batch: str) -> Completed:
    limit = lab.task.manifest.limits.run_time
    return lab.use(Databricks).submit("merge_orders.py", "--batch", batch, timeout=limit)


@scenario
def merged(lab: Lab, world: World) -> Merged:
    furnish(world, lab)
    databricks = lab.use(Databricks)
    must_end_well(run(lab, PLAIN), f"batch {PLAIN}")
    plain = databricks.delta("orders")
    steps = range(len(world.versions), min(plain.version, len(world.versions) + MOST_STEPS))
    between = tuple(databricks.delta("orders", version=number).table for number in steps)

    outlets = rows_of(world.outlets, COLUMNS)
    done, appended = databricks.beside_another_writer(lambda: run(lab, WIDER), "orders", COLUMNS, outlets)
    lab.note(
        f"another program appended {appended} orders during the run of {WIDER}, one before each write, others after it"
    )
    if not done.ok:
        must_end_well(run(lab, WIDER), f"batch {WIDER}, started again after it had met another writer")
    databricks.append("orders", COLUMNS, outlets[appended:])
    wider = databricks.delta("orders")

    refused = run(lab, RETYPED)
    after_refusal = databricks.delta("orders")
    again = run(lab, PLAIN)
    after_again = databricks.delta("orders")
    return Merged(plain, wider, refused, after_refusal, again, after_again, versions(databricks, world), between)


def versions(databricks: Databricks, world: World) -> tuple[Table, ...] | str:
    try:
        return tuple(databricks.delta("orders", version=number).table for number in range(len(world.versions)))
    except SubmissionFault as fault:
        return str(fault)


def assert_orders(
    table: DeltaTable, expected: list[dict[str, object]], why: str, types: dict[str, str] | None = None
) -> None:
    """These orders stand in the table as they must."""
    wanted = {row["order_id"] for row in expected}
    assert_same_rows(rows_with(table.table, "order_id", wanted, ORDER), expected, types or ORDER, why=why)


def assert_groups(world: World, table: DeltaTable, why: str, groups: Iterable[str], batches: Iterable[str]) -> None:
    assert_orders(table, world.orders(groups, batches), why)


@check("correctness", clauses=["expertise-areas/databricks", "responsibilities/data-integration-across-sources"])
def every_order_stands_once_as_it_was_last_written(merged: Merged, world: World) -> None:
    groups = ["untouched", "plain", "changed"]
    assert_groups(world, merged.plain, f"after {PLAIN}", groups, [PLAIN])
    assert_groups(world, merged.wider, f"after {PLAIN} and {WIDER}", groups, [PLAIN, WIDER])


@check("correctness", clauses=["expertise-areas/databricks"])
def of_several_rows_in_a_batch_the_latest_counts(merged: Merged, world: World) -> None:
    assert_groups(world, merged.plain, "orders with several rows in the batch", ["repeated"], [PLAIN])


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def an_older_row_never_replaces_a_newer_one(merged: Merged, world: World) -> None:
    why = "the batch has rows that are older than the table's"
    assert_groups(world, merged.wider, why, ["older"], [PLAIN, WIDER])


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def a_new_column_gets_into_the_table(merged: Merged, world: World) -> None:
    names = {name.lower(): kind for name, kind in merged.wider.types.items()}
    assert names.get(ADDED) == "string", (
        f"batch {WIDER} has brought the column {ADDED} (string); the table has {dict(merged.wider.types)}"
    )
    why = f"batch {WIDER} has brought the column {ADDED}"
    orders = world.orders(["untouched", "plain", "changed", "repeated"], [PLAIN, WIDER])
    assert_orders(merged.wider, orders, why, CHANNEL)


@check(
    "schema_evolution",
    clauses=["constraints/handle-schema-evolution-gracefully", "constraints/always-validate-data-quality"],
)
def a_column_of_another_type_is_refused(merged: Merged, world: World) -> None:
    assert not merged.refused.ok, (
        f"batch {RETYPED} has {ADDED} as bigint, which batch {WIDER} brought as string, but its run ended well"
    )
    said = f"{merged.refused.stdout}\n{merged.refused.stderr}"
    assert ADDED in said, f"the run failed, but didn't name the column {ADDED}: {merged.refused.explain()}"
    assert merged.after_refusal.types == merged.wider.types, (
        f"the refused batch has changed the table's columns from {dict(merged.wider.types)} "
        f"to {dict(merged.after_refusal.types)}"
    )
    assert_same_rows(merged.after_refusal.table, merged.wider.table, ORDER, why=f"batch {RETYPED} was refused")


@check("durability", clauses=["constraints/never-lose-data"])
def rows_of_another_writer_are_kept(merged: Merged, world: World) -> None:
    why = f"another program appended them while batch {WIDER} was merged, and after it"
    assert_orders(merged.wider, [typed(row) for row in world.outlets], why)


@check("durability", clauses=["constraints/never-lose-data", "expertise-areas/databricks"])
def no_version_lacks_an_order_or_has_it_twice(merged: Merged, world: World) -> None:
    known = {str(row["order_id"]) for row in world.version(len(world.versions) - 1)}
    for table in (*merged.between, merged.plain.table):
        ids = [str(row[0]) for row in canonical_rows(table, {"order_id": "text"})]
        gone = sorted(known - set(ids))
        assert not gone, (
            f"orders are missing in a version of batch {PLAIN}'s run: who reads or kills it then loses {gone[:5]}"
        )
        twice = sorted(order for order, count in Counter(ids).items() if count > 1)
        assert not twice, f"orders stand twice in a version of batch {PLAIN}'s run: {twice[:5]}"


@check("durability", clauses=["constraints/never-lose-data", "expertise-areas/databricks"])
def earlier_versions_still_answer(merged: Merged, world: World) -> None:
    assert not isinstance(merged.versions, str), f"a version from before the job: {merged.versions}"
    for number, table in enumerate(merged.versions):
        assert_same_rows(table, world.version(number), ORDER, why=f"version {number}, from before the job")


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def running_a_batch_again_changes_nothing(merged: Merged) -> None:
    must_end_well(merged.again, f"batch {PLAIN}, again")
    why = f"batch {PLAIN} was run again"
    assert len(merged.after_refusal.table), "there are no orders"
    assert_same_rows(merged.after_again.table, merged.after_refusal.table, ORDER, why=why)


# canary: a270921b-9842-489e-9728-df159444409c
