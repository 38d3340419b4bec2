"""The tills' orders at four moments; each group of orders shows one thing the connector has to bear."""

from __future__ import annotations

import datetime
import decimal
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.engines.api import Api, Listing
from harness.engines.fivetran import Fivetran
from harness.lab import Lab

PATH = "/v2/orders"
PAGE = 25
STATUSES = ("placed", "paid", "shipped", "returned")
NOTES = ("", "gift", "leave at the door", 'says "call first"', "für Zoë")
# What the table must hold of every order, whatever else there is.
FIELDS = ("order_id", "shop_id", "status", "note", "total", "updated_at")
BEGINNING = datetime.datetime(2026, 3, 1, 8, tzinfo=datetime.UTC)
# The source is looked at at these moments.
FIRST, LATER, DRIFTED, RESYNCED = "first", "later", "drifted", "resynced"
MOMENTS = (FIRST, LATER, DRIFTED, RESYNCED)
END_OF_FIRST = datetime.datetime(2026, 3, 6, 18, tzinfo=datetime.UTC)

Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """``rows``: what the API lists at each moment; ``groups``: the orders by the last that happened to them."""

    rows: dict[str, tuple[Row, ...]]
    groups: dict[str, frozenset[str]]
    key: str

    def pages(self, moment: str) -> int:
        return -(-len(self.rows[moment]) // PAGE)

    def live(self, moment: str, *groups: str) -> list[Row]:
        """What the table holds of live orders, if all came in by that moment; of these groups, or of all."""
        wanted = frozenset().union(*(self.groups[group] for group in groups)) if groups else None
        seen: dict[str, Row] = {}
        for earlier in MOMENTS[: MOMENTS.index(moment) + 1]:
            seen |= {row["order_id"]: row for row in self.rows[earlier]}
        found = [
            typed(row)
            for row in seen.values()
            if not row.get("deleted") and (wanted is None or row["order_id"] in wanted)
        ]
        assert found, f"no live order of {groups or 'any group'} is expected"
        return found

    def deleted(self, moment: str) -> frozenset[str]:
        return frozenset(row["order_id"] for row in self.rows[moment] if row.get("deleted"))


def typed(row: Row) -> Row:
    found = {field: row.get(field) for field in FIELDS}
    found["total"] = decimal.Decimal(str(row["total"]))
    found["updated_at"] = datetime.datetime.fromisoformat(row["updated_at"]).replace(tzinfo=None)
    return found


class Tills:
    """Makes orders, and remembers them by group."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.rows: dict[str, Row] = {}
        self.groups: dict[str, set[str]] = {}

    def order(self, group: str, at: datetime.datetime) -> Row:
        while (number := f"o-{self.draw.randrange(100_000, 999_999)}") in self.rows:
            pass
        row = {
            "order_id": number,
            "shop_id": f"s-{self.draw.randrange(1, 60):04}",
            "status": self.draw.choice(STATUSES),
            "total": f"{decimal.Decimal(self.draw.randrange(99, 99_999)) / 100:.2f}",
            "note": self.draw.choice(NOTES) or None,
            "updated_at": written(at),
        }
        return self.put(group, row)

    def put(self, group: str, row: Row) -> Row:
        self.rows[row["order_id"]] = row
        for numbers in self.groups.values():
            numbers.discard(row["order_id"])
        self.groups.setdefault(group, set()).add(row["order_id"])
        return row

    def change(self, group: str, number: str, at: datetime.datetime, **fields: Any) -> Row:
        old = self.rows[number]["status"]
        status = self.draw.choice([status for status in STATUSES if status != old])
        return self.put(group, self.rows[number] | {"status": status, "updated_at": written(at)} | fields)

    def delete(self, group: str, number: str, at: datetime.datetime) -> Row:
        return self.put(group, {"order_id": number, "deleted": True, "updated_at": written(at)})

    def now(self) -> tuple[Row, ...]:
        return tuple(dict(row) for row in self.rows.values())


def written(at: datetime.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    tills = Tills(draw)
    seconds = int((END_OF_FIRST - BEGINNING).total_seconds())
    for _ in range(round(230 * scale)):
        tills.order("plain", BEGINNING + datetime.timedelta(seconds=draw.randrange(seconds - 7200)))
    import_at = BEGINNING + datetime.timedelta(days=2, hours=draw.randrange(12))
    # More than a page of one second.
    for _ in range(PAGE + 7):
        tills.order("imported", import_at)
    for _ in range(6):
        number = tills.order("deleted early", BEGINNING)["order_id"]
        tills.delete("deleted early", number, BEGINNING + datetime.timedelta(seconds=draw.randrange(seconds - 7200)))
    tills.order("newest", END_OF_FIRST)
    rows = {FIRST: tills.now()}

    plain = sorted(tills.groups["plain"], key=lambda number: tills.rows[number]["updated_at"])
    # Of the pages that are read first: when they go to the end, what is behind them moves up.
    oldest = draw.sample(plain[:40], 16)
    later = moments(draw, END_OF_FIRST + datetime.timedelta(minutes=40))
    for number in oldest[:8]:
        tills.change("changed", number, next(later))
    for number in oldest[8:12]:
        tills.delete("deleted", number, next(later))
    for _ in range(12):
        tills.order("new", next(later))
    number = tills.order("deleted unseen", END_OF_FIRST)["order_id"]
    tills.delete("deleted unseen", number, next(later))
    for minutes in (3, 8, 14):
        at = END_OF_FIRST - datetime.timedelta(minutes=minutes, seconds=draw.randrange(30))
        tills.order("late", at)
    for number in draw.sample(sorted(tills.groups["deleted early"]), 2):
        row = tills.order("restored", next(later))
        del tills.rows[row["order_id"]]
        tills.groups["restored"].remove(row["order_id"])
        tills.put("restored", row | {"order_id": number})
    rows[LATER] = tills.now()

    afterwards = moments(draw, END_OF_FIRST + datetime.timedelta(days=1))
    for number in draw.sample(plain[60:], 5):
        tills.change("changed after the drift", number, next(afterwards))
    for _ in range(6):
        tills.order("new after the drift", next(afterwards))
    for number in sorted(tills.groups["changed after the drift"] | tills.groups["new after the drift"]):
        row = tills.rows[number]
        row.pop("note")
        row |= {
            "channel": draw.choice(("web", "till")),
            "total": float(row["total"]),
            "delivery": {"city": draw.choice(("Graz", "Köln")), "express": draw.random() < 0.5},
        }
    rows[DRIFTED] = tills.now()

    # Live in the table when it is synced anew: there is something to delete, though there is no state.
    for number in draw.sample(sorted(tills.groups["plain"]), 4):
        tills.delete("deleted before the last", number, next(afterwards))
    rows[RESYNCED] = tills.now()

    groups = {name: frozenset(numbers) for name, numbers in tills.groups.items()}
    world = World(rows, groups, f"tk_{draw.getrandbits(96):024x}")
    late = [row["updated_at"] for row in rows[LATER] if row["order_id"] in groups["late"]]
    assert max(late) < written(END_OF_FIRST) == max(row["updated_at"] for row in rows[FIRST])
    assert len(groups["imported"]) > PAGE and world.deleted(LATER)
    return world


def moments(draw: random.Random, at: datetime.datetime) -> Iterator[datetime.datetime]:
    """Later and later ones."""
    while True:
        at += datetime.timedelta(seconds=draw.randrange(5, 60))
        yield at


def furnish(world: World, lab: Lab, moment: str = FIRST) -> None:
    """The API as it is at that moment, and the configuration that leads there."""
    api = lab.use(Api)
    listing = Listing(world.rows[moment], "orders", PAGE, "order_id", "updated_at", "updated_since")
    api.serve({PATH: listing}, key=world.key)
    lab.use(Fivetran).configure({"base_url": api.url, "api_key": world.key})


# canary: 3bfb8542-be3f-4bef-b5ba-cffd85a0a233
