"""Syncs a connection in order while its source moves on; then one that is killed, limited, or meets an outage."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import AfterCrash, crash_everywhere
from graders.tables import assert_same_rows, canonical_rows, rows_with
from harness.engines.airbyte import Airbyte, Connection, Ended, Stream
from harness.engines.api import Api, Fault, Request
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.tables import Table

from .world import DEPOTS, END_OF_FIRST, FIRST, LATER, SHIPMENTS, World, configuration, furnish

SHIPMENT = {
    "shipment_id": "text",
    "order_id": "text",
    "depot_id": "text",
    "status": "text",
    "weight_kg": "decimal(3)",
    "updated_at": "text",
}
DEPOT = {"depot_id": "text", "city": "text"}
KILLS = 4
REPEATED = 100  # shipments that may be read again after a kill: two months'
LIFETIME = 2  # seconds: of a token
# Seconds of a Retry-After. The second is longer than who doesn't read it waits by the kit's own choice.
WAIT, LONG_WAIT = 1, 12
# The shipments that are looked at once a sync has gone wrong and the next one well.
AFTERWARDS = ("plain", "closing", "newest", "changed", "new")
READ_AGAIN = datetime.timedelta(days=14)  # that a sync may look back
# Of an outage: the CDK goes on with other windows when one has failed, so that an endless one takes minutes.
REFUSALS, OUTAGE_TIME = 7, 150.0
READ = "source-declarative-manifest read --config $DATA/config.json --manifest-path manifest.yaml"
OPERATION = Operation(
    command=f"{READ} --catalog $DATA/catalog.json",
    fills=(),
    every=datetime.timedelta(hours=1),
    topics={
        "delay": "late delay hours scanner lookback",
        "fields": "field column schema",
        "tokens": "token expire",
        "order of the list": "sorted updated_at inclusive",
        "limits": "retry 429 503 outage limit",
        "depots": "depot",
    },
)


@dataclass(frozen=True)
class Sync:
    """How a sync ended, what the API saw of it, and what the destination held afterwards."""

    ended: Ended
    requests: tuple[Request, ...]
    shipments: Table
    depots: Table

    @property
    def rows(self) -> int:
        """How many shipments the API gave."""
        return rows_given(self.requests)

    def must_succeed(self, what: str) -> Sync:
        if not self.ended.succeeded:
            raise SubmissionFault(f"{what}: {self.ended.explain()}")
        return self


@dataclass(frozen=True)
class History:
    """The first sync of a connection, one later, and one right after that."""

    first: Sync
    later: Sync
    again: Sync


def rows_given(requests: Iterable[Request]) -> int:
    return sum(request.rows for request in requests if request.path == SHIPMENTS)


def sync(lab: Lab, connection: Connection, *options: str, timeout: float | None = None) -> Sync:
    lab.use(Api).requests()
    ended = connection.sync(*options, timeout=timeout or lab.task.manifest.limits.run_time)
    requests = tuple(lab.use(Api).requests())
    return Sync(ended, requests, connection.table("shipments"), connection.table("depots"))


Streams = tuple[Stream, ...]


@scenario
def streams(lab: Lab, world: World) -> Streams:
    """What the source offers, as it says itself."""
    furnish(world, lab)
    return lab.use(Airbyte).discover(lab.submission.files)


def connect(lab: Lab, streams: Streams) -> Connection:
    return Connection(lab.use(Airbyte), lab.submission.files, streams)


@scenario
def history(lab: Lab, world: World, streams: Streams) -> History:
    furnish(world, lab)
    connection = connect(lab, streams)
    first = sync(lab, connection)
    furnish(world, lab, LATER)
    return History(first, sync(lab, connection), sync(lab, connection))


@dataclass(frozen=True)
class Resumed:
    """The shipments after a sync was killed, and after the next one; how many the API gave each."""

    shipments: Table
    rows: int


@scenario
def killed(lab: Lab, world: World, streams: Streams) -> Sequence[AfterCrash[Resumed]]:
    """A first sync is stopped between two requests; the source moves on; then it is synced again."""
    held: list[Connection] = []

    def prepare() -> None:
        lab.fresh()
        furnish(world, lab)
        held[:] = [connect(lab, streams)]
        lab.use(Api).requests()

    def observe() -> Resumed:
        return Resumed(held[0].table("shipments"), rows_given(lab.use(Api).requests()))

    return crash_everywhere(
        lab,
        lab.use(Api),
        prepare=prepare,
        act=lambda: held[0].sync(timeout=lab.task.manifest.limits.run_time).done,
        observe=observe,
        most=KILLS,
        meanwhile=lambda: furnish(world, lab, LATER),
    )


@scenario
def limited(lab: Lab, world: World, streams: Streams) -> Sync:
    furnish(world, lab)
    connection = connect(lab, streams)
    lab.use(Api).disturb(
        Fault(DEPOTS, after=1, status=429, retry_after=WAIT),
        Fault(SHIPMENTS, after=3, status=429, retry_after=LONG_WAIT),
    )
    lab.note(f"a page of depots and one of shipments were refused with 429 and Retry-After: {WAIT} and {LONG_WAIT}")
    return sync(lab, connection)


@scenario
def hiccups(lab: Lab, world: World, streams: Streams) -> Sync:
    furnish(world, lab)
    connection = connect(lab, streams)
    lab.use(Api).disturb(
        Fault(SHIPMENTS, after=1, status=503, retry_after=1), Fault(SHIPMENTS, after=4, status=500, retry_after=1)
    )
    lab.note("two pages of shipments were refused once, with 503 and with 500")
    return sync(lab, connection)


@scenario
def expiring(lab: Lab, world: World, streams: Streams) -> Sync:
    """Tokens live for two seconds, and a page takes longer."""
    furnish(world, lab, lifetime=LIFETIME)
    connection = connect(lab, streams)
    lab.use(Api).disturb(Fault(SHIPMENTS, after=2, slow=LIFETIME + 3))
    lab.note(f"tokens lived for {LIFETIME} s, and the third page of shipments took longer")
    return sync(lab, connection)


def met(lab: Lab, world: World, streams: Streams, fault: Fault) -> tuple[Sync, Sync]:
    """A first sync that meets it, and the next hour's, when all is well; both with --debug."""
    furnish(world, lab)
    connection = connect(lab, streams)
    lab.use(Api).disturb(fault)
    during = sync(lab, connection, "--debug", timeout=OUTAGE_TIME)
    furnish(world, lab, LATER)
    return during, sync(lab, connection, "--debug")


@scenario
def outage(lab: Lab, world: World, streams: Streams) -> tuple[Sync, Sync]:
    """In the middle of a month the API is down, for longer than is worth waiting."""
    lab.note(f"{REFUSALS} requests from the seventh page of shipments on got a 503; both syncs ran with --debug")
    return met(lab, world, streams, Fault(SHIPMENTS, after=6, times=REFUSALS, status=503, retry_after=1))


@scenario
def expired(lab: Lab, world: World, streams: Streams) -> tuple[Sync, Sync]:
    lab.note("a page token of shipments had expired, and was answered with 410; both syncs ran with --debug")
    return met(lab, world, streams, Fault(SHIPMENTS, after=2, expired=True))


@dataclass(frozen=True)
class Checked:
    """Whether the source can connect, as it says, with the right secret and a wrong one; what it calls secret."""

    right: bool
    wrong: bool
    ended: tuple[Ended, Ended]
    secrets: frozenset[str]


@scenario
def checked(lab: Lab, world: World) -> Checked:
    furnish(world, lab)
    right, first = lab.use(Airbyte).check(lab.submission.files)
    lab.use(Airbyte).configure(configuration(world, lab.use(Api).url) | {"client_secret": f"{world.secret}-old"})
    lab.note("check was given a wrong secret")
    wrong, second = lab.use(Airbyte).check(lab.submission.files)
    return Checked(right, wrong, (first, second), lab.use(Airbyte).secrets(lab.submission.files))


def assert_shipments(table: Table, world: World, moment: str, groups: Iterable[str], why: str) -> None:
    """The groups' shipments, all without groups, stand in the table as they must, each once."""
    expected = world.shipments(moment, *groups)
    wanted = {row["shipment_id"] for row in expected}
    assert_same_rows(rows_with(table, "shipment_id", wanted, SHIPMENT), expected, SHIPMENT, why=why)


def assert_none_missing(seen: Sync, world: World, why: str) -> None:
    """Each shipment of the first moment has come."""
    assert_shipments(seen.shipments, world, FIRST, (), why)


@check(
    "correctness",
    clauses=["expertise-areas/airbyte", "responsibilities/data-integration-across-sources"],
)
def every_shipment_and_every_depot_arrives(history: History, world: World) -> None:
    first = history.first.must_succeed("the first sync")
    assert_same_rows(
        first.shipments, world.shipments(FIRST), SHIPMENT, why=f"after the first sync, from {world.start} on"
    )
    assert_same_rows(first.depots, world.depots, DEPOT, why="after the first sync")


@check("correctness", clauses=["expertise-areas/airbyte"])
def changes_and_new_shipments_follow(history: History, world: World) -> None:
    later = history.later.must_succeed("the second sync")
    assert_shipments(later.shipments, world, LATER, ("changed", "new", "newest", "closing"), "an hour later")
    assert_same_rows(later.depots, world.depots, DEPOT, why="an hour later")


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def a_shipment_that_is_listed_late_arrives(history: History, world: World) -> None:
    later = history.later.must_succeed("the second sync")
    assert_shipments(later.shipments, world, LATER, ["late"], "shipments listed up to two hours after updated_at")


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def a_new_field_is_in_the_records(history: History, world: World) -> None:
    later = history.later.must_succeed("the second sync")
    expected = world.shipments(LATER, "with a new field")
    wanted = {row["shipment_id"] for row in expected}
    rows = canonical_rows(later.shipments, {"shipment_id": "text", "carrier_service": "text"})
    found = [{"shipment_id": key, "carrier_service": value} for key, value in rows if key in wanted]
    assert_same_rows(found, expected, {"shipment_id": "text", "carrier_service": "text"}, why="the field is new")


@check("scale", clauses=["responsibilities/cost-optimization-for-data-processing"])
def a_later_sync_reads_what_is_new(history: History, world: World) -> None:
    most = world.since(END_OF_FIRST - READ_AGAIN)
    for name, seen in (("an hour later", history.later), ("right after that", history.again)):
        seen.must_succeed(name)
        assert seen.rows <= most, (
            f"{name} {seen.rows} shipments were read; there are {most} of the last {READ_AGAIN.days} days"
        )


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def syncing_again_changes_nothing(history: History, world: World) -> None:
    again = history.again.must_succeed("the third sync")
    assert len(history.later.shipments), "there are no shipments"
    why = "synced again, though nothing had changed"
    assert_same_rows(again.shipments, history.later.shipments, SHIPMENT, why=why)
    assert_same_rows(again.depots, history.later.depots, DEPOT, why=why)


@check("durability", clauses=["constraints/never-lose-data"])
def a_sync_that_is_killed_loses_nothing(killed: Sequence[AfterCrash[Resumed]], world: World) -> None:
    for crash in killed:
        why = f"killed after request {crash.after} of {crash.of}; the source moved on; synced again"
        assert_shipments(crash.seen.shipments, world, LATER, AFTERWARDS, why)


@check("scale", clauses=["constraints/test-with-production-like-volumes", "responsibilities/performance-optimization"])
def a_sync_that_is_killed_late_is_not_begun_from_scratch(killed: Sequence[AfterCrash[Resumed]], world: World) -> None:
    everything, first = len(world.shipments(LATER)), len(world.shipments(FIRST))
    late = [crash for crash in killed if crash.after < crash.of and crash.between.rows >= first / 2]
    assert late, "no sync was killed when half had been read"
    for crash in late:
        assert crash.seen.rows <= everything - crash.between.rows + REPEATED, (
            f"{crash.between.rows} shipments had been read when it was killed; the next sync read {crash.seen.rows} of "
            f"{everything}"
        )


@check("durability", clauses=["constraints/never-lose-data", "collaboration-protocol/coordinate-api-data-access"])
def who_is_told_to_wait_waits(limited: Sync, world: World) -> None:
    early = [request for request in limited.requests if request.early]
    assert any(request.status == 429 for request in limited.requests), "it never got as far as to be refused"
    assert not early, f"after a 429 with Retry-After it asked again sooner, {len(early)} times"
    limited.must_succeed("a sync that was refused twice with 429")
    assert_none_missing(limited, world, "two pages were refused with 429")
    assert_same_rows(limited.depots, world.depots, DEPOT, why="two pages were refused with 429")


@check("durability", clauses=["constraints/never-lose-data"])
def hiccups_are_waited_for(hiccups: Sync, world: World) -> None:
    hiccups.must_succeed("a sync that met a 503 and a 500")
    assert_none_missing(hiccups, world, "a page got a 503, another a 500")


@check("durability", clauses=["constraints/never-lose-data"])
def a_token_that_expires_is_renewed(expiring: Sync, world: World) -> None:
    expiring.must_succeed(f"a sync in which tokens lived for {LIFETIME} s")
    assert_none_missing(expiring, world, "tokens expired in mid-sync")


@check("durability", clauses=["constraints/never-lose-data", "constraints/always-validate-data-quality"])
def an_outage_is_no_success_and_loses_nothing(outage: tuple[Sync, Sync], world: World) -> None:
    assert_nothing_is_lost(outage, world, f"{REFUSALS} requests got a 503")


@check("durability", clauses=["constraints/never-lose-data", "constraints/always-validate-data-quality"])
def a_page_token_that_expires_loses_nothing(expired: tuple[Sync, Sync], world: World) -> None:
    assert_nothing_is_lost(expired, world, "a page token had expired")


def assert_nothing_is_lost(syncs: tuple[Sync, Sync], world: World, fault: str) -> None:
    """The sync that met the fault is no success or complete, and nothing is missing after the next one."""
    during, after = syncs
    if during.ended.succeeded:
        assert_none_missing(during, world, f"{fault}, and the sync ended as a success")
    after.must_succeed(f"the sync after the one in which {fault}")
    assert_shipments(after.shipments, world, LATER, AFTERWARDS, f"{fault}, and it was synced again")


@check("correctness", clauses=["constraints/always-validate-data-quality"])
def check_tells_good_credentials_from_bad_ones(checked: Checked) -> None:
    assert checked.right, f"check fails with the right secret: {checked.ended[0].explain()}"
    assert not checked.wrong, "check succeeds with a wrong secret"


@check("security", clauses=["responsibilities/data-integration-across-sources"])
def the_secret_stays_secret(history: History, outage: tuple[Sync, Sync], checked: Checked, world: World) -> None:
    history.first.must_succeed("the first sync")
    assert "client_secret" in checked.secrets, (
        f"the spec doesn't call client_secret a secret, but {', '.join(sorted(checked.secrets)) or 'nothing'}: Airbyte "
        "stores and shows it in the open"
    )
    for ended in (history.first.ended, outage[0].ended, outage[1].ended, *checked.ended):
        line = next((line for line in ended.said.splitlines() if world.secret in line), "")
        assert not line, f"the client's secret is in the log: {line.replace(world.secret, '<the secret>')[:300]}"


# canary: 253dda02-ace4-471b-8196-d012a6ab46e3
