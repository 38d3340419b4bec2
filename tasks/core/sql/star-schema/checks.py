"""Builds the star on two nights' copies, again, killed, and with new columns; reads it as a report would."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import AfterCrash, crash_everywhere, must_end_well, twice
from graders.tables import assert_same_rows, canonical_rows
from harness.engines.postgres import Postgres
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import DAY, FACT, PRODUCT, UNKNOWN, USER, Shop, World, create_source, deliver

OPERATION = Operation(
    command="psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 -f build.sql",
    fills=("mart.fct_orders",),
    every=datetime.timedelta(days=1),
    reasons="mart.rejected_lines.reason",
    topics={
        "a torn copy": "torn copy copied incomplete late later follow",
        "guests": "guest anonym account",
        "deletions": "delet vanish",
        "corrections": "correct",
        "days": "berlin timezone zone clock",
        "keys": "unique duplic",
        "columns": "column schema",
    },
)

# As a report reads it: by the keys.
REPORT = """
SELECT f.order_id, f.line_no, u.user_id, p.product_id, d.date, f.status, f.quantity, f.amount,
    u.segment, p.category
FROM mart.fct_orders f
LEFT JOIN mart.dim_users u ON u.user_key = f.user_key
LEFT JOIN mart.dim_products p ON p.product_key = f.product_key
LEFT JOIN mart.dim_date d ON d.date_key = f.date_key
"""
DECLARED = """
SELECT c.contype AS kind, r.relname AS on_table, coalesce(t.relname, '') AS to_table,
    (SELECT string_agg(a.attname, ',' ORDER BY a.attname) FROM pg_attribute a
     WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)) AS columns
FROM pg_constraint c
JOIN pg_class r ON r.oid = c.conrelid
JOIN pg_namespace n ON n.oid = r.relnamespace
LEFT JOIN pg_class t ON t.oid = c.confrelid
WHERE n.nspname = 'mart' AND c.contype IN ('p', 'f', 'u')
"""
CONSTRAINT = {"kind": "text", "on_table": "text", "to_table": "text", "columns": "text"}
REJECTED = {"order_id": "text", "line_no": "integer"}
NEW_COLUMNS = ("orders", "order_lines", "users", "products")


@dataclass(frozen=True)
class Star:
    """All of the star after a build; ``facts`` as a report reads them."""

    facts: Table
    users: Table
    products: Table
    days: Table
    rejected: Table


def build(lab: Lab) -> Completed:
    return lab.use(Postgres).script("build.sql")


def star(lab: Lab) -> Star:
    engine = lab.use(Postgres)
    dimensions = (engine.table(f"mart.{name}") for name in ("dim_users", "dim_products", "dim_date"))
    return Star(engine.query(REPORT, "mart.fct_orders, joined"), *dimensions, engine.table("mart.rejected_lines"))


@dataclass(frozen=True)
class Nights:
    """The star after the first night, after the same night again, and after the second; the first one saved."""

    first: Star
    again: Star
    second: Star
    declared: Table
    saved: str


@scenario
def nights(lab: Lab, world: World) -> Nights:
    create_source(lab)
    deliver(world.first, lab)
    first, again = twice(lab, lambda: build(lab), lambda: star(lab), "the first night's build")
    declared = lab.use(Postgres).query(DECLARED, "the constraints in mart")
    saved = lab.use(Postgres).save()
    deliver(world.second, lab)
    must_end_well(build(lab), "the second night's build")
    lab.note("in the second night's copy rows were corrected, deleted and completed")
    return Nights(first, again, star(lab), declared, saved)


@scenario
def killed(lab: Lab, world: World, nights: Nights) -> list[AfterCrash[Star]]:
    """The second night's build, killed on its way and started again."""
    engine = lab.use(Postgres)

    def prepare() -> None:
        engine.restore(nights.saved)
        deliver(world.second, lab)

    return crash_everywhere(lab, engine, prepare=prepare, act=lambda: build(lab), observe=lambda: star(lab), most=8)


@scenario
def widened(lab: Lab, world: World, nights: Nights) -> Star:
    engine = lab.use(Postgres)
    engine.restore(nights.saved)
    engine.execute(*(f"ALTER TABLE app.{table} ADD COLUMN channel text DEFAULT '{table}'" for table in NEW_COLUMNS))
    deliver(world.second, lab)
    must_end_well(build(lab), "the build after some of the shop's tables got a column `channel`")
    lab.note(f"{', '.join(NEW_COLUMNS)} got a column `channel`")
    return star(lab)


def of_groups(world: World, shop: Shop, table: Table, *groups: str) -> tuple[Table, list[dict[str, object]]]:
    """The facts of some groups' orders, as found and as they have to be."""
    orders = set().union(*(world.orders[group] for group in groups))
    expected = [fact for fact in shop.facts() if fact["order_id"] in orders]
    canonical_rows(table, FACT)  # the columns are there
    return Table(table.name, table.columns, tuple(row for row in table.rows if row[0] in orders)), expected


def assert_facts(world: World, shop: Shop, table: Table, why: str, *groups: str) -> None:
    found, expected = of_groups(world, shop, table, *groups)
    assert expected, f"no fact of {groups} is expected"
    assert_same_rows(found, expected, FACT, why=why)


def assert_members(
    table: Table, expected: list[dict[str, object]], types: Mapping[str, str], names: frozenset[str], why: str
) -> None:
    """The rows of some members are there once, with their attributes."""
    key = next(iter(types))
    found = [row for row in canonical_rows(table, types) if row[0] in names]
    wanted = [row for row in expected if row[key] in names]
    assert wanted, "no member is expected"
    assert_same_rows([dict(zip(types, row, strict=True)) for row in found], wanted, types, why=f"{table.name}: {why}")


@check("correctness", clauses=["responsibilities/data-warehouse-design", "data-warehouse-design/dimensional-modeling"])
def every_line_is_one_fact(nights: Nights, world: World) -> None:
    assert_facts(world, world.first, nights.first.facts, "orders with three lines", "plain")
    facts = [row[:2] for row in canonical_rows(nights.first.facts, FACT)]
    assert len(facts) == len(set(facts)), f"{len(facts) - len(set(facts))} lines stand more than once in a report"


@check("correctness", clauses=["responsibilities/data-warehouse-design"])
def a_segment_or_category_more_multiplies_nothing(nights: Nights, world: World) -> None:
    why = "a report on users with several segments, and products in several categories"
    assert_facts(world, world.first, nights.first.facts, why, "segments", "categories")


@check("correctness", clauses=["responsibilities/data-warehouse-design"])
def turnover_reconciles_with_the_lines(nights: Nights, world: World) -> None:
    assert_facts(world, world.first, nights.first.facts, "lines without a discount", "no discount")
    amounts = nights.second.facts.column("amount")
    assert None not in amounts, f"{amounts.count(None)} facts have no amount"
    assert not any(isinstance(amount, float) for amount in amounts), "amount is a floating-point number"


@check("correctness", clauses=["responsibilities/data-warehouse-design", "data-warehouse-design/dimensional-modeling"])
def attributes_are_todays(nights: Nights, world: World) -> None:
    groups = ("plain", "idle", "segments")
    names = frozenset().union(*(world.users[group] for group in groups))
    why = "the segment with the latest `since`"
    assert_members(nights.first.users, world.first.dim_users(), USER, names, why)
    names = frozenset().union(*(world.products[group] for group in ("plain", "idle", "categories")))
    assert_members(nights.first.products, world.first.dim_products(), PRODUCT, names, "the main category, if any")


@check("correctness", clauses=["responsibilities/data-warehouse-design"])
def a_day_is_a_day_in_berlin(nights: Nights, world: World) -> None:
    assert_facts(world, world.first, nights.first.facts, "orders of shortly before midnight UTC", "midnight")


@check("correctness", clauses=["data-warehouse-design/dimensional-modeling"])
def the_calendar_has_no_gap(nights: Nights, world: World) -> None:
    found = [dict(zip(DAY, row, strict=True)) for row in canonical_rows(nights.first.days, DAY)]
    days = [row for row in found if row["date_key"] != -1]
    expected = world.first.dim_date()
    surplus = [row for row in days if row["date"] and row["date"].year not in {day["year"] for day in expected}]
    assert not surplus, f"mart.dim_date has {len(surplus)} days of years in which there is no order"
    assert_same_rows(days, expected, DAY, why="the days of every year with an order")
    # Years that had an order last night only may stay.
    found_later = set(canonical_rows(nights.second.days, DAY))
    missing = sorted(set(canonical_rows(world.second.dim_date(), DAY)) - found_later)
    assert not missing, (
        f"mart.dim_date lacks {len(missing)} days, from {missing[0][0]} on: its first order is of the second night"
    )


@check("durability", clauses=["constraints/never-lose-data"])
def what_is_not_known_loses_no_line(nights: Nights, world: World) -> None:
    why = "guests, orders without a time, lines whose order isn't there yet"
    assert_facts(world, world.first, nights.first.facts, why, "guest", "undated", "headless")
    for table, key, types, said in (
        (nights.first.users, "user_key", USER, (UNKNOWN, None, None, None)),
        (nights.first.products, "product_key", PRODUCT, (UNKNOWN, None, None, None)),
        (nights.first.days, "date_key", DAY, (None, None, None, None)),
    ):
        members = [row[1:] for row in canonical_rows(table, {key: "integer"} | types) if row[0] == -1]
        assert [row[-4:] for row in members] == [said], f"{table.name}: the key -1 has the members {members}"


@check("late_data", clauses=["constraints/plan-for-late-arriving-data", "data-warehouse-design/dimensional-modeling"])
def a_member_that_is_known_later_is_there_at_once(nights: Nights, world: World) -> None:
    why = "orders of users and products that the shop's tables don't have yet"
    assert_facts(world, world.first, nights.first.facts, why, "early")
    assert_members(nights.first.users, world.first.dim_users(), USER, world.users["early"], "not known yet")
    assert_members(nights.first.products, world.first.dim_products(), PRODUCT, world.products["early"], "not known yet")


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def it_is_completed_once_it_is_known(nights: Nights, world: World) -> None:
    why = "named in the first night, known in the second"
    assert_members(nights.second.users, world.second.dim_users(), USER, world.users["early"], why)
    assert_members(nights.second.products, world.second.dim_products(), PRODUCT, world.products["early"], why)


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def a_line_finds_its_order_the_next_night(nights: Nights, world: World) -> None:
    why = "lines whose order came with the second night"
    assert_facts(world, world.second, nights.second.facts, why, "headless", "new")


@check("correctness", clauses=["responsibilities/data-integration-across-sources"])
def corrections_and_deletions_are_followed(nights: Nights, world: World) -> None:
    why = "a line was corrected, one was added; an order got another time, user or status"
    assert_facts(world, world.second, nights.second.facts, why, "corrected")
    deleted = {row[0] for row in canonical_rows(nights.second.facts, FACT)} & world.orders["deleted"]
    assert not deleted, f"orders {', '.join(sorted(deleted)[:3])} were deleted in the shop, and are still facts"
    why = "changed between the nights"
    assert_members(nights.second.users, world.second.dim_users(), USER, world.users["changed"], why)
    assert_members(nights.second.products, world.second.dim_products(), PRODUCT, world.products["changed"], why)


def assert_same_star(found: Star, expected: Star, why: str) -> None:
    for one, other, types in (
        (found.facts, expected.facts, FACT),
        (found.users, expected.users, {"user_key": "integer", **USER}),
        (found.products, expected.products, {"product_key": "integer", **PRODUCT}),
        (found.days, expected.days, DAY),
        (found.rejected, expected.rejected, REJECTED),
    ):
        assert_same_rows(one, other, types, why=why)


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def building_again_changes_nothing(nights: Nights) -> None:
    assert len(nights.first.facts), "mart.fct_orders is empty after a build"
    assert_same_star(nights.again, nights.first, "build.sql was run twice on the same night")


@check("idempotency", clauses=["responsibilities/data-warehouse-design"])
def a_member_keeps_its_key(nights: Nights) -> None:
    for kind, key in (("users", "user"), ("products", "product")):
        types = {f"{key}_id": "text", f"{key}_key": "integer"}
        first, second = (canonical_rows(getattr(night, kind), types) for night in (nights.first, nights.second))
        assert first, f"mart.dim_{kind} is empty"
        later = dict(second)
        moved = [(name, number) for name, number in first if later.get(name, number) != number]
        assert not moved, (
            f"{key} {moved[0][0]} had the key {moved[0][1]} in the first night, {later[moved[0][0]]} in the second"
        )
        gone = [name for name, _ in first if name not in later]
        assert not gone, f"{key} {gone[0]} has vanished from mart.dim_{kind}"


@check("durability", clauses=["constraints/never-lose-data", "constraints/always-implement-idempotent-pipelines"])
def a_killed_build_is_made_good_by_the_next(killed: list[AfterCrash[Star]], nights: Nights) -> None:
    for point in killed:
        why = f"killed after statement {point.after} of {point.of} and started again"
        for one, other, types in (
            (point.seen.facts, nights.second.facts, FACT),
            (point.seen.users, nights.second.users, USER),
            (point.seen.products, nights.second.products, PRODUCT),
            (point.seen.rejected, nights.second.rejected, REJECTED),
        ):
            assert_same_rows(one, other, types, why=why)


@check("durability", clauses=["responsibilities/data-warehouse-design"])
def a_report_never_sees_half_a_night(killed: list[AfterCrash[Star]], nights: Nights) -> None:
    def seen(found: Star) -> list[list[tuple[object, ...]]]:
        parts = ((found.facts, FACT), (found.users, USER), (found.products, PRODUCT), (found.rejected, REJECTED))
        return [sorted(canonical_rows(table, types), key=repr) for table, types in parts]

    states = [seen(nights.first), seen(nights.second)]
    for point in killed:
        assert seen(point.between) in states, (
            f"after statement {point.after} of {point.of} the star stood neither as before the build nor as after it: "
            f"{len(point.between.facts)} facts, {len(nights.first.facts)} before, {len(nights.second.facts)} after"
        )


@check("quality", clauses=["constraints/always-validate-data-quality", "constraints/never-lose-data"])
def a_line_that_is_no_fact_stands_aside(nights: Nights, world: World) -> None:
    for night, found, shop in (("first", nights.first, world.first), ("second", nights.second, world.second)):
        assert shop.rejected()
        why = f"lines without a quantity above 0 or a price, {night} night"
        assert_same_rows(found.rejected, shop.rejected(), REJECTED, why=why)
        reasons = [reason for (reason,) in canonical_rows(found.rejected, {"reason": "text"})]
        assert all(reason and reason.strip() for reason in reasons), "a rejected line has no reason"
        assert_facts(world, shop, found.facts, f"the good lines of an order with bad ones, {night} night", "rejected")


@check("quality", clauses=["data-warehouse-design/dimensional-modeling", "responsibilities/data-warehouse-design"])
def joins_are_declared(nights: Nights) -> None:
    found = set(canonical_rows(nights.declared, CONSTRAINT))
    grain = "line_no,order_id"
    assert {("p", "fct_orders", "", grain), ("u", "fct_orders", "", grain)} & found, (
        "in mart, neither a primary key on fct_orders (order_id, line_no) nor, with another one, a unique constraint"
    )
    # One of its own is as good, if the line is unique beside it.
    wanted = {key for key in found if key[:2] == ("p", "fct_orders")} or {("p", "fct_orders", "", grain)}
    for dimension, key in (("dim_users", "user_key"), ("dim_products", "product_key"), ("dim_date", "date_key")):
        wanted |= {("p", dimension, "", key), ("f", "fct_orders", dimension, key)}
    missing = [
        f"{'a primary' if kind == 'p' else 'a foreign'} key on {table} ({columns})"
        for kind, table, _, columns in sorted(wanted - found)
    ]
    assert not missing, f"in mart, there is no {'; no '.join(missing)}"


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def a_column_more_is_none_of_our_business(widened: Star, world: World) -> None:
    why = "the shop's tables had got a column `channel`"
    assert_facts(world, world.second, widened.facts, why, "plain", "new")


# canary: 98027ed2-f688-4794-ad95-70d2b9c36159
