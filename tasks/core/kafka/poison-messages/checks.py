"""Lets the consumer work lot by lot, sends odd ones, kills it, shuts the dead letters' topic, cuts the database off."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from graders.check import check, scenario
from graders.consumers import ConsumerGroup
from graders.instances import supervised
from graders.operation import Operation
from graders.perturbations import crash_everywhere
from graders.tables import assert_same_rows
from harness.engines.kafka import Kafka, Message
from harness.engines.postgres import Postgres
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.tables import Table

from .world import DEAD, GROUP, PARTITIONS, TOPIC, Sent, World, bad, profiles, send

PROFILES = {"customer_id": "text", "email": "text", "segment": "text", "version": "integer"}
LOADER = ConsumerGroup(GROUP, TOPIC, ("python", "consumer.py"))
# Seconds: in which a running consumer is at work on what was sent; that its dead letters are refused meanwhile.
AT_WORK, REFUSED = 10.0, 3.0

OPERATION = Operation(
    command="python consumer.py",
    fills=("public.profiles",),
    every=None,
    stopped_after=40.0,
    topics={
        "one message, one object": "object json utf",
        "versions": "version",
        "keys": "key customer_id",
        "who reads the dead letters": "dead letter resend crm again",
        "how long the topic keeps messages": "retention kept keeps retain oldest",
        "volume": "volume second minute rare",
        "the database": "database",
    },
)


@dataclass(frozen=True)
class State:
    """``places``: where each message that was sent stands; ``sent`` is what the consumer has been given."""

    sent: tuple[Sent, ...]
    places: tuple[Message, ...]
    profiles: Table | None
    dead: tuple[Message, ...]


def observed(lab: Lab, sent: Iterable[Sent], places: Iterable[Message]) -> State:
    return State(tuple(sent), tuple(places), stored(lab), tuple(lab.use(Kafka).messages(DEAD)))


def stored(lab: Lab) -> Table | None:
    with contextlib.suppress(SubmissionFault):
        return lab.use(Postgres).table("profiles")
    return None


def begin(lab: Lab) -> None:
    lab.fresh()
    lab.use(Kafka).create_topics({TOPIC: PARTITIONS, DEAD: 1})


def content(message: Message) -> tuple[bytes | None, bytes | None]:
    return message.key, message.value


def all_profiles_must_be_there(state: State, why: str) -> None:
    if state.profiles is None:
        raise SubmissionFault("there is no table public.profiles")
    assert_same_rows(state.profiles, profiles(state.sent), PROFILES, why=why)


def all_bad_ones_must_be_there(state: State, why: str) -> None:
    missing = Counter(content(one.message) for one in bad(state.sent)) - Counter(map(content, state.dead))
    assert not missing, f"{why}: {sum(missing.values())} bad messages aren't in {DEAD}, such as {list(missing)[:2]}"


def no_good_one_may_be_there(state: State) -> None:
    dead = set(map(content, state.dead))
    good = [content(one.message) for one in state.sent if not one.reason and content(one.message) in dead]
    assert not good, f"good messages among the dead letters: {len(good)}, such as {good[:2]}"


def all_must_say_why_and_where(state: State) -> None:
    said = Counter(
        tuple(dict(message.headers).get(f"dead.{name}") for name in ("reason", "partition", "offset"))
        for message in state.dead
    )
    wanted = Counter(
        (one.reason.encode(), str(place.partition).encode(), str(place.offset).encode())
        for one, place in zip(state.sent, state.places, strict=True)
        if one.reason
    )
    missing, odd = wanted - said, said.keys() - wanted.keys()
    assert not missing, f"no dead letter says {list(missing)[:3]}; there are {list(odd)[:3]}"


# -- lot by lot -------------------------------------------------------------------------------------------------------


@scenario
def lot_by_lot(lab: Lab, world: World) -> State:
    begin(lab)
    places: list[Message] = []
    for lot in world.lots:
        places += send(lab, lot)
        LOADER.works_off_its_lag(lab)
    lab.note("a new instance for each lot of messages, stopped once it had caught up")
    return observed(lab, world.sent(), places)


@check("correctness", clauses=["responsibilities/batch-and-stream-processing", "expertise-areas/apache-kafka"])
def every_good_profile_arrives(lot_by_lot: State) -> None:
    all_profiles_must_be_there(lot_by_lot, "with bad messages among the good ones")


@check("durability", clauses=["streaming-patterns/kafka-consumer", "constraints/never-lose-data"])
def every_bad_message_is_kept_as_it_came(lot_by_lot: State) -> None:
    all_bad_ones_must_be_there(lot_by_lot, "key and value")
    headers: dict[object, list[set[object]]] = {}
    for message in lot_by_lot.dead:
        headers.setdefault(content(message), []).append(set(message.headers))
    for one in bad(lot_by_lot.sent):
        kept = any(set(one.message.headers) <= found for found in headers[content(one.message)])
        assert kept, f"headers of {content(one.message)} were {one.message.headers}; in {DEAD} they are not all there"


@check("quality", clauses=["responsibilities/data-quality-and-validation"])
def dead_letters_say_why_and_where(lot_by_lot: State) -> None:
    all_must_say_why_and_where(lot_by_lot)


@check("idempotency", clauses=["streaming-patterns/kafka-consumer"])
def a_bad_message_is_put_aside_once_and_no_good_one_is(lot_by_lot: State) -> None:
    no_good_one_may_be_there(lot_by_lot)
    dead = Counter(map(content, lot_by_lot.dead))
    wanted = Counter(content(one.message) for one in bad(lot_by_lot.sent))
    again = [found for found in wanted if dead[found] > wanted[found]]
    assert not again, f"put aside more than once, without a kill: {len(again)}, such as {again[:2]}"


# -- what tools disagree on -------------------------------------------------------------------------------------------


@scenario
def odd_ones(lab: Lab, world: World) -> State:
    begin(lab)
    places = send(lab, world.odd)
    LOADER.works_off_its_lag(lab)
    lab.note("values that not every parser and no table takes, with good profiles behind them")
    return observed(lab, world.odd, places)


@check("correctness", clauses=["responsibilities/data-quality-and-validation", "expertise-areas/apache-kafka"])
def odd_values_hold_no_good_profile_up(odd_ones: State) -> None:
    all_profiles_must_be_there(odd_ones, "behind odd ones")
    no_good_one_may_be_there(odd_ones)


@check("quality", clauses=["responsibilities/data-quality-and-validation"])
def what_only_a_lax_reader_takes_is_put_aside(odd_ones: State) -> None:
    all_must_say_why_and_where(odd_ones)


# -- killed, refused, cut off -----------------------------------------------------------------------------------------


@scenario
def killed_everywhere(lab: Lab, world: World) -> list[tuple[str, State]]:
    places: list[Message] = []

    def prepare() -> None:
        begin(lab)
        places[:] = send(lab, world.lots[0])

    points = crash_everywhere(
        lab,
        lab.use(Postgres),
        prepare=prepare,
        act=lambda: LOADER.works_off_its_lag(lab),
        observe=lambda: observed(lab, world.lots[0], places),
        most=3,
        within=2,
    )
    return [
        (f"killed behind statement {point.after} of {point.of}, then started again", point.seen) for point in points
    ]


@check("durability", clauses=["streaming-patterns/kafka-consumer", "constraints/never-lose-data"])
def a_kill_loses_nothing(killed_everywhere: list[tuple[str, State]]) -> None:
    for why, state in killed_everywhere:
        all_profiles_must_be_there(state, why)
        all_bad_ones_must_be_there(state, why)


@scenario
def refused(lab: Lab, world: World) -> State:
    """The topic of dead letters accepts nothing for a while."""
    begin(lab)
    kafka = lab.use(Kafka)
    places = send(lab, world.lots[0])
    with supervised(lab, *LOADER.command) as running:
        LOADER.must_catch_up(running)
        before = stored(lab)
        with kafka.refusing(DEAD):
            places += send(lab, world.lots[1])
            lag = kafka.lag(GROUP, TOPIC)
            running.sees(lambda: kafka.lag(GROUP, TOPIC) < lag or stored(lab) != before, AT_WORK)
            running.sees(lambda: kafka.lag(GROUP, TOPIC) == 0, REFUSED)
        LOADER.must_catch_up_again(running, f"once {DEAD} accepted again")
    lab.note(f"for some seconds {DEAD} accepted nothing")
    return observed(lab, world.sent(2), places)


@check("durability", clauses=["constraints/never-lose-data"])
def a_dead_letter_that_is_refused_is_not_given_up(refused: State) -> None:
    all_bad_ones_must_be_there(refused, "refused at first")
    all_profiles_must_be_there(refused, "after dead letters had been refused")


@scenario
def cut_off(lab: Lab, world: World) -> State:
    """The database ends its sessions while the consumer runs."""
    begin(lab)
    places = send(lab, world.lots[0])
    with supervised(lab, *LOADER.command) as running:
        LOADER.must_catch_up(running)
        lab.use(Postgres).end_sessions()
        places += send(lab, world.lots[1])
        LOADER.must_catch_up_again(running, "after the database had ended its sessions")
    lab.note("the database ended its sessions while the consumer ran")
    return observed(lab, world.sent(2), places)


@check("quality", clauses=["responsibilities/data-quality-and-validation", "constraints/never-lose-data"])
def a_database_that_is_away_makes_no_dead_letters(cut_off: State) -> None:
    no_good_one_may_be_there(cut_off)
    all_profiles_must_be_there(cut_off, "after the database had ended its sessions")


# canary: 7060afc7-4924-4dae-b74b-1a1e394aa796
