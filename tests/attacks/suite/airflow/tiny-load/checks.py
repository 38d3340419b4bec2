"""Runs a day, runs it again, and once more when a row came late; looks at the DAG."""

from __future__ import annotations

import datetime

from graders.check import check, scenario
from graders.perturbations import must_end_well
from graders.tables import assert_same_rows
from harness.engines.airflow import Airflow, Parsed
from harness.engines.postgres import Postgres
from harness.lab import Lab
from harness.tables import Table

from .world import DAY, TYPES, World, deliver, furnish


@scenario
def loaded(lab: Lab, world: World) -> list[Table]:
    furnish(world, lab)
    seen = []
    for late in ((), (), (world.late,)):
        deliver(lab, late)
        must_end_well(lab.use(Airflow).run("load", datetime.datetime.fromisoformat(DAY)), "the load")
        seen.append(lab.use(Postgres).table("orders"))
    return seen


@scenario
def parsed(lab: Lab, loaded: list[Table]) -> Parsed:
    return lab.use(Airflow).parse()


@check("correctness")
def every_order_arrives(loaded: list[Table], world: World) -> None:
    assert_same_rows(loaded[0], world.expected(), TYPES)


@check("idempotency")
def loading_again_changes_nothing(loaded: list[Table], world: World) -> None:
    assert_same_rows(loaded[1], world.expected(), TYPES)


@check("late_data")
def a_late_order_arrives(loaded: list[Table], world: World) -> None:
    assert_same_rows(loaded[2], world.expected(late=True), TYPES)


@check("durability")
def a_failing_task_is_tried_again(parsed: Parsed) -> None:
    assert parsed.dags["load"].tasks
    assert all(task.retries >= 2 for task in parsed.dags["load"].tasks.values())
