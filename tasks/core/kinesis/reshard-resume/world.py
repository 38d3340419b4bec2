"""Five portions of order events, with a split and a merge between them. Clocks lie, events repeat, some are none."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass

from harness.engines.aws import HASH_KEYS, Aws
from harness.lab import Lab

SOURCE, TARGET = "order-events", "order-changes"
PORTIONS = ("first", "before the split", "behind the split", "before the merge", "behind the merge")
# For runs that are killed: few records, so that every commit can be one of the last.
FEW = ("few", "few behind a split")
BROKEN = PORTIONS[2:]  # those with records that are no events
RARE = "rare"  # those that a lax parser takes or PostgreSQL doesn't, for a scenario of their own
# In fields that don't matter: what neither jsonb nor timestamptz nor bigint takes.
ODD = {"note": "\0 \ud800", "points": 2**70, "till_time": "+292278994-08-17T07:12:55Z"}
STATUSES = ("placed", "paid", "picked", "packed", "shipped", "delivered", "returned", "refunded")
FIRST, SECOND, LEFT, RIGHT = (f"shardId-{number:012}" for number in range(4))

Put = tuple[str, bytes]
Change = dict[str, object]


@dataclass(frozen=True)
class World:
    """What is put into the stream, portion by portion."""

    portions: dict[str, tuple[Put, ...]]

    # -- the truth, from what was put ------------------------------------------------------------------------------

    def changes(self, portions: Iterable[str] = PORTIONS) -> list[Change]:
        """A row an event, in the order of the stream."""
        seen: set[str] = set()
        of_order: dict[str, list[Change]] = {}
        found: list[Change] = []
        for _, data in self.puts(portions):
            event = event_in(data)
            if event is None or event["event_id"] in seen:
                continue
            seen.add(event["event_id"])
            before = of_order.setdefault(event["order_id"], [])
            change: Change = {
                "event_id": event["event_id"],
                "order_id": event["order_id"],
                "change": len(before) + 1,
                "previous_status": before[-1]["status"] if before else None,
                "status": event["status"],
            }
            before.append(change)
            found.append(change)
        assert found, "no event is expected"
        return found

    def states(self, portions: Iterable[str] = PORTIONS) -> list[dict[str, object]]:
        """A row an order."""
        last = {change["order_id"]: change for change in self.changes(portions)}
        return [
            {"order_id": order, "status": change["status"], "changes": change["change"]}
            for order, change in last.items()
        ]

    def messages(self, portions: Iterable[str] = PORTIONS) -> dict[str, list[Change]]:
        """What is told of each order, in order."""
        found: dict[str, list[Change]] = {}
        for change in self.changes(portions):
            found.setdefault(str(change["order_id"]), []).append(change)
        return found

    def puts(self, portions: Iterable[str]) -> list[Put]:
        return [put for portion in portions for put in self.portions[portion]]


def event_in(data: bytes) -> dict[str, str] | None:
    try:
        event = json.loads(data.decode(), parse_constant=no_json)
    except ValueError:
        return None
    if not isinstance(event, dict):
        return None
    named = [event.get(name) for name in ("event_id", "order_id", "status")]
    return event if all(isinstance(value, str) and value.strip() and can_be_kept(value) for value in named) else None


def no_json(constant: str) -> None:
    raise ValueError(constant)


def can_be_kept(text: str) -> bool:
    """PostgreSQL has neither NUL nor half a surrogate pair."""
    return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text)


# -- making it --------------------------------------------------------------------------------------------------------


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    orders = [f"{draw.choice('ABN')}-{number}" for number in draw.sample(range(100_000, 999_999), round(16 * scale))]
    told: list[Put] = []
    used: set[str] = set()
    portions = {}
    for portion in PORTIONS:
        puts: list[Put] = []
        # Every order in every portion: each of them crosses the split or the merge.
        for order in [*orders, *draw.choices(orders, k=round(24 * scale))]:
            puts.append((order, encoded(event(draw, order, used))))
        draw.shuffle(puts)
        # Sent again: a while behind, or in a later portion.
        for _ in range(round(6 * scale)):
            again = draw.choice(puts[: len(puts) // 2])
            puts.insert(draw.randrange(puts.index(again) + 1, len(puts) + 1), again)
        for again in draw.sample(told, min(len(told), round(5 * scale))):
            puts.insert(draw.randrange(len(puts) + 1), again)
        told += puts
        for broken in no_events(draw, draw.choice(orders), used) if portion in BROKEN else ():
            puts.insert(draw.randrange(len(puts) + 1), (draw.choice(orders), broken))
        portions[portion] = tuple(puts)
    for portion in FEW:
        puts = [(order, encoded(event(draw, order, used))) for order in orders]
        draw.shuffle(puts)
        puts += [(draw.choice(orders), broken) for broken in no_events(draw, draw.choice(orders), used)[:2]]
        portions[portion] = (*puts, puts[0])
    portions[RARE] = tuple(rare(draw, orders, used))
    world = World(portions)
    guard(world)
    return world


def event(draw: random.Random, order: str, used: set[str]) -> dict[str, object]:
    while (number := f"e-{draw.randrange(16**8):08x}") in used:
        pass
    used.add(number)
    # The clock says nothing about the order.
    hour, minute = draw.randrange(24), draw.randrange(60)
    made: dict[str, object] = {
        "event_id": number,
        "order_id": order,
        "status": draw.choice(STATUSES),
        "till_time": f"2026-03-02T{hour:02}:{minute:02}:00Z",
    }
    return made | {"channel": draw.choice(("till", "web", None))} if draw.random() < 0.3 else made


def no_events(draw: random.Random, order: str, used: set[str]) -> list[bytes]:
    whole = event(draw, order, used)
    others = (
        b"\xff\xfe till 7",
        encoded(event(draw, order, used))[:-9],
        encoded(event(draw, order, used) | {"status": None}),
        encoded({name: value for name, value in whole.items() if name != "order_id"}),
        encoded(event(draw, order, used) | {"event_id": ""}),
        json.dumps([f"restart {draw.randrange(1000)}"]).encode(),
    )
    # Text is asked for, not just anything.
    return [encoded(event(draw, order, used) | {"status": draw.randrange(1, 9)}), *draw.sample(others, 2)]


def rare(draw: random.Random, orders: list[str], used: set[str]) -> list[Put]:
    """Those that are no events belong to the first order; each of the others has one event, most of them behind."""
    first, second, *others = orders
    broken = [
        encoded(event(draw, first, used)).decode().encode("utf-16"),
        # What Python's JSON lets pass.
        encoded(event(draw, first, used) | {"amount": float(draw.choice(("nan", "inf", "-inf")))}),
        encoded(event(draw, first, used) | {"status": "pa\0id"}),
        json.dumps(event(draw, first, used) | {"status": "pa\ud800id"}).encode(),
    ]
    odd = json.dumps(event(draw, second, used) | ODD).encode()
    puts = [*((first, data) for data in broken), (second, odd)]
    draw.shuffle(puts)
    before, *behind = [(order, encoded(event(draw, order, used))) for order in (first, *others)]
    return [before, *puts, *behind]


def encoded(made: dict[str, object]) -> bytes:
    return json.dumps(made, ensure_ascii=False).encode()


def guard(world: World) -> None:
    for portion in PORTIONS:
        events = [event["event_id"] for _, data in world.portions[portion] if (event := event_in(data))]
        assert len(set(events)) < len(events), f"{portion}: no event is there twice"
    assert all(sum(event_in(data) is None for _, data in world.portions[portion]) == 3 for portion in BROKEN)
    for messages in world.messages().values():
        statuses = [message["status"] for message in messages]
        assert len(statuses) >= len(PORTIONS)


# -- laying it out ----------------------------------------------------------------------------------------------------


def furnish(world: World, lab: Lab) -> None:
    """Everything is in the stream, all shards are as they are in the end."""
    open_streams(lab)
    put(world, lab, "first", "before the split")
    split(lab)
    put(world, lab, "behind the split", "before the merge")
    lab.use(Aws).merge(SOURCE, RIGHT, SECOND)
    put(world, lab, "behind the merge")


def open_streams(lab: Lab, shards: int = 2) -> None:
    lab.use(Aws).create_stream(SOURCE, shards=shards)
    lab.use(Aws).create_stream(TARGET, shards=2)


def put(world: World, lab: Lab, *portions: str) -> None:
    lab.use(Aws).put(SOURCE, world.puts(portions))


def split(lab: Lab, new_hash_key: int = HASH_KEYS // 4) -> None:
    """The first shard; of two, in its middle."""
    lab.use(Aws).split(SOURCE, FIRST, new_hash_key)


# canary: 42a51bfb-e060-4bbc-90d9-0745c3819970
