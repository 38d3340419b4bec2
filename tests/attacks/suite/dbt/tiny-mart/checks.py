"""Builds, builds again, and once more with a late row; then with a row without a key, which must stop the build."""

from __future__ import annotations

from dataclasses import dataclass

from graders.check import check, scenario
from graders.perturbations import must_end_well
from graders.tables import assert_same_rows
from harness.engines.dbt import Dbt
from harness.engines.duckdb import DuckDB
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import TYPES, World, deliver, furnish


@dataclass(frozen=True)
class Built:
    seen: list[Table]
    broken: Completed


@scenario
def built(lab: Lab, world: World) -> Built:
    furnish(world, lab)
    seen = []
    for late in ((), (world.late,)):
        deliver(lab, late)
        must_end_well(lab.use(Dbt).build(), "the build")
        seen.append(lab.use(DuckDB).table("orders"))
    lab.use(DuckDB).execute("UPDATE app.orders SET order_id = NULL WHERE order_id LIKE 'L%'")
    broken = lab.use(Dbt).build()
    seen.append(lab.use(DuckDB).table("orders"))
    return Built(seen, broken)


@check("correctness")
def every_order_arrives(built: Built, world: World) -> None:
    assert_same_rows(built.seen[0], world.expected(), TYPES)


@check("late_data")
def a_late_order_arrives(built: Built, world: World) -> None:
    assert_same_rows(built.seen[1], world.expected(late=True), TYPES)


@check("quality")
def a_row_without_a_key_stops_the_build(built: Built, world: World) -> None:
    assert not built.broken.ok, "nothing stopped it"
    assert_same_rows(built.seen[2], world.expected(late=True), TYPES)
