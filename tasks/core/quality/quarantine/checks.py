"""Runs seven batches in order, one of them again, two in the wrong order, and one killed; looks at the five tables."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import AfterCrash, crash_everywhere, must_end_well
from graders.tables import assert_same_rows, canonical_rows
from harness.engines.duckdb import DuckDB
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import BROKEN, DAYS, EMPTY, FIRST, LARGE, SECOND, STALE, WIDER, World, deliver

ORDERS = {
    "order_id": "text",
    "user_id": "text",
    "email": "text",
    "ordered_at": "timestamp",
    "updated_at": "timestamp",
    "quantity": "integer",
    "unit_price": "decimal(2)",
    "total_amount": "decimal(2)",
    "status": "text",
    "note": "text",
}
QUARANTINE = {"batch": "date", "line": "integer", "reason": "text"}
RECORD = {"batch": "date", "line": "integer", "record": "text"}
REVIEW = {"batch": "date", "line": "integer", "order_id": "text", "flag": "text"}
ALERTS = {"batch": "date", "kind": "text"}
BATCHES = {"batch": "date", "records": "integer", "accepted": "integer", "merged": "integer", "rejected": "integer"}
TABLES = {
    "orders": ORDERS,
    "quarantine": {**QUARANTINE, "record": "text"},
    "review": REVIEW,
    "alerts": ALERTS,
    "batches": BATCHES,
}


OPERATION = Operation(
    command=f"python gate.py --batch {FIRST}",
    fills=("orders",),
    every=datetime.timedelta(days=1),
    parameters={"batch": FIRST},
    reasons="quarantine.reason",
    topics={
        "when a file is complete": "complet whole finish partial",
        "its lines": "break newline line field quote utf encod",
        "orders that come again": "again same updated_at duplic latest mend merg",
        "users": "users reference known",
        "columns": "column header",
        "time zones": "utc zone timezone",
    },
)


@dataclass(frozen=True)
class Seen:
    """How the batches ended, and the tables afterwards; a table that can't be read is named with the reason."""

    ended: dict[str, Completed]
    tables: dict[str, Table]
    problems: dict[str, SubmissionFault] = field(default_factory=dict)

    def table(self, name: str, *days: str) -> Table:
        """A table, once it is sure that these days' batches ended well."""
        for day in days:
            must_end_well(self.ended[day], f"the batch of {day}")
        if name in self.problems:
            raise self.problems[name]
        return self.tables[name]


def gate(lab: Lab, day: str) -> Completed:
    return lab.run("python", "gate.py", "--batch", day)


def look(lab: Lab, ended: dict[str, Completed], names: Iterable[str] = TABLES) -> Seen:
    tables, problems = {}, {}
    for name in names:
        try:
            tables[name] = lab.use(DuckDB).table(name)
        except SubmissionFault as problem:
            problems[name] = problem
    return Seen(ended, tables, problems)


@scenario
def week(lab: Lab, world: World) -> tuple[Seen, Seen]:
    """All batches in order; then the first one a second time."""
    ended = {}
    for day in DAYS:
        deliver(world, lab, day)
        ended[day] = gate(lab, day)
    first = look(lab, ended)
    again = {FIRST: gate(lab, FIRST)}
    lab.note(f"the batch of {FIRST} was run again after that of {DAYS[-1]}")
    return first, look(lab, again)


@scenario
def swapped(lab: Lab, world: World) -> Seen:
    ended = {}
    for day in (SECOND, FIRST):
        deliver(world, lab, day)
        ended[day] = gate(lab, day)
    lab.note(f"the batch of {FIRST} was run after that of {SECOND}")
    return look(lab, ended, ["orders"])


Rows = dict[str, list[tuple[object, ...]]]


@scenario
def killed(lab: Lab, world: World) -> list[AfterCrash[Rows]]:
    """The batch of the first day, alone, killed on its way; what the tables hold, nothing where there is none."""

    def prepare() -> None:
        lab.fresh()
        deliver(world, lab, FIRST)

    def observe() -> Rows:
        tables = look(lab, {}).tables
        return {name: canonical_rows(tables[name], TABLES[name]) if name in tables else [] for name in TABLES}

    return crash_everywhere(
        lab, lab.use(DuckDB), prepare=prepare, act=lambda: gate(lab, FIRST), observe=observe, most=4
    )


def only(table: Table, column: str, values: Iterable[object], types: dict[str, str]) -> list[dict[str, object]]:
    """The rows whose column has one of the values, as their declared types."""
    wanted = set(values)
    rows = [dict(zip(types, row, strict=True)) for row in canonical_rows(table, types)]
    return [row for row in rows if row[column] in wanted]


def assert_orders(seen: Seen, world: World, why: str, ids: Iterable[str], *days: str) -> None:
    wanted = set(ids)
    found = only(seen.table("orders", *days), "order_id", wanted, ORDERS)
    assert_same_rows(found, world.orders(wanted), ORDERS, why=f"orders: {why}")


def assert_quarantined(seen: Seen, world: World, day: str, why: str, *groups: str) -> None:
    batch, lines = datetime.date.fromisoformat(day), {record.number for record in world.of(day, *groups)}
    found = only(seen.table("quarantine", day), "line", lines, QUARANTINE)
    found = [row for row in found if row["batch"] == batch]
    assert_same_rows(found, world.quarantine(day, *groups), QUARANTINE, why=f"quarantine: {why}")


@check("correctness", clauses=["responsibilities/batch-and-stream-processing"])
def good_records_reach_orders(week: tuple[Seen, Seen], world: World) -> None:
    ids = world.ids("good", "odd", days=[FIRST, SECOND])
    assert_orders(week[0], world, "records without fault", ids, FIRST, SECOND)


@check("correctness", clauses=["responsibilities/data-quality-and-validation"])
def of_several_good_records_the_latest_is_kept(week: tuple[Seen, Seen], world: World) -> None:
    why = "orders that are several times in the file"
    assert_orders(week[0], world, why, world.ids("merged"), FIRST)


@check("quality", clauses=["constraints/always-validate-data-quality"])
def incomplete_records_are_rejected(week: tuple[Seen, Seen], world: World) -> None:
    assert_quarantined(week[0], world, FIRST, "records without a required value", "incomplete")


@check("quality", clauses=["constraints/always-validate-data-quality"])
def malformed_values_are_rejected(week: tuple[Seen, Seen], world: World) -> None:
    assert_quarantined(week[0], world, FIRST, "records with a value of the wrong form", "malformed", "bad-twin")


@check("quality", clauses=["constraints/always-validate-data-quality"])
def values_that_only_a_parser_takes_are_rejected(week: tuple[Seen, Seen], world: World) -> None:
    assert_quarantined(week[0], world, FIRST, "values that aren't in the agreed form", "look-alike")


@check("quality", clauses=["constraints/always-validate-data-quality", "constraints/never-lose-data"])
def values_too_large_for_their_column_are_rejected(week: tuple[Seen, Seen], world: World) -> None:
    assert_quarantined(week[0], world, LARGE, "values that are too large for their column", "too-large")
    assert_orders(week[0], world, "beside values that are too large", world.ids("good", days=[LARGE]), LARGE)


@check("quality", clauses=["constraints/always-validate-data-quality"])
def orders_of_unknown_users_are_rejected(week: tuple[Seen, Seen], world: World) -> None:
    assert_quarantined(week[0], world, FIRST, "orders whose user isn't in reference/users.csv", "unknown")


@check("quality", clauses=["responsibilities/data-quality-and-validation"])
def every_reason_of_a_record_is_kept(week: tuple[Seen, Seen], world: World) -> None:
    assert_quarantined(week[0], world, FIRST, "records with several faults", "manifold")


@check("quality", clauses=["responsibilities/data-quality-and-validation"])
def odd_records_are_flagged(week: tuple[Seen, Seen], world: World) -> None:
    found = only(week[0].table("review", FIRST), "batch", [datetime.date.fromisoformat(FIRST)], REVIEW)
    assert_same_rows(found, world.review(FIRST), REVIEW, why="review: what is odd on the first day")


@check("durability", clauses=["constraints/never-lose-data"])
def every_record_is_accounted_for(week: tuple[Seen, Seen], world: World) -> None:
    days = (FIRST, SECOND)
    batches = [datetime.date.fromisoformat(day) for day in days]
    found = only(week[0].table("batches", *days), "batch", batches, BATCHES)
    assert_same_rows(found, world.counts(days), BATCHES, why="batches: accepted, merged and rejected records")


@check("durability", clauses=["constraints/never-lose-data"])
def a_rejected_record_is_kept_as_it_came(week: tuple[Seen, Seen], world: World) -> None:
    groups = ("malformed", "incomplete", "unknown")
    batch = datetime.date.fromisoformat(FIRST)
    kept = {
        line: text for day, line, text in canonical_rows(week[0].table("quarantine", FIRST), RECORD) if day == batch
    }
    lines = world.files[FIRST].decode().split("\n")
    for record in world.of(FIRST, *groups):
        if record.number in kept:
            line, text = lines[record.number - 1], kept[record.number]
            assert text is not None and text.strip("\r\n") == line, (
                f"line {record.number} is {line!r}, kept is {text!r}"
            )
    assert kept, f"quarantine holds nothing of {FIRST}"


@check("durability", clauses=["constraints/never-lose-data"])
def an_unreadable_line_costs_only_itself(week: tuple[Seen, Seen], world: World) -> None:
    assert_quarantined(week[0], world, BROKEN, "lines that can't be read", "torn")
    assert_orders(week[0], world, "beside unreadable lines", world.ids("good", days=[BROKEN]), BROKEN)
    found = only(week[0].table("batches"), "batch", [datetime.date.fromisoformat(BROKEN)], BATCHES)
    assert_same_rows(found, world.counts([BROKEN]), BATCHES, why="batches: a file with unreadable lines")


@check("durability", clauses=["constraints/never-lose-data", "constraints/always-implement-idempotent-pipelines"])
def a_mended_record_enters_once(week: tuple[Seen, Seen], world: World) -> None:
    why = "orders that were rejected, and came mended in two later batches"
    assert_orders(week[0], world, why, world.ids("mended"), SECOND)


@check("durability", clauses=["constraints/never-lose-data", "constraints/always-implement-idempotent-pipelines"])
def a_killed_batch_is_in_as_a_whole_or_not_at_all(killed: list[AfterCrash[Rows]]) -> None:
    # The first was killed before its first statement: the run after it was undisturbed.
    whole = killed[0].seen
    assert whole["orders"], f"no order arrives with the batch of {FIRST}"
    for point in killed:
        said = f"killed after statement {point.after} of {point.of}"
        for name, types in TABLES.items():
            rows = [dict(zip(types, row, strict=True)) for row in point.seen[name]]
            expected = [dict(zip(types, row, strict=True)) for row in whole[name]]
            assert_same_rows(rows, expected, types, why=f"{name}: {said}, then run again")
        sizes = {name: len(rows) for name, rows in point.between.items()}
        full = {name: len(rows) for name, rows in whole.items()}
        assert sizes in (full, dict.fromkeys(TABLES, 0)), (
            f"{said}, the batch stands half done, in rows: {sizes} of {full}"
        )


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def running_a_batch_again_changes_nothing(week: tuple[Seen, Seen]) -> None:
    before, after = week
    for name, types in TABLES.items():
        if name in before.tables:
            table = after.table(name, FIRST)
            assert_same_rows(table, before.tables[name], types, why="the first batch was run again after all others")
    assert before.tables, "no table can be read"


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def an_older_record_does_not_replace_a_newer_one(week: tuple[Seen, Seen], world: World) -> None:
    why = "an older state of an order came with a later batch"
    assert_orders(week[0], world, why, world.ids("changing"), FIRST, SECOND, STALE)


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def a_batch_behind_its_successor_changes_nothing_newer(swapped: Seen, world: World) -> None:
    wanted = world.ids("changing", "mended", days=[SECOND])
    found = only(swapped.table("orders", FIRST, SECOND), "order_id", wanted, ORDERS)
    expected = world.orders(wanted, days=[FIRST, SECOND])
    why = f"orders: the batch of {FIRST} came after that of {SECOND}"
    assert_same_rows(found, expected, ORDERS, why=why)


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def a_stale_batch_raises_an_alert(week: tuple[Seen, Seen], world: World) -> None:
    found = only(week[0].table("alerts", STALE), "kind", ["stale"], ALERTS)
    expected = [{"batch": datetime.date.fromisoformat(STALE), "kind": "stale"}]
    assert_same_rows(found, expected, ALERTS, why="alerts: batches whose newest record is of an earlier day")
    assert_orders(week[0], world, "orders of a stale batch", world.ids("stale"), STALE)


@check("quality", clauses=["constraints/always-validate-data-quality"])
def an_empty_batch_is_done_and_raises_an_alert(week: tuple[Seen, Seen], world: World) -> None:
    found = only(week[0].table("alerts", EMPTY), "kind", ["empty"], ALERTS)
    batch = datetime.date.fromisoformat(EMPTY)
    assert_same_rows(found, [{"batch": batch, "kind": "empty"}], ALERTS, why="alerts: batches without orders")
    counted = only(week[0].table("batches"), "batch", [batch], BATCHES)
    assert_same_rows(counted, world.counts([EMPTY]), BATCHES, why="batches: a batch without orders")


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def a_file_with_other_columns_is_read_by_their_names(week: tuple[Seen, Seen], world: World) -> None:
    why = "a file with a new column, and its columns in another order"
    assert_orders(week[0], world, why, world.ids("wider"), WIDER)


# canary: 083f606c-16c5-406a-a9ae-885d367e6f15
