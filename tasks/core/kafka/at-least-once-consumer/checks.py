"""Lets the consumer work lot by lot, kills it everywhere, holds the database up, and changes the group at work."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graders.check import check, scenario
from graders.consumers import ConsumerGroup
from graders.instances import PATIENCE, supervised
from graders.operation import Operation
from graders.perturbations import AfterCrash, crash_everywhere
from graders.tables import assert_same_rows
from harness.engines.kafka import Kafka, Message
from harness.engines.postgres import Postgres
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import GROUP, PARTITIONS, SKUS, TOPIC, Movement, World, send

MOVEMENTS = {"movement_id": "text", "sku": "text", "kind": "text", "quantity": "integer"}
AFTERWARDS = {"movement_id": "text", "on_hand": "integer"}
STOCK = {"sku": "text", "on_hand": "integer"}
LOADER = ConsumerGroup(GROUP, TOPIC, ("python", "consumer.py"))
# Seconds that the database is held up once it is waited for: longer than what Kafka's clients leave between two commits
# of their own.
HELD_UP = 7.0
# Seconds in which messages that the database refused are either booked after all or given up.
GIVEN_UP = 5.0

OPERATION = Operation(
    command="python consumer.py",
    fills=("public.stock", "public.movements"),
    every=None,
    stopped_after=40.0,
    topics={
        "order within a SKU": "order sequence partition key",
        "movements sent again": "movement_id again duplicat repeat resent twice",
        "scanners' clocks": "scanned clock",
        "well-formed messages": "well-formed wellformed malformed valid pars",
        "how long the topic keeps messages": "retention kept keeps retain oldest",
        "volume": "volume second minute",
        "the database": "database",
    },
)


@dataclass(frozen=True)
class State:
    """What stands in the database and in the group; no table: it was not made yet."""

    movements: Table | None
    stock: Table | None
    committed: dict[int, int]

    @property
    def booked(self) -> list[str]:
        return [str(number) for number in self.movements.column("movement_id")] if self.movements else []


def observed(lab: Lab) -> State:
    def table(name: str) -> Table | None:
        with contextlib.suppress(SubmissionFault):
            return lab.use(Postgres).table(name)
        return None

    return State(table("movements"), table("stock"), lab.use(Kafka).committed(GROUP, TOPIC))


def begin(lab: Lab) -> None:
    lab.fresh()
    lab.use(Kafka).create_topics({TOPIC: PARTITIONS})


def must_be_booked(state: State, world: World, sent: Sequence[Movement], why: str) -> None:
    rows = world.booked(sent)
    assert_same_rows(present(state.movements, "movements"), rows, {**MOVEMENTS, **AFTERWARDS}, why=why)
    assert_same_rows(present(state.stock, "stock"), world.stock(sent), STOCK, why=why)


def present(table: Table | None, name: str) -> Table:
    if table is None:
        raise SubmissionFault(f"there is no table public.{name}")
    return table


def of_skus(table: Table | None, name: str, skus: Iterable[str]) -> list[dict[str, object]]:
    wanted = set(skus)
    return [row for row in present(table, name) if row["sku"] in wanted]


def must_not_be_ahead(state: State, written: Sequence[Message], movements: Sequence[Movement], when: str) -> None:
    """Every message below a committed offset is in the database."""
    booked = set(state.booked)
    ahead = [
        movement.movement_id
        for message, movement in zip(written, movements, strict=True)
        if message.offset < state.committed.get(message.partition or 0, 0) and movement.movement_id not in booked
    ]
    assert not ahead, f"{when}: committed, but not in the database: {len(ahead)} movements, such as {ahead[:3]}"


# -- lot by lot -------------------------------------------------------------------------------------------------------


@scenario
def lot_by_lot(lab: Lab, world: World) -> State:
    begin(lab)
    for lot in world.lots:
        send(lab, lot)
        LOADER.works_off_its_lag(lab)
    lab.note("a new instance for each lot of messages, stopped once it had caught up")
    return observed(lab)


@check("correctness", clauses=["responsibilities/batch-and-stream-processing", "expertise-areas/apache-kafka"])
def every_movement_is_booked(lot_by_lot: State, world: World) -> None:
    once = {movement.sku for movement in world.sent()} - world.sent_again
    rows = [row for row in world.booked(world.sent()) if row["sku"] in once]
    assert_same_rows(of_skus(lot_by_lot.movements, "movements", once), rows, MOVEMENTS)


@check("correctness", clauses=["streaming-patterns/kafka-consumer"])
def movements_of_a_sku_are_booked_in_their_order(lot_by_lot: State, world: World) -> None:
    once = {movement.sku for movement in world.sent()} - world.sent_again
    rows = [row for row in world.booked(world.sent()) if row["sku"] in once]
    stock = [row for row in world.stock(world.sent()) if row["sku"] in once]
    assert_same_rows(of_skus(lot_by_lot.movements, "movements", once), rows, AFTERWARDS, why="the stock after each")
    assert_same_rows(of_skus(lot_by_lot.stock, "stock", once), stock, STOCK)


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def a_movement_that_is_sent_again_counts_once(lot_by_lot: State, world: World) -> None:
    again = world.sent_again
    found = [row["movement_id"] for row in of_skus(lot_by_lot.movements, "movements", again)]
    doubled = sorted({str(number) for number in found if found.count(number) > 1})
    assert not doubled, f"booked more than once: {doubled[:5]}"
    stock = [row for row in world.stock(world.sent()) if row["sku"] in again]
    assert_same_rows(of_skus(lot_by_lot.stock, "stock", again), stock, STOCK)


# -- killed -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Killed:
    points: list[AfterCrash[State]]
    written: list[Message]


@scenario
def killed_everywhere(lab: Lab, world: World) -> Killed:
    written: list[Message] = []

    def prepare() -> None:
        begin(lab)
        written[:] = send(lab, world.lots[0])

    points = crash_everywhere(
        lab,
        lab.use(Postgres),
        prepare=prepare,
        act=lambda: LOADER.works_off_its_lag(lab),
        observe=lambda: observed(lab),
        most=4,
        within=3,
    )
    return Killed(points, written)


@check("durability", clauses=["streaming-patterns/kafka-consumer", "constraints/never-lose-data"])
def a_kill_loses_nothing_and_doubles_nothing(killed_everywhere: Killed, world: World) -> None:
    for point in killed_everywhere.points:
        why = f"killed behind statement {point.after} of {point.of}, then started again"
        must_be_booked(point.seen, world, world.lots[0], why)


@check("durability", clauses=["streaming-patterns/kafka-consumer"])
def no_offset_is_committed_before_its_movement_is_booked(killed_everywhere: Killed, world: World) -> None:
    for point in killed_everywhere.points:
        when = f"killed behind statement {point.after} of {point.of}"
        must_not_be_ahead(point.between, killed_everywhere.written, world.lots[0], when)


@check("quality", clauses=["data-quality-framework/consistency"])
def both_tables_agree_whenever_they_are_read(killed_everywhere: Killed, world: World) -> None:
    for point in killed_everywhere.points:
        booked = set(point.between.booked)
        so_far = [movement for movement in world.lots[0] if movement.movement_id in booked]
        found = list(point.between.stock or ())
        why = f"the stock that the booked movements come to, killed behind statement {point.after} of {point.of}"
        assert_same_rows(found, world.stock(so_far) if so_far else [], STOCK, why=why)


# -- a database that is held up ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HeldUp:
    killed: State
    afterwards: State
    written: list[Message]
    last: State


@scenario
def held_up(lab: Lab, world: World) -> HeldUp:
    """Somebody holds the tables while messages come in, for longer than clients wait with commits of their own.

    Later the database ends its sessions, and the consumer may go on or be started again.
    """
    begin(lab)
    written = send(lab, world.lots[0])
    kafka = lab.use(Kafka)
    with supervised(lab, *LOADER.command) as running:
        LOADER.must_catch_up(running)
        before = kafka.committed(GROUP, TOPIC)
        with lab.use(Postgres).holding("public.movements", "public.stock"):
            written += send(lab, world.lots[1])
            running.sees(lambda: lab.use(Postgres).waits() or kafka.committed(GROUP, TOPIC) != before)
            running.sees(lambda: kafka.committed(GROUP, TOPIC) != before, HELD_UP)
            lab.box.kill()
            running.service.ending.result(timeout=60)
    killed = observed(lab)
    lab.note(f"the tables were held for {HELD_UP:.0f} seconds, and the consumer was killed meanwhile")
    kafka.expel(GROUP)
    with supervised(lab, *LOADER.command) as running:
        LOADER.must_catch_up(running)
        afterwards = observed(lab)
        lab.use(Postgres).end_sessions()
        send(lab, world.lots[2])
        # Whoever gives up what failed has no lag once more messages have come.
        running.sees(lambda: kafka.lag(GROUP, TOPIC) == 0, GIVEN_UP)
        send(lab, world.lots[3])
        LOADER.must_catch_up_again(running, "after the database had ended its sessions")
    lab.note("the database ended its sessions while the consumer ran")
    return HeldUp(killed, afterwards, written, observed(lab))


@check("durability", clauses=["constraints/never-lose-data"])
def offsets_wait_for_a_database_that_is_held_up(held_up: HeldUp, world: World) -> None:
    sent = world.sent(2)
    must_not_be_ahead(held_up.killed, held_up.written, sent, "while the tables were held")
    must_be_booked(held_up.afterwards, world, sent, "killed while the tables were held, then started again")


@check("durability", clauses=["constraints/never-lose-data"])
def a_database_that_was_away_costs_no_movement(held_up: HeldUp, world: World) -> None:
    must_be_booked(held_up.last, world, world.sent(), "after the database had ended its sessions")


# -- several instances ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Together:
    """``shares``: partitions of each instance when there were two; ``left``: the second handed over after SIGTERM."""

    shares: Sequence[int]
    left: bool
    ended: Completed
    state: State


@scenario
def two_instances(lab: Lab, world: World) -> Together:
    """A second one joins, is stopped again, and all the while messages come in."""
    begin(lab)
    kafka = lab.use(Kafka)
    send(lab, world.lots[0])
    with supervised(lab, *LOADER.command) as running:
        LOADER.must_catch_up(running, "with one instance")
        running.start("second")
        send(lab, world.lots[1])
        running.sees(lambda: rests(kafka, 2))
        shares = kafka.members(GROUP)
        send(lab, world.lots[2])
        LOADER.must_catch_up(running, "with two instances")
        running.stop("second")
        send(lab, world.lots[3])
        left = running.sees(lambda: rests(kafka, 1))
        if not left:
            kafka.expel(GROUP)
        LOADER.must_catch_up(running, "after the second instance was stopped")
        ended = running.end()
    lab.note("a second instance joined and was stopped again by SIGTERM while messages came in")
    return Together(shares, left, ended, observed(lab))


def rests(kafka: Kafka, instances: int) -> bool:
    """Whether so many instances, or more, have all the partitions among them."""
    shares = kafka.members(GROUP)
    return sum(shares) == PARTITIONS and (len(shares) == 1) == (instances == 1)


@check("scale", clauses=["streaming-patterns/kafka-consumer"])
def a_second_instance_takes_its_share(two_instances: Together) -> None:
    shares = two_instances.shares
    assert len(shares) == 2 and min(shares) > 0, f"with two instances, the members of the group had {shares} partitions"


@check("durability", clauses=["streaming-patterns/kafka-consumer"])
def an_instance_that_is_stopped_hands_over(two_instances: Together) -> None:
    assert two_instances.left, f"{PATIENCE:.0f} s after SIGTERM its partitions had not gone to the other instance"
    assert two_instances.ended.ok, f"exit code after SIGTERM wasn't 0: {two_instances.ended.explain()}"


@check("idempotency", clauses=["streaming-patterns/kafka-consumer"])
def a_change_of_the_group_loses_doubles_and_reorders_nothing(two_instances: Together, world: World) -> None:
    assert len({movement.sku for movement in world.sent()}) == SKUS
    must_be_booked(two_instances.state, world, world.sent(), "after a second instance had come and gone")


# canary: 99a39e01-6aae-4f30-8016-35079a1014de
