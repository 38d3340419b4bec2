"""Loads a day, loads it again, and once more when a row came late; kills the load everywhere."""

from __future__ import annotations

from graders.check import check, scenario
from graders.perturbations import AfterCrash, crash_everywhere, must_end_well
from graders.tables import assert_same_rows
from harness.engines.postgres import Postgres
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import DAY, TYPES, World, deliver, furnish


def load(lab: Lab) -> Completed:
    return lab.run("bash", "run.sh", DAY)


def table(lab: Lab) -> Table:
    return lab.use(Postgres).table("orders")


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
def killed(lab: Lab, world: World) -> list[AfterCrash[Table]]:
    engine = lab.use(Postgres)
    furnish(world, lab)
    state = engine.save()
    return crash_everywhere(
        lab,
        engine,
        prepare=lambda: engine.restore(state),
        act=lambda: load(lab),
        observe=lambda: engine.query("SELECT 1"),
        most=3,
    )


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
def a_killed_load_can_be_run_again(killed: list[AfterCrash[Table]], loaded: list[Table], world: World) -> None:
    assert killed
    assert_same_rows(loaded[0], world.expected(), TYPES)
