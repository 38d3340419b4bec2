"""Three arrivals of order lines in S3: of old tills, of new ones and of one that was offline, and a last one."""

from __future__ import annotations

import datetime
import decimal
import json
import random
from collections.abc import Iterable
from dataclasses import dataclass

from harness.engines.glue import Glue
from harness.lab import Lab

RAW, CURATED, DATABASE, TABLE = "shop-raw", "shop-curated", "shop", "orders"
DAYS = ("2026-02-27", "2026-02-28", "2026-03-02", "2026-03-03")
ARRIVALS = ("old tills", "new tills", "last")

Line = dict[str, object]


@dataclass(frozen=True)
class World:
    """The lines of each object by its key, arrival by arrival; ``archived`` is gone before the second."""

    arrivals: dict[str, dict[str, tuple[Line, ...]]]
    archived: str

    # -- the truth, from the raw lines -----------------------------------------------------------------------------

    def lines(self, arrivals: Iterable[str]) -> list[Line]:
        return [line for arrival in arrivals for lines in self.arrivals[arrival].values() for line in lines]

    def orders(self, arrivals: Iterable[str] = ARRIVALS) -> list[Line]:
        found = [typed(line) for line in self.lines(arrivals) if is_sound(line)]
        assert found, "no line is expected"
        return found

    def rejected(self, arrivals: Iterable[str] = ARRIVALS) -> list[Line]:
        found = [line for line in self.lines(arrivals) if not is_sound(line)]
        assert found, "no broken line is expected"
        return found

    def keys(self, *arrivals: str) -> list[str]:
        return [key for arrival in arrivals for key in self.arrivals[arrival]]


def is_sound(line: Line) -> bool:
    if not all(isinstance(line.get(name), str) and line[name] for name in ("line_id", "order_id", "order_date")):
        return False
    try:
        datetime.date.fromisoformat(str(line["order_date"]))
        decimal.Decimal(str(line.get("amount")))
    except (ValueError, decimal.InvalidOperation):
        return False
    return True


def typed(line: Line) -> Line:
    return {
        "line_id": line["line_id"],
        "order_id": line["order_id"],
        "order_date": datetime.date.fromisoformat(str(line["order_date"])),
        "sku": line.get("sku"),
        "amount": decimal.Decimal(str(line["amount"])),
        "channel": line.get("channel"),
    }


# -- making it --------------------------------------------------------------------------------------------------------


class Shop:
    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.number = draw.randrange(10_000, 90_000)

    def line(self, day: str, **changes: object) -> Line:
        """A line of an old till: its amount is a number, whole or not."""
        draw = self.draw
        self.number += draw.randrange(1, 9)
        amount: object = draw.choice((draw.randrange(1, 400), draw.randrange(100, 40_000) / 100))
        made: Line = {
            "line_id": f"L{self.number}",
            "order_id": f"{draw.choice('ABN')}-{draw.randrange(1000, 9999)}",
            "order_date": day,
            "sku": f"S{draw.randrange(100, 999)}",
            "amount": amount,
        }
        if draw.random() < 0.2:
            del made["sku"]
        return made | changes

    def new(self, day: str, **changes: object) -> Line:
        """A line of a new till: its amount is a text, and it names a channel."""
        cents = self.draw.randrange(100, 40_000)
        amount, channel = f"{cents // 100}.{cents % 100:02}", self.draw.choice(("web", "app", "till"))
        return self.line(day, **{"amount": amount, "channel": channel, **changes})


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    shop = Shop(draw)
    some = max(round(12 * scale), 4)

    def key(day: str) -> str:
        return f"orders/{day}/till{draw.randrange(10, 99)}-{draw.randrange(100_000, 999_999)}.json"

    first, second, third, fourth = DAYS
    old = {
        key(first): [shop.line(first) for _ in range(some)],
        key(second): [shop.line(draw.choice((first, second))) for _ in range(some)],
    }
    archived = next(iter(old))
    old[list(old)[1]] += [
        shop.line(second, line_id=""),
        without(shop.line(second), "order_id"),
        shop.line(second, order_date="someday"),
        without(shop.line(second), "amount"),
    ]
    new = {
        key(third): [shop.new(draw.choice((second, third))) for _ in range(some)],
        # Of a till that was offline, in an old folder and of an old day.
        key(first): [shop.line(first) for _ in range(some)],
        key(third): [shop.line(third) for _ in range(some)],
    }
    new[next(iter(new))] += [
        shop.new(third, amount="n/a"),
        shop.new(third, amount=""),
        without(shop.new(third), "order_date"),
        shop.new(third, order_date="2026-02-30"),
    ]
    last = {
        key(fourth): [shop.new(draw.choice((third, fourth))) for _ in range(some)],
        key(fourth): [shop.new(fourth) for _ in range(some)],
    }
    arrivals = dict(zip(ARRIVALS, (old, new, last), strict=True))
    for objects in arrivals.values():
        for lines in objects.values():
            draw.shuffle(lines)
    world = World(
        {name: {key: tuple(lines) for key, lines in objects.items()} for name, objects in arrivals.items()}, archived
    )
    guard(world)
    return world


def without(line: Line, name: str) -> Line:
    return {key: value for key, value in line.items() if key != name}


def guard(world: World) -> None:
    ids = [line["line_id"] for line in world.orders()]
    assert len(set(ids)) == len(ids), "a line is there twice"
    assert {str(line["order_date"]) for line in world.orders()} == set(DAYS)
    old = [line["amount"] for line in world.lines(ARRIVALS[:1]) if "amount" in line]
    assert {type(amount) for amount in old} == {int, float}, "amounts of one type only"
    assert any(line["channel"] for line in world.orders(["new tills"]))
    assert any(not line["channel"] for line in world.orders(["new tills"]))


# -- laying it out ----------------------------------------------------------------------------------------------------


def furnish(world: World, lab: Lab) -> None:
    open_buckets(lab)
    arrive(world, lab, "old tills")
    arrive(world, lab, "new tills")


def open_buckets(lab: Lab) -> None:
    glue = lab.use(Glue)
    glue.create_bucket(RAW)
    glue.create_bucket(CURATED)
    glue.create_database(DATABASE)


def arrive(world: World, lab: Lab, arrival: str) -> None:
    files = {key: "".join(json.dumps(line) + "\n" for line in lines) for key, lines in world.arrivals[arrival].items()}
    lab.use(Glue).put_objects(RAW, files)


# canary: bf7292a6-3e7c-43e9-99ff-b6d45a0aa38a
