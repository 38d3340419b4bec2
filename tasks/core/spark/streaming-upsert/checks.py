"""Three runs on machines of their own; before the last one the checkpoint is set back to where a kill leaves it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import must_end_well, on_another_machine
from graders.tables import assert_same_rows, rows_with
from harness.engines.spark import DeltaTable, Spark
from harness.lab import Lab
from harness.tables import Table

from .world import DELIVERIES, TYPES, World, furnish

# Small streams on a small cluster.
SETTINGS = {"spark.sql.shuffle.partitions": "2"}
FIRST, SECOND, THIRD = (DELIVERIES[: number + 1] for number in range(3))
OPERATION = Operation(
    command="spark-submit hourly_sales.py",
    fills=("hourly_sales",),
    every=datetime.timedelta(minutes=5),
    topics={
        "late sales and closed hours": "late offline old watermark closed",
        "sales that are sent twice": "twice resen duplic repeat again event_id",
        "files": "file complete archive rename name partial",
        "what sold_at says": "sold_at clock utc zone",
        "runs": "overlap parallel concurr",
    },
)


@dataclass(frozen=True)
class Runs:
    """The table after each of two runs; and after a third one, that came after a kill (None: it couldn't be set up)."""

    first: Table
    second: Table
    restarted: Table | None
    types: Mapping[str, str]


def run(lab: Lab, what: str) -> DeltaTable:
    spark = lab.use(Spark)
    limit = lab.task.manifest.limits.run_time
    must_end_well(spark.submit("hourly_sales.py", settings=SETTINGS, timeout=limit), what)
    return spark.delta("hourly_sales")


@scenario
def runs(lab: Lab, world: World) -> Runs:
    spark = lab.use(Spark)
    furnish(world, lab, DELIVERIES[:1])
    first = run(lab, "the first run").table
    committed = spark.committed_batches()
    on_another_machine(lab, "lake")
    lab.box.clear("data")
    furnish(world, lab, DELIVERIES[1:2])
    second = run(lab, "a run on another machine, with the first delivery in the archive")
    lab.note("between the runs, only the lake was kept, and the files of the first delivery were taken away")
    if not spark.forget_commits(committed):
        return Runs(first, second.table, None, second.types)
    on_another_machine(lab, "lake")
    furnish(world, lab, DELIVERIES[2:])
    lab.note("the second run's batch was taken for one that was killed between its write and its commit, and run again")
    restarted = run(lab, "the run after a kill between the write of a batch and its commit").table
    return Runs(first, second.table, restarted, second.types)


def restarted(runs: Runs) -> Table:
    assert runs.restarted is not None, (
        "the second run committed no batch to a checkpoint below $LAKE, so that none can be taken up after a kill"
    )
    return runs.restarted


def assert_hours(world: World, table: Table, why: str, groups: Iterable[str], deliveries: Iterable[str]) -> None:
    """The rows of the groups' shops are as they must be after the deliveries."""
    for group in groups:
        rows = rows_with(table, "store_id", world.stores[group], TYPES)
        assert_same_rows(rows, world.hours(group, deliveries), TYPES, why=why)


@check("correctness", clauses=["expertise-areas/apache-spark", "responsibilities/batch-and-stream-processing"])
def every_hour_has_all_its_sales(runs: Runs, world: World) -> None:
    assert_hours(world, runs.first, "after the first run", ["plain"], FIRST)
    assert_hours(world, runs.second, "after the second run", ["plain"], SECOND)
    types = {name.lower(): kind for name, kind in runs.types.items()}
    assert re.fullmatch(r"decimal\(\d+, ?2\)", types["revenue"]), (
        f"revenue is {types['revenue']}, no decimal of 2 places"
    )
    assert types["sales"] == "long", f"sales is {types['sales']}, no bigint"


@check("correctness", clauses=["expertise-areas/pyspark"])
def a_sale_that_is_sent_twice_is_one_sale(runs: Runs, world: World) -> None:
    assert_hours(world, runs.first, "sales that stand in the first delivery twice", ["resent"], FIRST)
    assert_hours(world, runs.second, "sales that stand in both deliveries", ["resent"], SECOND)


@check("durability", clauses=["constraints/never-lose-data", "responsibilities/batch-and-stream-processing"])
def the_next_run_goes_on_where_the_last_one_ended(runs: Runs, world: World) -> None:
    why = "an hour with sales in both deliveries, after two runs of which each had one"
    assert_hours(world, runs.second, why, ["continued"], SECOND)


@check(
    "late_data",
    clauses=[
        "constraints/plan-for-late-arriving-data",
        "constraints/never-lose-data",
        "streaming-patterns/stream-processing",
    ],
)
def late_sales_join_their_hour(runs: Runs, world: World) -> None:
    why = "sales less than two hours older than the newest one of the first run came with the second"
    assert_hours(world, runs.second, why, ["late"], SECOND)


@check("late_data", clauses=["constraints/plan-for-late-arriving-data", "streaming-patterns/stream-processing"])
def closed_hours_stay_as_they_are(runs: Runs, world: World) -> None:
    why = "sales of hours that were closed by the first run came with the second"
    assert_hours(world, runs.second, why, ["closed"], SECOND)


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def a_batch_that_is_done_again_counts_once(runs: Runs, world: World) -> None:
    why = "the second run's batch was written, but not committed, when the job was killed; after the next run"
    assert_hours(world, restarted(runs), why, ["plain", "resent", "continued", "late", "closed"], SECOND)


@check("durability", clauses=["constraints/never-lose-data"])
def what_came_after_a_kill_is_counted_too(runs: Runs, world: World) -> None:
    why = "sales that came between a kill and the next run"
    assert_hours(world, restarted(runs), why, ["meanwhile"], THIRD)


# canary: dc77a131-1a35-4a7c-979b-f1ce3f07da98
