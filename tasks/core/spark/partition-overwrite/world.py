"""Two daily drops of orders, with rows of three days; each group of orders shows one thing the job has to get right."""

from __future__ import annotations

import csv
import datetime
import decimal
import io
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.lab import Lab

COLUMNS = ("order_id", "user_id", "order_date", "status", "amount", "updated_at", "revision")
STATUSES = ("placed", "paid", "shipped", "cancelled")
# A day that only the first drop has orders of, and the days of the two drops.
LONG_AGO, FIRST, SECOND = "2026-02-24", "2026-03-02", "2026-03-03"
DROPS = (FIRST, SECOND)
BROKEN = (
    ("order_id", ""),
    ("order_date", ""),
    ("order_date", "yesterday"),
    ("amount", ""),
    ("amount", "n/a"),
    ("updated_at", ""),
    ("updated_at", "soon"),
    ("revision", ""),
    ("revision", "two"),
)

Fields = dict[str, str]


@dataclass(frozen=True)
class World:
    """The rows of each drop, and the orders by group."""

    drops: dict[str, tuple[Fields, ...]]
    groups: dict[str, frozenset[str]]

    # -- the truth, from the raw rows ------------------------------------------------------------------------------

    def orders(self, groups: Iterable[str], drops: Iterable[str]) -> list[dict[str, object]]:
        """What the table holds of the groups' orders once the drops are in, in whatever order."""
        wanted = set().union(*(self.groups[group] for group in groups))
        latest: dict[str, Fields] = {}
        for drop in drops:
            for row in self.drops[drop]:
                if is_sound(row) and row["order_id"] in wanted:
                    known = latest.get(row["order_id"])
                    if known is None or version(row) > version(known):
                        latest[row["order_id"]] = row
        assert latest, "no order is expected"
        return [typed(row) for row in latest.values()]

    def rejected(self, drops: Iterable[str]) -> list[dict[str, object]]:
        """Drop and order of each broken row."""
        found: list[dict[str, object]] = [
            {"drop_date": datetime.date.fromisoformat(drop), "order_id": row["order_id"].strip() or None}
            for drop in drops
            for row in self.drops[drop]
            if not is_sound(row)
        ]
        assert found, "no broken row is expected"
        return found


def version(row: Fields) -> tuple[str, int]:
    return row["updated_at"], int(row["revision"])


def is_sound(row: Fields) -> bool:
    try:
        datetime.date.fromisoformat(row["order_date"])
        datetime.datetime.fromisoformat(row["updated_at"])
        decimal.Decimal(row["amount"])
        int(row["revision"])
    except (ValueError, decimal.InvalidOperation):
        return False
    return bool(row["order_id"].strip())


def typed(row: Fields) -> dict[str, object]:
    return {
        "order_id": row["order_id"],
        "user_id": row["user_id"] or None,
        "order_date": datetime.date.fromisoformat(row["order_date"]),
        "status": row["status"],
        "amount": decimal.Decimal(row["amount"]),
        "updated_at": datetime.datetime.fromisoformat(row["updated_at"]),
        "revision": int(row["revision"]),
    }


# -- making it --------------------------------------------------------------------------------------------------------


class Shop:
    """Makes rows, and remembers the orders by group."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.groups: defaultdict[str, set[str]] = defaultdict(set)
        self.used: set[str] = set()

    def order(self, group: str, day: str) -> Fields:
        """A new order of a day, as first written at a time of that day."""
        while (number := f"{self.draw.choice('ABN')}-{self.draw.randrange(100_000, 999_999)}") in self.used:
            pass
        self.used.add(number)
        self.groups[group].add(number)
        row = {"order_id": number, "order_date": day, "revision": "1", "updated_at": f"{day} 08:00:00"}
        row["user_id"] = self.draw.choice(("", *(f"C{self.draw.randrange(1000, 9999)}" for _ in range(9))))
        return self.changed(row)

    def changed(self, row: Fields, day: str = "", **changes: str) -> Fields:
        """The order as written again, on the same day or on another, with a status and an amount of its own."""
        day, seconds = day or row["updated_at"][:10], self.draw.randrange(60, 3600)
        moment = datetime.datetime.fromisoformat(row["updated_at"])
        if day != row["updated_at"][:10]:
            moment = datetime.datetime.fromisoformat(f"{day} 09:00:00")
        cents = self.draw.randrange(100, 9_999_999)
        return row | {
            "status": self.draw.choice(STATUSES),
            "amount": f"{cents // 100}.{cents % 100:02}",
            "updated_at": str(moment + datetime.timedelta(seconds=seconds)),
            **changes,
        }


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    shop = Shop(draw)
    drops: dict[str, list[Fields]] = {FIRST: [], SECOND: []}
    some = range(max(round(12 * scale), 2))

    for day in DROPS:
        drops[day] += [shop.order("plain", day) for _ in range(round(90 * scale))]
        for _ in some:
            # Written three times; and the same row twice.
            row = shop.order("repeated", day)
            again = shop.changed(row, revision="2")
            drops[day] += [row, again, shop.changed(again, revision="3")]
            drops[day] += [shop.order("doubled", day)] * 2
        for number in some:
            # Of one moment: the revision decides, and as a number. Which row stands first must not matter.
            row = shop.order("corrected", day)
            pair = [row | {"revision": "9"}, shop.changed(row, updated_at=row["updated_at"], revision="10")]
            drops[day] += pair if number % 2 else reversed(pair)
    for _ in some:
        drops[FIRST].append(shop.order("offline", LONG_AGO))
        # Of the first day, but delivered with the second.
        drops[SECOND].append(shop.order("offline", FIRST))
        # Changed a day later.
        row = shop.order("changed later", FIRST)
        drops[FIRST].append(row)
        drops[SECOND].append(shop.changed(row, SECOND, revision="2"))
        # The second drop has an older state than the first.
        row = shop.order("outdated", FIRST)
        drops[FIRST].append(shop.changed(row, revision="2"))
        drops[SECOND].append(row)
    for day in DROPS:
        drops[day] += [shop.order("broken", day) | {column: value} for column, value in BROKEN]
        draw.shuffle(drops[day])
    return World(
        {day: tuple(rows) for day, rows in drops.items()},
        {group: frozenset(orders) for group, orders in shop.groups.items()},
    )


def as_csv(rows: Sequence[Fields]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def furnish(world: World, lab: Lab, drops: Iterable[str] = DROPS, pieces: int = 1) -> None:
    """Deliver the drops, each cut into so many files; if into several, with the rows the other way round."""
    for drop in drops:
        rows = world.drops[drop] if pieces == 1 else world.drops[drop][::-1]
        files = {f"orders/{drop}/till-{number}.csv": as_csv(rows[number::pieces]) for number in range(pieces)}
        lab.deliver(files)


# canary: 1717d9d2-27e0-4ce0-b4f5-6b550c10f27b
