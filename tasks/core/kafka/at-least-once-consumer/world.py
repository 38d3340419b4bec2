"""Movements of goods, in four lots that follow each other in the topic; some are sent again in a later lot."""

from __future__ import annotations

import datetime
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.engines.kafka import Kafka, Message
from harness.lab import Lab

TOPIC, GROUP, PARTITIONS = "stock.movements", "stock-loader", 6
SKUS, LOTS, TURNS = 13, 4, 4
# In each lot every SKU is counted once, at this turn: a wrong order shows, and so does a stock that is out of date.
COUNTING = (1, 2, 0, 2)
# The first lot with movements that are sent again.
SENDING_AGAIN = 2


@dataclass(frozen=True)
class Movement:
    movement_id: str
    sku: str
    kind: str
    quantity: int
    scanned_at: str
    partition: int

    @property
    def message(self) -> Message:
        names = ("movement_id", "sku", "kind", "quantity", "scanned_at")
        value = json.dumps({name: getattr(self, name) for name in names}).encode()
        return Message(self.sku.encode(), value, partition=self.partition)

    def applied_to(self, on_hand: int) -> int:
        match self.kind:
            case "received":
                return on_hand + self.quantity
            case "sold":
                return on_hand - self.quantity
        return self.quantity


@dataclass(frozen=True)
class World:
    """``lots``: what is sent, in this order; a movement that is sent again stands in it again."""

    lots: tuple[tuple[Movement, ...], ...]

    def sent(self, lots: int = LOTS) -> list[Movement]:
        return [movement for lot in self.lots[:lots] for movement in lot]

    def booked(self, sent: Iterable[Movement]) -> list[dict[str, object]]:
        """The rows of ``movements`` that these come to."""
        on_hand: dict[str, int] = {}
        rows: dict[str, dict[str, object]] = {}
        for movement in sent:
            if movement.movement_id not in rows:
                on_hand[movement.sku] = movement.applied_to(on_hand.get(movement.sku, 0))
                rows[movement.movement_id] = {
                    "movement_id": movement.movement_id,
                    "sku": movement.sku,
                    "kind": movement.kind,
                    "quantity": movement.quantity,
                    "on_hand": on_hand[movement.sku],
                }
        assert rows, "nothing is expected"
        return list(rows.values())

    def stock(self, sent: Iterable[Movement]) -> list[dict[str, object]]:
        last = {row["sku"]: row["on_hand"] for row in self.booked(sent)}
        return [{"sku": sku, "on_hand": on_hand} for sku, on_hand in last.items()]

    @property
    def sent_again(self) -> frozenset[str]:
        """SKUs with a movement that was sent more than once."""
        seen: set[str] = set()
        found = set()
        for movement in self.sent():
            if movement.movement_id in seen:
                found.add(movement.sku)
            seen.add(movement.movement_id)
        return frozenset(found)


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    skus = [f"{draw.choice('ABCX')}-{number}" for number in draw.sample(range(1000, 9999), SKUS)]
    # Some SKUs have no doubled movement, so that a fault in these shows no other.
    careless = skus[:PARTITIONS]
    numbers = iter(draw.sample(range(100_000, 999_999), SKUS * LOTS * TURNS))
    start = datetime.datetime(2026, 3, 2, 8)
    lots = []
    before: list[Movement] = []
    for lot, counting in enumerate(COUNTING):
        made: list[Movement] = []
        for turn in range(TURNS):
            for place, sku in enumerate(skus):
                kind, most = draw.choice(("received", "sold")), 40
                if turn == counting:
                    # Plenty at first, so that nothing is sold that isn't there before the later lots.
                    kind, most = "counted", 400 if lot < SENDING_AGAIN else 20
                elif lot == turn == 0:
                    kind = "received"
                elif lot == LOTS - 1 and turn == TURNS - 1:
                    kind, most = "sold", 60
                clock = start + datetime.timedelta(hours=lot * 6 + turn, minutes=draw.randrange(-3000, 3000))
                scanned = f"{clock:%Y-%m-%dT%H:%M:%SZ}"
                quantity = draw.randrange(most // 2, most)
                made.append(Movement(f"M-{next(numbers)}", sku, kind, quantity, scanned, place % PARTITIONS))
        if lot >= SENDING_AGAIN:
            # Of each careless SKU, so of each partition, one of an earlier lot; and some of this lot.
            earlier = [movement for movement in before if movement.kind != "counted"]
            made += [draw.choice([movement for movement in earlier if movement.sku == sku]) for sku in careless]
            made += draw.sample([movement for movement in made[:SKUS] if movement.sku in careless], 2)
        lots.append(tuple(made))
        before += made
    world = World(tuple(lots))
    assert len(world.sent_again) == PARTITIONS
    assert all(int(str(row["on_hand"])) >= 0 for row in world.booked(world.sent(SENDING_AGAIN)))
    assert all(int(str(row["on_hand"])) < 0 for row in world.stock(world.sent()))
    return world


def send(lab: Lab, movements: Sequence[Movement]) -> list[Message]:
    return lab.use(Kafka).produce(TOPIC, [movement.message for movement in movements])


def furnish(world: World, lab: Lab) -> None:
    lab.use(Kafka).create_topics({TOPIC: PARTITIONS})
    send(lab, world.sent())


# canary: 99a39e01-6aae-4f30-8016-35079a1014de
