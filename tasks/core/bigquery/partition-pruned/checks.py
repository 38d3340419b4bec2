"""Rebuilds twice, loads drops as they come, again, corrected and cancelled, and asks the dashboard for several days."""

from __future__ import annotations

import datetime
import decimal
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import crash_points, must_end_well
from graders.tables import assert_same_rows, canonical_rows, rows_with
from harness.engines.bigquery import Answer, BigQuery
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import COLUMNS, FIRST_DROP, SECOND_DROP, Order, Window, World, dashboard, furnish, land, nearby

SHOWN = {"day": "date", "country": "text", "orders": "integer", "revenue": "decimal(2)"}
ORDER = {
    "order_id": "text",
    "ordered_at": "timestamp",
    "country": "text",
    "status": "text",
    "amount": "decimal(2)",
    "note": "text",
    "loaded_on": "date",
}
TYPES = {"day": datetime.date, "country": str, "orders": int, "revenue": decimal.Decimal}
# What another team asks: without a filter.
OTHER_TEAM = f"SELECT {', '.join(ORDER)} FROM shop.orders"
BYTES_AN_ORDER, COPIES = 60, 10
MOST_CANCELLED = 6


def days(first: str, last: str) -> Window:
    return datetime.date.fromisoformat(first), datetime.date.fromisoformat(last)


WEEK = days("2026-03-02", "2026-03-08")
OTHERS = (
    days("2026-01-20", "2026-01-20"),
    days("2026-03-28", "2026-03-30"),  # clocks are put forward
    days("2026-02-15", "2026-02-15"),  # nothing was sold
    days("2026-02-01", "2026-02-28"),
)
# What the drops of April reach into most.
RECENT = days("2026-03-22", "2026-04-02")

LOAD = "bq query --nouse_legacy_sql --parameter=day:DATE:{day} < load.sql"
OPERATION = Operation(
    command=LOAD.format(day=FIRST_DROP),
    fills=("shop.orders",),
    every=datetime.timedelta(days=1),
    topics={
        "late orders": "late old older past delay",
        "orders without a time": "null paper ordered_at missing without",
        "corrected drops": "correct replac again reload drop",
        "the shop's clock": "berlin utc clock zone midnight",
        "unique orders": "unique order_id duplic",
    },
)


@dataclass(frozen=True)
class State:
    """What stands in shop.orders, and what the dashboard says of each window, or why it says nothing."""

    orders: Table | SubmissionFault
    answers: Mapping[Window, Answer | SubmissionFault]

    def answer(self, window: Window) -> Answer:
        found = self.answers[window]
        if isinstance(found, SubmissionFault):
            raise found
        return found

    def table(self) -> Table:
        if isinstance(self.orders, SubmissionFault):
            raise self.orders
        return self.orders

    def assert_shows(self, orders: Iterable[Order], windows: Iterable[Window], why: str, copies: int = 1) -> None:
        orders = list(orders)
        for window in windows:
            expected = dashboard(orders, window, copies)
            said = f"{why}, {window[0]} to {window[1]}"
            assert_same_rows(self.answer(window).table, expected, SHOWN, why=said)

    def assert_holds(self, orders: Iterable[Order], why: str) -> None:
        assert_same_rows(self.table(), rows(orders), ORDER, why=why)

    def assert_holds_of_drop(self, drop: Iterable[Order], day: datetime.date, why: str) -> None:
        assert_same_rows(rows_with(self.table(), "loaded_on", [day], ORDER), rows(drop), ORDER, why=why)


def rows(orders: Iterable[Order]) -> list[dict[str, object]]:
    found = [{**{name: getattr(order, name) for name in COLUMNS}, "loaded_on": order.drop} for order in orders]
    assert found, "no order is expected"
    return found


# -- what is done -----------------------------------------------------------------------------------------------------


def rebuild(lab: Lab, what: str = "the rebuild") -> None:
    must_end_well(lab.run("bash", "-c", "bq query --nouse_legacy_sql < rebuild.sql"), what)


def load(lab: Lab, day: datetime.date) -> Completed:
    return lab.run("bash", "-c", LOAD.format(day=day))


def ask(lab: Lab, windows: Iterable[Window]) -> dict[Window, Answer | SubmissionFault]:
    sql = lab.submission.files.get("dashboard.sql", b"").decode("utf-8", "replace")
    found: dict[Window, Answer | SubmissionFault] = {}
    for window in windows:
        given = {name: ("DATE", str(day)) for name, day in zip(("first_day", "last_day"), window, strict=True)}
        try:
            found[window] = lab.use(BigQuery).ask(sql, given, "dashboard.sql")
        except SubmissionFault as fault:
            found[window] = fault
    return found


def state(lab: Lab, windows: Iterable[Window] = (RECENT,)) -> State:
    try:
        orders: Table | SubmissionFault = (
            lab.use(BigQuery).ask(OTHER_TEAM, name="another team's query of shop.orders").table
        )
    except SubmissionFault as fault:
        orders = fault
    return State(orders, ask(lab, windows))


@dataclass(frozen=True)
class Moved:
    once: State
    twice: State


@scenario
def moved(lab: Lab, world: World) -> Moved:
    furnish(world, lab)
    rebuild(lab)
    once = state(lab, (WEEK, *OTHERS))
    rebuild(lab, "the rebuild, a second time")
    lab.note("rebuild.sql was run twice")
    return Moved(once, state(lab, (WEEK, *OTHERS)))


@scenario
def tenfold(lab: Lab, world: World) -> State:
    furnish(world, lab, COPIES)
    rebuild(lab)
    lab.note(f"there were {COPIES} times as many orders")
    return state(lab, (WEEK, *OTHERS))


@dataclass(frozen=True)
class Loaded:
    """After the first drop; its load run again; the drop corrected; the second drop; and another rebuild."""

    first: State
    again: State
    corrected: State
    second: State
    rebuilt: State


@scenario
def loaded(lab: Lab, world: World) -> Loaded:
    furnish(world, lab)
    rebuild(lab)
    seen = []
    for what, day in (("", FIRST_DROP), (", again", FIRST_DROP), (", corrected", FIRST_DROP), ("", SECOND_DROP)):
        if what == ", corrected":
            land(lab, world.corrected)
            lab.note(f"the drop of {day} was corrected, and loaded again")
        must_end_well(load(lab, day), f"the load of {day}{what}")
        seen.append(state(lab, (WEEK, RECENT)))
    rebuild(lab, "the rebuild, after two loads")
    return Loaded(*seen, state(lab, (WEEK, RECENT)))


@dataclass(frozen=True)
class Cancelled:
    """What stood there when the load was cancelled behind so many statements; then it was run again.

    ``before`` and ``after`` are the drop as loaded before, and as it stands in the landing zone.
    """

    behind: int
    before: Sequence[Order]
    after: Sequence[Order]
    between: State
    seen: State


@scenario
def cancelled(lab: Lab, world: World) -> list[Cancelled]:
    """A drop and its correction in turns, so that every load has something to do."""
    furnish(world, lab)
    rebuild(lab)
    bigquery = lab.use(BigQuery)
    bigquery.count()
    done = load(lab, FIRST_DROP)
    statuses = bigquery.stop_counting()
    must_end_well(done, f"the load of {FIRST_DROP}")
    turns = itertools.cycle((world.drops[FIRST_DROP], world.corrected))
    before, found = next(turns), []
    for behind in crash_points(statuses, MOST_CANCELLED)[:-1]:
        after = next(turns)
        land(lab, after)
        bigquery.crash(behind)
        load(lab, FIRST_DROP)
        bigquery.stop_counting()
        between = state(lab)
        must_end_well(load(lab, FIRST_DROP), f"the load of {FIRST_DROP}, after one that was cancelled")
        found.append(Cancelled(behind, before, after, between, state(lab)))
        before = after
    lab.note(
        f"the load was cancelled behind {', '.join(str(one.behind) for one in found)} of {len(statuses)} statements"
    )
    return found


# -- what is looked at ------------------------------------------------------------------------------------------------


@check("correctness", clauses=["responsibilities/data-warehouse-design"])
def the_dashboard_says_what_it_did(moved: Moved, world: World) -> None:
    moved.once.assert_shows(world.history, [WEEK], "after the rebuild")
    table = moved.once.answer(WEEK).table
    for column, kind in TYPES.items():
        others = {
            type(value).__name__ for value in table.column(column) if value is not None and type(value) is not kind
        }
        assert not others, f"the dashboard's {column} was {kind.__name__}, and is {', '.join(sorted(others))}"


@check("correctness", clauses=["collaboration-protocol/optimize-query-patterns"])
def it_is_right_for_any_days(moved: Moved, world: World) -> None:
    moved.once.assert_shows(world.history, OTHERS, "after the rebuild")


def assert_within(state: State, orders: Sequence[Order], copies: int = 1) -> None:
    over = []
    for window in (WEEK, *OTHERS):
        most, took = BYTES_AN_ORDER * nearby(orders, window) * copies, state.answer(window).bytes
        if took > most:
            over.append(f"{window[0]} to {window[1]} takes {took} bytes of {most}")
    assert not over, "; ".join(over)


@check("scale", clauses=["responsibilities/cost-optimization-for-data-processing"])
def a_window_costs_what_its_days_are_worth(moved: Moved, world: World) -> None:
    assert_within(moved.once, world.history)


@check(
    "scale",
    clauses=["constraints/test-with-production-like-volumes", "responsibilities/performance-optimization"],
)
def it_does_with_ten_times_the_orders(tenfold: State, world: World) -> None:
    assert_within(tenfold, world.history, COPIES)
    tenfold.assert_shows(world.history, [WEEK], f"with {COPIES} times the orders", COPIES)


@check("durability", clauses=["constraints/never-lose-data"])
def every_order_is_still_there(moved: Moved, world: World) -> None:
    moved.once.assert_holds(world.history, "after the rebuild")


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def rebuilding_again_changes_nothing(moved: Moved, loaded: Loaded) -> None:
    for before, after, windows, why in (
        (moved.once, moved.twice, (WEEK, *OTHERS), "rebuild.sql was run a second time"),
        (loaded.second, loaded.rebuilt, (WEEK, RECENT), "rebuild.sql was run again after two loads"),
    ):
        assert_same_rows(after.table(), before.table(), ORDER, why=why)
        for window in windows:
            assert_same_rows(after.answer(window).table, before.answer(window).table, SHOWN, why=why)


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def a_drop_is_in_with_its_late_orders(loaded: Loaded, world: World) -> None:
    for seen, day, drops in (
        (loaded.first, FIRST_DROP, [world.drops[FIRST_DROP]]),
        (loaded.second, SECOND_DROP, [world.corrected, world.drops[SECOND_DROP]]),
    ):
        seen.assert_shows(world.orders(*drops), [RECENT], f"the drop of {day} was loaded")
        seen.assert_holds_of_drop(world.drops[day], day, f"the drop of {day} was loaded")


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def a_drop_that_comes_again_replaces_itself(loaded: Loaded, world: World) -> None:
    loaded.again.assert_shows(world.orders(world.drops[FIRST_DROP]), [RECENT], "the same drop was loaded twice")
    loaded.corrected.assert_shows(world.orders(world.corrected), [RECENT], "a corrected drop was loaded")
    loaded.corrected.assert_holds_of_drop(world.corrected, FIRST_DROP, "a corrected drop was loaded")


@check("durability", clauses=["constraints/never-lose-data"])
def nobody_sees_half_a_load(cancelled: list[Cancelled], world: World) -> None:
    for one in cancelled:
        why = f"the load was cancelled behind statement {one.behind}"
        shown = canonical_rows(one.between.answer(RECENT).table, SHOWN)
        whole = [canonical_rows(dashboard(world.orders(drop), RECENT), SHOWN) for drop in (one.before, one.after)]
        assert any(sorted(shown, key=repr) == sorted(rows, key=repr) for rows in whole), (
            f"{why}: the dashboard shows neither what it did before, nor what it does after it"
        )
        one.seen.assert_shows(world.orders(one.after), [RECENT], f"{why}, and then run again")


# canary: 0e5f9775-ac7b-4fb3-bc44-96b7ef5cec6d
