"""Syncs a connection in order while its source moves on; then one that is killed between pages, or meets an outage."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import AfterCrash, crash_everywhere, must_end_well
from graders.tables import assert_same_rows, canonical_rows, rows_with
from harness.engines.api import Api, Fault, asked
from harness.engines.fivetran import Fivetran
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import DRIFTED, FIRST, LATER, PATH, RESYNCED, World, furnish

ORDER = {
    "order_id": "text",
    "shop_id": "text",
    "status": "text",
    "note": "text",
    "total": "decimal(2)",
    "updated_at": "timestamp",
}
# Without what the source has dropped.
ORDER_WITHOUT_NOTE = {name: kind for name, kind in ORDER.items() if name != "note"}
TYPES = {"total": "DECIMAL(12,2)", "updated_at": "TIMESTAMP WITH TIME ZONE"}
KILLS = 5
REPEATED = 5  # pages that may be read again after a kill
# The orders that are looked at once a sync has gone wrong and the next one well.
AFTERWARDS = ("plain", "imported", "newest", "changed", "new")
OUTAGE_TIME = 150.0  # seconds: whoever waits for longer than the API's hiccups last is stopped
OPERATION = Operation(
    command="fivetran debug --configuration $DATA/configuration.json",
    fills=("tester.orders",),
    every=datetime.timedelta(hours=1),
    topics={
        "delay": "late delay minutes overlap lag",
        "deletions": "delet tombstone",
        "fields": "field column schema drift",
        "page tokens": "token page",
        "order of the list": "sorted updated_at same",
        "limits": "retry 429 503 outage hiccup",
    },
)


@dataclass(frozen=True)
class Sync:
    """How a sync ended, how many pages it was given, and what stood in the table afterwards."""

    done: Completed
    pages: int
    table: Table | None

    @property
    def orders(self) -> Table:
        must_end_well(self.done, "the sync")
        if self.table is None:
            raise SubmissionFault("there is no table orders in the destination")
        return self.table

    @property
    def live(self) -> Table:
        return live(self.orders)


@dataclass(frozen=True)
class History:
    """The first sync of a connection, one later, one right after that, one after the drift; then one anew.

    ``types``: what the destination calls the columns' types after the first.
    """

    first: Sync
    later: Sync
    again: Sync
    drifted: Sync
    anew: Sync
    types: Mapping[str, str]


def live(table: Table) -> Table:
    """The rows that aren't marked as deleted."""
    if "_fivetran_deleted" not in table.columns:
        return table
    place = table.columns.index("_fivetran_deleted")
    return Table(table.name, table.columns, tuple(row for row in table.rows if not row[place]))


def sync(lab: Lab, timeout: float | None = None) -> Sync:
    lab.use(Api).requests()
    done = run(lab, timeout)
    pages = asked(lab.use(Api).requests(), PATH)
    return Sync(done, pages, stored(lab))


def run(lab: Lab, timeout: float | None = None) -> Completed:
    limit = timeout or lab.task.manifest.limits.run_time
    return lab.use(Fivetran).sync(lab.submission.files, timeout=limit)


def stored(lab: Lab) -> Table | None:
    """None: nothing has come as far as the destination."""
    try:
        return lab.use(Fivetran).table("orders")
    except SubmissionFault:
        return None


def types_of(lab: Lab) -> Mapping[str, str]:
    sql = "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = 'tester' AND table_name = 'orders'"
    try:
        return {name.lower(): kind for name, kind in lab.use(Fivetran).query(sql).rows}
    except SubmissionFault:
        return {}


@scenario
def history(lab: Lab, world: World) -> History:
    found, types = {}, {}
    for name, moment in (("first", FIRST), ("later", LATER), ("again", LATER), ("drifted", DRIFTED)):
        furnish(world, lab, moment)
        found[name] = sync(lab)
        types = types or types_of(lab)
    lab.note(
        "the API dropped a field, added others and gave numbers for texts; orders were deleted; then all was synced "
        "anew from its beginning"
    )
    furnish(world, lab, RESYNCED)
    lab.use(Fivetran).forget_state()
    return History(**found, anew=sync(lab), types=types)


@dataclass(frozen=True)
class Resumed:
    """The table after a sync was killed, and after the next one; how many pages each was given."""

    table: Table | None
    pages: int


@scenario
def killed(lab: Lab, world: World) -> list[AfterCrash[Resumed]]:
    """A first sync is stopped when it asks for the next page; the source moves on; then it is synced again."""

    def prepare() -> None:
        lab.fresh()
        furnish(world, lab)

    def observe() -> Resumed:
        return Resumed(stored(lab), asked(lab.use(Api).requests(), PATH))

    def meanwhile() -> None:
        furnish(world, lab, LATER)

    return crash_everywhere(
        lab,
        lab.use(Api),
        prepare=prepare,
        act=lambda: run(lab),
        observe=observe,
        most=KILLS,
        meanwhile=meanwhile,
    )


@scenario
def hiccups(lab: Lab, world: World) -> Sync:
    furnish(world, lab)
    lab.use(Api).disturb(
        Fault(PATH, after=1, status=429, retry_after=1), Fault(PATH, after=2, status=503, retry_after=1)
    )
    lab.note("the second page was refused once with 429, the third once with 503, each with Retry-After")
    return sync(lab)


def met(lab: Lab, world: World, fault: Fault) -> tuple[Sync, Sync]:
    """A first sync that meets it, and the next hour's, when all is well."""
    furnish(world, lab)
    lab.use(Api).disturb(fault)
    during = sync(lab, OUTAGE_TIME)
    furnish(world, lab, LATER)
    return during, sync(lab)


@scenario
def outage(lab: Lab, world: World) -> tuple[Sync, Sync]:
    """From the third page on the API is down for good."""
    lab.note("the API was down from the third page on; the next sync found it well again")
    return met(lab, world, Fault(PATH, after=2, times=-1, status=503, retry_after=1))


@scenario
def expired(lab: Lab, world: World) -> tuple[Sync, Sync]:
    lab.note("the page token for the third page had expired, and was answered with 410; then it was synced again")
    return met(lab, world, Fault(PATH, after=2, expired=True))


def assert_live(
    table: Table, world: World, moment: str, groups: Iterable[str], why: str, types: Mapping[str, str] = ORDER
) -> None:
    """The groups' orders, and of them only those, stand live in the table as they must."""
    expected = world.live(moment, *groups)
    wanted = frozenset().union(*(world.groups[group] for group in groups))
    assert_same_rows(rows_with(live(table), "order_id", wanted, types), expected, types, why=why)


@check(
    "correctness",
    clauses=["expertise-areas/fivetran", "responsibilities/data-integration-across-sources"],
)
def every_order_arrives(history: History, world: World) -> None:
    assert_same_rows(history.first.live, world.live(FIRST), ORDER, why="after the first sync")


@check("correctness", clauses=["expertise-areas/fivetran", "constraints/always-validate-data-quality"])
def columns_have_the_types_that_were_asked_for(history: History) -> None:
    must_end_well(history.first.done, "the first sync")
    for column, kind in TYPES.items():
        found = history.types.get(column, "no column at all")
        assert found == kind, f"{column} is to be {kind}; in the destination it is {found}"


@check("correctness", clauses=["expertise-areas/fivetran"])
def changes_and_new_orders_follow(history: History, world: World) -> None:
    groups = ("changed", "new", "imported", "newest")
    assert_live(history.later.orders, world, LATER, groups, "an hour later")


@check("correctness", clauses=["expertise-areas/fivetran"])
def deleted_orders_are_marked_and_restored_ones_are_not(history: History, world: World) -> None:
    table = history.later.orders
    place = [column.lower() for column in table.columns].index("order_id")
    stood = {row[place] for row in history.first.live.rows}
    gone = world.deleted(LATER) & world.groups["deleted"]
    assert gone <= stood, "orders that are deleted later aren't there after the first sync"
    still = gone & {row[place] for row in history.later.live.rows}
    assert not still, (
        f"{len(still)} orders were deleted at the source, but aren't marked as deleted: {sorted(still)[:3]}"
    )
    kept = gone & {row[place] for row in table.rows}
    assert kept == gone, f"{len(gone - kept)} deleted orders are no longer in the table, not even marked"
    unseen = (world.deleted(LATER) - gone) & {row[place] for row in history.later.live.rows}
    assert not unseen, f"{len(unseen)} orders stand live that the API never gave but as deleted: {sorted(unseen)[:3]}"
    assert_live(table, world, LATER, ["restored"], "orders that came back")
    deleted = world.groups["deleted before the last"]
    still = deleted & {row[place] for row in history.anew.live.rows}
    assert not still, (
        f"{len(still)} orders were deleted before it was synced anew, and stand live after that: {sorted(still)[:3]}"
    )


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def an_order_that_is_listed_late_arrives(history: History, world: World) -> None:
    assert_live(history.later.orders, world, LATER, ["late"], "orders listed up to 14 minutes after their updated_at")


@check("durability", clauses=["constraints/never-lose-data"])
def a_sync_that_is_killed_between_pages_loses_nothing(killed: list[AfterCrash[Resumed]], world: World) -> None:
    for crash in killed:
        why = f"killed after page {crash.after} of {crash.of}; the source moved on; synced again"
        assert crash.seen.table is not None, f"{why}: there is no table orders"
        assert_live(crash.seen.table, world, LATER, AFTERWARDS, why)


@check("scale", clauses=["constraints/test-with-production-like-volumes", "responsibilities/performance-optimization"])
def a_sync_that_is_killed_late_is_not_begun_from_scratch(killed: list[AfterCrash[Resumed]], world: World) -> None:
    late = [crash for crash in killed if crash.of - 1 > crash.after >= crash.of - 3]
    assert late, "it wasn't killed in its second half"
    for crash in late:
        left = world.pages(LATER) - crash.after
        assert crash.seen.pages <= left + REPEATED, (
            f"{crash.after} of {crash.of} pages had been read when it was killed; the next sync read "
            f"{crash.seen.pages} of {world.pages(LATER)}"
        )


@check(
    "scale",
    clauses=[
        "responsibilities/cost-optimization-for-data-processing",
        "collaboration-protocol/coordinate-api-data-access",
    ],
)
def a_later_sync_reads_what_is_new(history: History, world: World) -> None:
    everything = world.pages(LATER)
    must_end_well(history.later.done, "the second sync")
    must_end_well(history.again.done, "the third sync")
    assert history.first.pages >= everything - 2, f"the first sync read {history.first.pages} pages of {everything}"
    for name, seen in (("an hour later", history.later), ("right after that", history.again)):
        assert seen.pages <= everything // 2, (
            f"{name} {seen.pages} pages were read; a list of everything has {everything}"
        )


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def syncing_again_changes_nothing(history: History, world: World) -> None:
    assert len(history.later.live), "there are no orders"
    why = "synced again, though nothing had changed"
    assert_same_rows(history.again.live, history.later.live, ORDER, why=why)
    why = "synced anew from the beginning, over the rows that are there"
    groups = ("plain", "imported", "restored", "changed", "new", "new after the drift")
    assert_live(history.anew.orders, world, RESYNCED, groups, why, ORDER_WITHOUT_NOTE)


def city_in(value: Any) -> Any:
    """Of an object, as such or as JSON, its city; of a column of its own the value."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
    return found.get("city") if isinstance(found, dict) else found


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def new_fields_become_columns(history: History, world: World) -> None:
    expected = {
        row["order_id"]: row["channel"] for row in world.rows[DRIFTED] if "channel" in row and not row.get("deleted")
    }
    rows = canonical_rows(history.drifted.live, {"order_id": "text", "channel": "text"})
    found = {order: channel for order, channel in rows if channel is not None}
    assert found == expected, (
        f"the new field channel has {len(found)} values in the table, {len(expected)} at the source"
    )
    columns = history.drifted.orders.columns
    nested = [column for column in columns if "delivery" in column.lower()]
    assert nested, f"the new field delivery isn't in the table; it has {', '.join(columns)}"
    cities = {row["order_id"]: row["delivery"]["city"] for row in world.rows[DRIFTED] if "delivery" in row}
    told = {row["order_id"]: [city_in(row[column]) for column in nested] for row in history.drifted.live}
    wrong = {order: told.get(order) for order, city in cities.items() if city not in told.get(order, [])}
    assert not wrong, f"the new field delivery has the city {cities[min(wrong)]}; in the table: {wrong[min(wrong)]}"


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def a_field_that_is_gone_and_a_type_that_is_another_stop_nothing(history: History, world: World) -> None:
    why = "after the API had dropped note and gave total as a number"
    groups = ("changed after the drift", "new after the drift")
    assert_live(history.drifted.orders, world, DRIFTED, groups, why, ORDER_WITHOUT_NOTE)


@check("durability", clauses=["constraints/never-lose-data"])
def hiccups_are_waited_for(hiccups: Sync, world: World) -> None:
    assert_same_rows(hiccups.live, world.live(FIRST), ORDER, why="a page was refused with 429, another with 503")


@check("durability", clauses=["constraints/never-lose-data", "constraints/always-validate-data-quality"])
def an_outage_is_no_success_and_loses_nothing(outage: tuple[Sync, Sync], world: World) -> None:
    during, after = outage
    assert not during.done.ok, "the API was down from the third page on, but the sync ended as a success"
    assert_live(after.orders, world, LATER, AFTERWARDS, "after an outage and another sync")


@check("durability", clauses=["constraints/never-lose-data", "constraints/always-validate-data-quality"])
def a_page_token_that_expires_loses_nothing(expired: tuple[Sync, Sync], world: World) -> None:
    during, after = expired
    if during.done.ok:
        why = "the third page's token had expired, and the sync ended as a success"
        assert_same_rows(during.live, world.live(FIRST), ORDER, why=why)
    assert_live(after.orders, world, LATER, AFTERWARDS, "after a page token had expired, and another sync")


@check(
    "security",
    clauses=["responsibilities/data-integration-across-sources", "collaboration-protocol/coordinate-api-data-access"],
)
def the_key_is_not_in_the_logs(history: History, hiccups: Sync, outage: tuple[Sync, Sync], world: World) -> None:
    must_end_well(history.first.done, "the first sync")
    for seen in (history.first, history.later, history.drifted, hiccups, *outage):
        said = f"{seen.done.stdout}\n{seen.done.stderr}"
        line = next((line for line in said.splitlines() if world.key in line), "")
        assert not line, f"the API's key is in the log: {line.replace(world.key, '<the key>')[:200]}"


# canary: 3bfb8542-be3f-4bef-b5ba-cffd85a0a233
