"""Loads a day, loads it again, and once more when a row came late; kills the load everywhere."""

from __future__ import annotations

import contextlib

from graders.check import check, scenario
from graders.perturbations import AfterCrash, crash_everywhere, must_end_well
from graders.tables import assert_same_rows
from harness.engines.duckdb import DuckDB
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import DAY, TYPES, World, deliver, furnish


def load(lab: Lab) -> Completed:
    return lab.run("python", "run.py", DAY)


def table(lab: Lab) -> Table:
    return lab.use(DuckDB).table("orders")


@scenario
def loaded(lab: Lab, world: World) -> list[Table]:
    furnish(world, lab)
    seen = []
    for late in ((), (), (world.late,)):
        deliver(lab, late)
        must_end_well(load(lab), "the load")
        seen.append(table(lab))
    return seen


@scenario
def killed(lab: Lab, world: World) -> list[AfterCrash[Table | None]]:
    def prepare() -> None:
        lab.fresh()
        furnish(world, lab)

    def observe() -> Table | None:
        with contextlib.suppress(SubmissionFault):
            return table(lab)
        return None

    engine = lab.use(DuckDB)
    return crash_everywhere(lab, engine, prepare=prepare, act=lambda: load(lab), observe=observe, most=4)


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
def a_killed_load_leaves_all_or_nothing(killed: list[AfterCrash[Table | None]], world: World) -> None:
    for crash in killed:
        if crash.between is not None and len(crash.between):
            assert_same_rows(crash.between, world.expected(), TYPES, why=f"killed after {crash.after}")
        assert crash.seen is not None
        assert_same_rows(crash.seen, world.expected(), TYPES)
