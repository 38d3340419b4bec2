"""Runs two drops in order and the older one again; then, in an empty lake, both the other way round, cut otherwise."""

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
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import DROPS, FIRST, LONG_AGO, SECOND, World, furnish

ORDER = {
    "order_id": "text",
    "user_id": "text",
    "order_date": "date",
    "status": "text",
    "amount": "decimal(2)",
    "updated_at": "timestamp",
    "revision": "integer",
}
REJECTED = {"drop_date": "date", "order_id": "text"}
# Another cluster: more partitions than cores, and nobody who puts small ones together.
OTHERWISE = {
    "spark.master": "local[1]",
    "spark.sql.shuffle.partitions": "7",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.files.openCostInBytes": "134217728",
}
OPERATION = Operation(
    command=f"spark-submit daily_orders.py --date {FIRST}",
    fills=("orders",),
    every=datetime.timedelta(days=1),
    parameters={"date": FIRST},
    topics={
        "when a drop is complete": "complet whole finish partial",
        "the day of an order": "order_date partition day",
        "rows that are equal": "same updated_at revision tie duplic equal",
        "late and offline tills": "late offline old past",
        "columns": "column header schema",
        "runs": "overlap concurr parallel once",
    },
)
EVERYDAY = ("plain", "repeated", "doubled")
ALL = (*EVERYDAY, "corrected", "offline", "changed later", "outdated")


@dataclass(frozen=True)
class State:
    """What the lake holds after a run: both tables, and the digest of each file of orders."""

    orders: Table
    rejected: Table | None
    files: dict[str, str]

    def files_of(self, day: str) -> dict[str, str]:
        folder = f"order_date={day}/"
        return {
            path: digest
            for path, digest in self.files.items()
            if path.startswith(folder) and not path.removeprefix(folder).startswith((".", "_"))
        }


@dataclass(frozen=True)
class InOrder:
    """The lake after each drop; then the first one run again, how that ended, and the lake after it."""

    after: dict[str, State]
    again: Completed
    after_again: State


def run(lab: Lab, drop: str, settings: dict[str, str] | None = None) -> Completed:
    limit = lab.task.manifest.limits.run_time
    return lab.use(Spark).submit("daily_orders.py", "--date", drop, settings=settings, timeout=limit)


def state(lab: Lab) -> State:
    spark = lab.use(Spark)
    rejected = spark.parquet("orders_rejected") if spark.files("orders_rejected") else None
    return State(spark.parquet("orders"), rejected, spark.files("orders"))


@scenario
def in_order(lab: Lab, world: World) -> InOrder:
    furnish(world, lab)
    after = {}
    for drop in DROPS:
        must_end_well(run(lab, drop), f"the run of {drop}")
        after[drop] = state(lab)
    lab.note(f"the drop of {FIRST} was run again after that of {SECOND}")
    again = run(lab, FIRST)
    return InOrder(after, again, state(lab))


@scenario
def otherwise(lab: Lab, world: World) -> dict[str, State]:
    """The later drop first, on another cluster, with every drop cut into files whose rows stand the other way round."""
    furnish(world, lab, pieces=5)
    lab.note(f"{SECOND} was run before {FIRST}, each cut into five files, on one core with seven partitions")
    after = {}
    for drop in reversed(DROPS):
        must_end_well(run(lab, drop, OTHERWISE), f"the run of {drop}")
        after[drop] = state(lab)
    return after


def assert_orders(world: World, table: Table, why: str, groups: Iterable[str], drops: Iterable[str]) -> None:
    """The groups' orders stand in the table as they must once the drops are in."""
    expected = world.orders(groups, drops)
    wanted = {row["order_id"] for row in expected}
    assert_same_rows(rows_with(table, "order_id", wanted, ORDER), expected, ORDER, why=why)


@check("correctness", clauses=["expertise-areas/apache-spark", "responsibilities/design-and-build-etl-elt-pipelines"])
def every_order_stands_once_as_it_was_last_written(in_order: InOrder, world: World) -> None:
    assert_orders(world, in_order.after[FIRST].orders, "after the first drop", EVERYDAY, [FIRST])
    assert_orders(world, in_order.after[SECOND].orders, "after both drops", EVERYDAY, DROPS)


@check("correctness", clauses=["expertise-areas/pyspark"])
def of_two_rows_of_one_moment_the_higher_revision_counts(in_order: InOrder, world: World) -> None:
    assert_orders(world, in_order.after[SECOND].orders, "orders with two rows of one moment", ["corrected"], DROPS)


@check("correctness", clauses=["expertise-areas/apache-spark"])
def neither_files_nor_partitions_of_a_drop_matter(otherwise: dict[str, State], world: World) -> None:
    why = "the same rows in five files, in another order, on one core with seven shuffle partitions"
    assert_orders(world, otherwise[SECOND].orders, why, (*EVERYDAY, "corrected"), [SECOND])


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def a_late_order_joins_the_others_of_its_day(in_order: InOrder, world: World) -> None:
    late = f"the drop of {SECOND} has orders of {FIRST}"
    assert_orders(world, in_order.after[SECOND].orders, late, ["offline", "changed later"], DROPS)
    assert_orders(world, in_order.after[SECOND].orders, f"{late}, whose others stay", ["plain"], [FIRST])


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def an_older_row_never_replaces_a_newer_one(in_order: InOrder, world: World) -> None:
    why = f"the drop of {SECOND} has rows older than those of {FIRST}"
    assert_orders(world, in_order.after[SECOND].orders, why, ["outdated"], DROPS)


@check("late_data", clauses=["constraints/plan-for-late-arriving-data", "constraints/never-lose-data"])
def a_drop_behind_its_successor_leads_to_the_same_table(otherwise: dict[str, State], world: World) -> None:
    assert_orders(world, otherwise[FIRST].orders, f"{FIRST} was run after {SECOND}", ALL, DROPS)


@check("durability", clauses=["constraints/never-lose-data", "responsibilities/cost-optimization-for-data-processing"])
def days_without_orders_in_a_drop_keep_their_files(in_order: InOrder) -> None:
    runs = (
        (LONG_AGO, SECOND, in_order.after[FIRST], in_order.after[SECOND]),
        (SECOND, FIRST, in_order.after[SECOND], in_order.after_again),
    )
    must_end_well(in_order.again, f"the run of {FIRST}, a second time")
    for day, drop, before, after in runs:
        assert before.files_of(day), f"there are no files in orders/order_date={day} before the run of {drop}"
        gone = sorted(before.files_of(day).items() - after.files_of(day).items())
        new = sorted(after.files_of(day).items() - before.files_of(day).items())
        assert not gone and not new, (
            f"the drop of {drop} has no order of {day}, but its run removed or changed {len(gone)} files of that day, "
            f"and wrote {len(new)}"
        )


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def running_a_drop_again_changes_nothing(in_order: InOrder) -> None:
    must_end_well(in_order.again, f"the run of {FIRST}, a second time")
    before, after, why = in_order.after[SECOND], in_order.after_again, f"{FIRST} was run again after {SECOND}"
    assert len(before.orders), "there are no orders after both drops"
    assert_same_rows(after.orders, before.orders, ORDER, why=why)
    if before.rejected and after.rejected:
        assert_same_rows(after.rejected, before.rejected, REJECTED, why=why)


@check("quality", clauses=["constraints/always-validate-data-quality", "constraints/never-lose-data"])
def broken_rows_are_kept_aside_with_a_reason(in_order: InOrder, world: World) -> None:
    for drops, seen in ((DROPS[:1], in_order.after[FIRST]), (DROPS, in_order.after[SECOND])):
        assert seen.rejected is not None, "there is nothing in orders_rejected"
        assert_same_rows(seen.rejected, world.rejected(drops), REJECTED, why="broken rows of the drops so far")
        reasons = [reason for (reason,) in canonical_rows(seen.rejected, {"reason": "text"})]
        assert all(reason and reason.strip() for reason in reasons), "a rejected row has no reason"
        stray = [
            row for row in canonical_rows(seen.orders, ORDER) if row[0] is None or row[0] in world.groups["broken"]
        ]
        assert not stray, f"{len(stray)} broken rows are among the orders, e.g. {stray[0]}"


# canary: 1717d9d2-27e0-4ce0-b4f5-6b550c10f27b
