"""A table with a history and three batches: an ordinary one, one with a new column, one with another type of column."""

from __future__ import annotations

import datetime
import decimal
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from harness.engines.databricks import Databricks
from harness.lab import Lab

COLUMNS = {
    "order_id": "string",
    "customer_id": "string",
    "status": "string",
    "quantity": "int",
    "amount": "decimal(12,2)",
    "updated_at": "timestamp",
}
ADDED = "channel"
PLAIN, WIDER, RETYPED = "0101", "0102", "0103"
BATCHES: dict[str, dict[str, str]] = {
    PLAIN: COLUMNS,
    WIDER: COLUMNS | {ADDED: "string"},
    # Of a column that has only just come: who knows the first columns' types by heart doesn't know this one's.
    RETYPED: COLUMNS | {ADDED: "bigint"},
}
STATUSES = ("placed", "paid", "shipped", "cancelled")

Fields = dict[str, str | None]


@dataclass(frozen=True)
class World:
    """The versions that the table has at first, the batches, the outlets' orders, and the shop's orders by group."""

    versions: tuple[tuple[Fields, ...], ...]
    batches: dict[str, tuple[Fields, ...]]
    outlets: tuple[Fields, ...]
    groups: dict[str, frozenset[str]]

    # -- the truth, from the raw rows ------------------------------------------------------------------------------

    def version(self, number: int) -> list[dict[str, object]]:
        """The table's rows at one of its first versions, each of which has appended some."""
        return [typed(row) for rows in self.versions[: number + 1] for row in rows]

    def orders(self, groups: Iterable[str], batches: Iterable[str]) -> list[dict[str, object]]:
        """The groups' orders once the batches are merged, in whatever order."""
        wanted = set().union(*(self.groups[group] for group in groups))
        latest: dict[str | None, Fields] = {}
        sources = [*self.versions, *(self.batches[batch] for batch in batches)]
        for row in (row for rows in sources for row in rows if row["order_id"] in wanted):
            known = latest.get(row["order_id"])
            if known is None or str(row["updated_at"]) > str(known["updated_at"]):
                latest[row["order_id"]] = row
        assert latest, "no order is expected"
        return [typed(row) for row in latest.values()]


def typed(row: Fields) -> dict[str, object]:
    return {
        "order_id": row["order_id"],
        "customer_id": row["customer_id"],
        "status": row["status"],
        "quantity": int(str(row["quantity"])),
        "amount": decimal.Decimal(str(row["amount"])),
        "updated_at": datetime.datetime.fromisoformat(str(row["updated_at"])),
        ADDED: row.get(ADDED),
    }


# -- making it --------------------------------------------------------------------------------------------------------


class Shop:
    """Makes rows, and remembers the orders by group."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.groups: defaultdict[str, set[str]] = defaultdict(set)
        self.numbers = iter(draw.sample(range(100_000, 1_000_000), 5000))

    def order(self, group: str, day: int, prefix: str = "W") -> Fields:
        """A new order as first written, in the morning of a day of March."""
        number = f"{prefix}-{next(self.numbers)}"
        self.groups[group].add(number)
        return self.changed({"order_id": number, "updated_at": f"2026-03-{day:02} 08:00:00"})

    def changed(self, row: Fields, day: int = 0, **changes: str) -> Fields:
        """The order as written again, a little later or at noon of another day."""
        moment = datetime.datetime.fromisoformat(str(row["updated_at"]))
        if day:
            moment = moment.replace(day=day, hour=12)
        cents = self.draw.randrange(100, 999_999)
        return row | {
            "customer_id": self.draw.choice((None, *(f"C{self.draw.randrange(1000, 9999)}" for _ in range(4)))),
            "status": self.draw.choice(STATUSES),
            "quantity": str(self.draw.randrange(1, 50)),
            "amount": f"{cents // 100}.{cents % 100:02}",
            "updated_at": str(moment + datetime.timedelta(seconds=self.draw.randrange(60, 1800))),
            **changes,
        }


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    shop = Shop(draw)
    some = range(max(round(10 * scale), 3))
    versions: list[list[Fields]] = [[], []]
    batches: dict[str, list[Fields]] = {batch: [] for batch in BATCHES}

    for number, version in enumerate(versions):
        version += [shop.order("untouched", 2 + number) for _ in range(round(20 * scale))]
    for batch, day in ((PLAIN, 5), (WIDER, 6)):
        # New orders, some of them older than the newest that the table has by then.
        batches[batch] += [shop.order("plain", day - 3 * (place % 2)) for place in range(round(20 * scale))]
        for _ in some:
            # In the table already, and changed; written several times within the batch, in any order.
            row = shop.order("changed", 3)
            versions[1].append(row)
            batches[batch].append(shop.changed(row, day))
            row = shop.order("repeated", day)
            again = shop.changed(row)
            last = shop.changed(again)
            batches[batch] += [row, again, last, row, last]
    for _ in some:
        # Older than what the table has, since before the job or since the other batch.
        row = shop.order("older", 2)
        versions[1].append(shop.changed(row, 3))
        batches[PLAIN].append(row)
        row = shop.order("older", 4)
        batches[PLAIN].append(shop.changed(row, 5))
        batches[WIDER].append(row)
    batches[RETYPED] += [shop.order("retyped", 7) for _ in some]
    row = shop.order("retyped", 5)
    batches[PLAIN].append(row)
    batches[RETYPED].append(shop.changed(row, 7))

    for batch, columns in BATCHES.items():
        if ADDED in columns:
            as_text = columns[ADDED] == "string"
            batches[batch] = [row | {ADDED: channel(str(row["order_id"]), as_text)} for row in batches[batch]]
        draw.shuffle(batches[batch])
    outlets = [shop.order("outlets", 6, "O") for _ in range(5)]
    return World(
        tuple(map(tuple, versions)),
        {batch: tuple(rows) for batch, rows in batches.items()},
        tuple(outlets),
        {group: frozenset(orders) for group, orders in shop.groups.items()},
    )


def channel(order: str, as_text: bool) -> str:
    number = int(order[2:]) % 3
    return ("web", "app", "phone")[number] if as_text else str(number)


def furnish(world: World, lab: Lab) -> None:
    """The table with its versions, and all batches, each in two files."""
    databricks = lab.use(Databricks)
    for version in world.versions:
        databricks.append("orders", COLUMNS, rows_of(version, COLUMNS))
    for batch, columns in BATCHES.items():
        rows = rows_of(world.batches[batch], columns)
        for part in range(2):
            databricks.deliver(f"batches/{batch}/part-{part}.parquet", columns, rows[part::2])


def rows_of(rows: Iterable[Fields], columns: Iterable[str]) -> list[list[str | None]]:
    return [[row[column] for column in columns] for row in rows]


# canary: a270921b-9842-489e-9728-df159444409c
