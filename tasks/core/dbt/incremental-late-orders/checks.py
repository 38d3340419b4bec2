"""Builds night after night on exports with late, repeated, wider and broken rows; looks at the fact in between."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import must_end_well
from graders.tables import assert_same_rows, canonical_rows, rows_with
from harness.engines.dbt import Dbt
from harness.engines.duckdb import DuckDB
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import (
    AFTER_PAUSE,
    FACT,
    HISTORY,
    NEGATIVE,
    NEW_COLUMN,
    NIGHT,
    NO_KEY,
    VERY_LATE,
    World,
    create_source,
    deliver,
    repair,
)

OPERATION = Operation(
    command="dbt build",
    fills=("main.fct_orders",),
    every=datetime.timedelta(days=1),
    topics={
        "late rows": "late seven arriv days window lookback delay",
        "versions": "version updated_at higher highest",
        "rows that come twice": "duplic twice repeat",
        "repairs in place": "repair place full",
        "columns": "column schema",
        "what the export holds": "export keep history complet",
    },
)


@dataclass(frozen=True)
class Build:
    """How a build ended, and the fact after it."""

    what: str
    done: Completed
    fact: Table

    @property
    def table(self) -> Table:
        """The fact, if the build was a success."""
        must_end_well(self.done, self.what)
        return self.fact


@scenario
def nights(lab: Lab, world: World) -> dict[str, Build]:
    """One warehouse through all its nights. Only the first build has to succeed for the others to be tried."""
    builds: dict[str, Build] = {}

    def build(name: str, what: str, variables: dict[str, int] | None = None, *, full_refresh: bool = False) -> None:
        done = lab.use(Dbt).build(variables=variables, full_refresh=full_refresh)
        if not builds:
            must_end_well(done, what)
        builds[name] = Build(what, done, lab.use(DuckDB).table("fct_orders"))
        lab.note(what)

    source = lab.use(DuckDB)
    create_source(lab)
    deliver(world, lab, HISTORY)
    build("history", "the first build, on sixty days of orders")
    repair(world, lab)
    deliver(world, lab, NIGHT)
    build("night", "the nightly build, with late, repeated and overtaken rows and old rows repaired in place")
    build("again", "the same build again")
    deliver(world, lab, AFTER_PAUSE)
    build("pause", "the build after ten days without one")
    source.execute("ALTER TABLE shop.orders ADD COLUMN channel VARCHAR")
    deliver(world, lab, NEW_COLUMN)
    build("column", "the build after the export got a column `channel`")
    deliver(world, lab, NO_KEY)
    nameless = min(world.groups["no key"])
    source.execute(f"UPDATE shop.orders SET order_id = NULL WHERE order_id = '{nameless}'")
    build("no key", "the build of an export with a row without order_id")
    source.execute(f"UPDATE shop.orders SET order_id = '{nameless}' WHERE order_id IS NULL")
    deliver(world, lab, NEGATIVE)
    wrong = min(version.order_id for version in world.export(NEGATIVE) if version.version == 1)
    source.execute(f"UPDATE shop.orders SET amount_cents = -amount_cents - 100 WHERE order_id = '{wrong}'")
    build("negative", "the build of an export with a negative amount")
    source.execute(f"UPDATE shop.orders SET amount_cents = -amount_cents - 100 WHERE order_id = '{wrong}'")
    build("mended", "the build after the broken rows were repaired")
    build("refresh", "a full refresh", full_refresh=True)
    deliver(world, lab, VERY_LATE)
    build("wide", "a build with lookback_days 30 for rows twenty days late", {"lookback_days": 30})
    return builds


@scenario
def empty_start(lab: Lab, world: World) -> Build:
    create_source(lab)
    must_end_well(lab.use(Dbt).build(), "the build of an empty export")
    deliver(world, lab, HISTORY)
    done = lab.use(Dbt).build()
    lab.note("the first export was empty, the second had rows")
    return Build("the build after an empty export", done, lab.use(DuckDB).table("fct_orders"))


def of_groups(world: World, table: Table, *groups: str) -> Table:
    """The rows of some groups' orders."""
    return rows_with(table, "order_id", set().union(*(world.groups[group] for group in groups)), FACT)


def up_to(export: int) -> range:
    return range(HISTORY, export + 1)


def assert_orders(
    world: World, build: Build, *groups: str, last: int, repaired: bool = False, column: bool = False
) -> None:
    """The orders of some groups stand in the fact as the exports so far say."""
    types = FACT | ({"channel": "text"} if column else {})
    table = of_groups(world, build.table, *groups)
    expected = world.orders(*groups, exports=up_to(last), repaired=repaired)
    assert_same_rows(table, expected, types, why=f"after {build.what}")


@check("correctness", clauses=["responsibilities/design-and-build-etl-elt-pipelines"])
def every_order_stands_once_as_its_highest_version_says(nights: dict[str, Build], world: World) -> None:
    assert_orders(world, nights["history"], "plain", last=HISTORY)
    assert_orders(world, nights["night"], "plain", last=NIGHT)


@check("correctness", clauses=["responsibilities/data-quality-and-validation"])
def a_row_delivered_twice_counts_once(nights: dict[str, Build], world: World) -> None:
    assert_orders(world, nights["history"], "twice", last=HISTORY)
    assert_orders(world, nights["night"], "twice", last=NIGHT)


@check("correctness", clauses=["responsibilities/design-and-build-etl-elt-pipelines"])
def of_versions_written_in_one_second_the_highest_counts(nights: dict[str, Build], world: World) -> None:
    assert_orders(world, nights["history"], "moment", last=HISTORY)
    assert_orders(world, nights["night"], "moment", last=NIGHT)


@check("correctness", clauses=["responsibilities/design-and-build-etl-elt-pipelines"])
def an_order_that_changes_long_after_it_was_placed_is_replaced(nights: dict[str, Build], world: World) -> None:
    assert_orders(world, nights["night"], "reopened", last=NIGHT)


@check(
    "late_data",
    clauses=[
        "constraints/plan-for-late-arriving-data",
        "constraints/never-lose-data",
        "dbt-project-structure/dbt-model-example",
    ],
)
def a_row_that_is_days_late_arrives(nights: dict[str, Build], world: World) -> None:
    assert_orders(world, nights["night"], "late", last=NIGHT)


@check("late_data", clauses=["constraints/plan-for-late-arriving-data", "constraints/never-lose-data"])
def a_row_of_the_newest_second_that_comes_later_arrives(nights: dict[str, Build], world: World) -> None:
    assert_orders(world, nights["night"], "tie", last=NIGHT)


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def an_older_version_that_comes_after_a_newer_one_changes_nothing(nights: dict[str, Build], world: World) -> None:
    assert_orders(world, nights["night"], "overtaken", last=NIGHT)


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def a_wider_window_brings_what_is_later_still(nights: dict[str, Build], world: World) -> None:
    assert_orders(world, nights["wide"], "very late", last=VERY_LATE)


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def building_again_changes_nothing(nights: dict[str, Build]) -> None:
    assert_same_rows(nights["again"].table, nights["night"].table, FACT, why="dbt build was run twice on one export")


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def a_full_refresh_gives_what_a_first_build_would(nights: dict[str, Build], world: World) -> None:
    assert_orders(world, nights["refresh"], "repaired", last=NEGATIVE, repaired=True)


@check("durability", clauses=["constraints/never-lose-data"])
def nights_without_a_run_are_caught_up(nights: dict[str, Build], world: World) -> None:
    assert_orders(world, nights["pause"], "pause", last=AFTER_PAUSE)


@check("durability", clauses=["constraints/never-lose-data"])
def orders_arrive_after_an_empty_export(empty_start: Build, world: World) -> None:
    assert_orders(world, empty_start, "plain", last=HISTORY)


@check(
    "scale",
    clauses=[
        "constraints/test-with-production-like-volumes",
        "responsibilities/performance-optimization",
        "dbt-project-structure/dbt-model-example",
    ],
)
def a_nightly_build_leaves_old_rows_alone(nights: dict[str, Build], world: World) -> None:
    before = {row[0]: row for row in canonical_rows(of_groups(world, nights["history"].table, "repaired"), FACT)}
    for row in canonical_rows(of_groups(world, nights["night"].table, "repaired"), FACT):
        assert row == before[row[0]], (
            f"order {row[0]}, last updated {row[-1]}, was changed in the export without a new version, and the nightly "
            "build, which goes back seven days, took the change over: it went through the whole history"
        )
    assert before, "the orders of two months ago are not in fct_orders"


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def a_new_column_turns_up_by_itself(nights: dict[str, Build], world: World) -> None:
    assert_orders(world, nights["column"], "column", last=NEW_COLUMN, column=True)


def assert_stops(nights: dict[str, Build], before: str, name: str, world: World) -> None:
    """The build failed, the fact stands as before, and once the row is repaired its night is there."""
    broken = nights[name]
    assert not broken.done.ok, f"{broken.what} succeeded: nothing stopped it"
    why = f"{broken.what} failed, but only after it had changed the fact"
    assert_same_rows(broken.fact, nights[before].fact, FACT, why=why)
    assert_orders(world, nights["mended"], name, last=NEGATIVE)


@check("quality", clauses=["constraints/always-validate-data-quality"])
def a_row_without_order_id_stops_the_build_before_the_fact(nights: dict[str, Build], world: World) -> None:
    assert_stops(nights, "column", "no key", world)


@check("quality", clauses=["constraints/always-validate-data-quality"])
def a_negative_amount_stops_the_build_before_the_fact(nights: dict[str, Build], world: World) -> None:
    assert_stops(nights, "no key", "negative", world)


# canary: b5720519-3193-4f9e-ab3f-717947a30c04
