"""Loads batches in order, again, behind their successors, damaged and killed; looks at the orders and the keys."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import AfterCrash, crash_everywhere, must_end_well
from graders.tables import assert_same_rows, assert_unique, canonical_rows
from harness.engines.redshift import Redshift, TableFacts
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import BATCHES, LATE, World, damaged, deliver, furnish

TABLE = "fct_orders"
ORDERS = {
    "order_id": "integer",
    "customer_id": "integer",
    "status": "text",
    "amount": "decimal(2)",
    "note": "text",
    "ordered_at": "timestamp",
    "version": "integer",
}
DECLARED = {
    "order_id": "bigint",
    "customer_id": "bigint",
    "status": "character varying(20)",
    "amount": "numeric(12,2)",
    "note": "character varying(400)",
    "ordered_at": "timestamp without time zone",
    "version": "integer",
}
DAMAGES = {
    "number": "an amount that is no number",
    "line": "a line that was cut off",
    "end": "a last line that was cut off before its version",
}

OPERATION = Operation(
    command="psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 -v batch=1 -f load.sql",
    fills=("public.fct_orders",),
    every=datetime.timedelta(hours=1),
    parameters={"batch": "1"},
    topics={
        "late batches": "late order batch behind stuck",
        "versions": "version newest highest count",
        "damaged files": "damag bad cut broken file anew",
        "missing values": "null empty price amount note",
        "order of the columns": "column header",
        "what never changes": "never immutable ordered_at",
        "deletions": "delet",
    },
)


@dataclass(frozen=True)
class Loaded:
    """The orders after each batch in order, a database to go on from, what is declared of the table, its types."""

    after: dict[int, Table]
    saved: dict[int, str]
    facts: TableFacts
    types: Table


@dataclass(frozen=True)
class Damaged:
    """What a batch with a damaged file did, and what it did once the file was written anew."""

    first: Completed
    between: Table
    then: Completed
    after: Table


def load(lab: Lab, batch: int) -> Completed:
    return lab.use(Redshift).script("load.sql", {"batch": str(batch)})


def load_well(lab: Lab, batch: int) -> None:
    must_end_well(load(lab, batch), f"loading batch {batch}")


def orders(lab: Lab) -> Table:
    """No note is no note, whether it is NULL or an empty text."""
    columns = "order_id, customer_id, status, amount, coalesce(note, '') AS note, ordered_at, version"
    return lab.use(Redshift).query(f"SELECT {columns} FROM public.{TABLE}", TABLE)


@scenario
def in_order(lab: Lab, world: World) -> Loaded:
    furnish(world, lab)
    after, saved = {}, {}
    for batch in BATCHES:
        load_well(lab, batch)
        after[batch] = orders(lab)
        saved[batch] = lab.use(Redshift).save()
    return Loaded(after, saved, lab.use(Redshift).facts(f"public.{TABLE}"), types(lab))


def types(lab: Lab) -> Table:
    columns = "attname AS name, pg_catalog.format_type(atttypid, atttypmod) AS type"
    of_table = f"attrelid = 'public.{TABLE}'::regclass AND attnum > 0 AND NOT attisdropped"
    return lab.use(Redshift).query(f"SELECT {columns} FROM pg_catalog.pg_attribute WHERE {of_table}", TABLE)


@scenario
def repeated(lab: Lab, world: World, in_order: Loaded) -> list[tuple[int, Table]]:
    furnish_again(lab, world, in_order, 10)
    seen = []
    for batch in (10, 2):
        load_well(lab, batch)
        seen.append((batch, orders(lab)))
    lab.note("batches 10 and 2 were loaded again after all four")
    return seen


@scenario
def late_batch(lab: Lab, world: World) -> Table:
    furnish(world, lab)
    for batch in (1, 3, 10, LATE):
        load_well(lab, batch)
    lab.note("batch 2 came behind batches 3 and 10")
    return orders(lab)


@scenario
def damaged_batches(lab: Lab, world: World, in_order: Loaded) -> dict[str, Damaged]:
    seen = {}
    for how, said in DAMAGES.items():
        furnish_again(lab, world, in_order, 3)
        lab.use(Redshift).upload(damaged(world, 10, how))
        first, between = load(lab, 10), orders(lab)
        deliver(world, lab, 10)
        seen[how] = Damaged(first, between, load(lab, 10), orders(lab))
        lab.note(f"batch 10 held {said}, and was written anew")
    return seen


@scenario
def killed(lab: Lab, world: World, in_order: Loaded) -> list[AfterCrash[Table]]:
    engine = lab.use(Redshift)
    return crash_everywhere(
        lab,
        engine,
        prepare=lambda: furnish_again(lab, world, in_order, 3),
        act=lambda: load(lab, 10),
        observe=lambda: orders(lab),
    )


def furnish_again(lab: Lab, world: World, in_order: Loaded, batch: int) -> None:
    """The cluster as it stood after a batch, all objects in S3."""
    lab.use(Redshift).restore(in_order.saved[batch])
    for number in BATCHES:
        deliver(world, lab, number)


def of_groups(world: World, table: Table, *groups: str) -> Table:
    wanted = set().union(*(world.groups[group] for group in groups))
    return Table(table.name, table.columns, tuple(row for row in table.rows if row[0] in wanted))


def assert_orders(world: World, table: Table, why: str, *groups: str, batches: tuple[int, ...] = BATCHES) -> None:
    assert_same_rows(of_groups(world, table, *groups), world.expected(batches, *groups), ORDERS, why=why)


@check("correctness", clauses=["responsibilities/design-and-build-etl-elt-pipelines"])
def every_order_stands_as_its_last_version_says(in_order: Loaded, world: World) -> None:
    assert_orders(world, in_order.after[10], "after batches 1, 2, 3, 10", "plain", "once")


@check("correctness", clauses=["responsibilities/data-quality-and-validation"])
def of_several_versions_in_a_batch_the_highest_counts(in_order: Loaded, world: World) -> None:
    assert_orders(world, in_order.after[10], "orders that changed several times within batch 2", "several")


@check("correctness", clauses=["responsibilities/data-integration-across-sources"])
def notes_and_prices_arrive_as_they_were_written(in_order: Loaded, world: World) -> None:
    why = "notes with commas, quotes, line breaks; orders without an amount"
    assert_orders(world, in_order.after[10], why, "texts", "unpriced")


@check("correctness", clauses=["responsibilities/data-warehouse-design"])
def columns_have_the_types_asked_for(in_order: Loaded) -> None:
    found = {column["name"]: column["type"] for column in in_order.types}
    others = [
        f"{name} is {found.get(name, 'missing')}, not {kind}"
        for name, kind in DECLARED.items()
        if found.get(name) != kind
    ]
    assert not others, "; ".join(others)


@check("correctness", clauses=["responsibilities/design-and-build-etl-elt-pipelines"])
def a_batch_takes_in_its_own_files_alone(in_order: Loaded, world: World) -> None:
    own = {order.order_id for order in world.batches[1]}
    strange = [row for row in canonical_rows(in_order.after[1], ORDERS) if row[0] not in own or row[-1] > 1]
    assert not strange, (
        f"after batch 1 alone {len(strange)} rows are there that batch 10 brings, e.g. order {strange[0][0]}:"
        " its key begins with batch=1, too"
    )
    assert len(in_order.after[1]), "no order is there after batch 1"


@check("quality", clauses=["constraints/always-validate-data-quality"])
def an_order_has_one_row(in_order: Loaded, repeated: list[tuple[int, Table]], late_batch: Table) -> None:
    for table in (*in_order.after.values(), *(table for _, table in repeated), late_batch):
        assert_unique(table, "order_id")


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def loading_a_batch_again_changes_nothing(in_order: Loaded, repeated: list[tuple[int, Table]]) -> None:
    for batch, table in repeated:
        assert_same_rows(table, in_order.after[10], ORDERS, why=f"batch {batch} was loaded again after batch 10")


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def a_late_batch_overwrites_nothing_newer(late_batch: Table, world: World) -> None:
    assert_orders(world, late_batch, "batches came in the order 1, 3, 10, 2", "overtaken", "plain", "once")


@check("quality", clauses=["constraints/always-validate-data-quality"])
def a_damaged_file_fails_its_batch_as_a_whole(damaged_batches: dict[str, Damaged], in_order: Loaded) -> None:
    for how, said in DAMAGES.items():
        seen = damaged_batches[how]
        assert not seen.first.ok, f"batch 10 held {said}, and the load ended with exit code 0"
        assert_same_rows(seen.between, in_order.after[3], ORDERS, why=f"batch 10 held {said}")


@check("durability", clauses=["constraints/never-lose-data"])
def a_file_written_anew_is_loaded(damaged_batches: dict[str, Damaged], in_order: Loaded) -> None:
    for how, said in DAMAGES.items():
        seen = damaged_batches[how]
        must_end_well(seen.then, f"batch 10 had held {said}, was written anew and loaded again")
        assert_same_rows(seen.after, in_order.after[10], ORDERS, why=f"batch 10 had held {said} and was written anew")


@check("durability", clauses=["constraints/never-lose-data", "constraints/always-implement-idempotent-pipelines"])
def a_killed_load_is_made_good_by_the_next(killed: list[AfterCrash[Table]], in_order: Loaded) -> None:
    for point in killed:
        why = f"killed after statement {point.after} of {point.of} and started again"
        assert_same_rows(point.seen, in_order.after[10], ORDERS, why=why)


@check("durability", clauses=["responsibilities/design-and-build-etl-elt-pipelines"])
def dashboards_never_see_a_load_half_done(killed: list[AfterCrash[Table]], in_order: Loaded) -> None:
    states = [sorted(canonical_rows(in_order.after[batch], ORDERS), key=repr) for batch in (3, 10)]
    for point in killed:
        seen = sorted(canonical_rows(point.between, ORDERS), key=repr)
        assert seen in states, (
            f"after statement {point.after} of {point.of} {TABLE} stood neither as before the load"
            f" ({len(states[0])} rows) nor as after it ({len(states[1])}): {len(seen)} rows"
        )


@check(
    "scale",
    clauses=["responsibilities/data-warehouse-design", "collaboration-protocol/optimize-query-patterns"],
)
def orders_lie_where_their_customers_lie(in_order: Loaded) -> None:
    facts = in_order.facts
    assert facts.distkey == "customer_id", (
        f"public.customers is distributed by customer_id, {TABLE} by {facts.distkey or facts.diststyle}:"
        " each join moves one of them across the cluster"
    )


@check("scale", clauses=["responsibilities/performance-optimization"])
def orders_are_sorted_by_what_dashboards_restrict(in_order: Loaded) -> None:
    facts = in_order.facts
    leading = facts.sortkey if facts.sortstyle == "INTERLEAVED" else facts.sortkey[:1]
    assert "ordered_at" in leading, (
        f"dashboards restrict ordered_at; {TABLE} is sorted by {', '.join(facts.sortkey) or facts.sortstyle}, so that"
        " five years are read for a week"
    )


# canary: d8ade5ae-7278-4e8f-874b-a1d7e3f53844
