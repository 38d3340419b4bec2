"""Deliveries of three stores; all days but the last are loaded and closed."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from harness.engines.postgres import Postgres
from harness.lab import Lab

STORES = ("store-1", "store-2", "store-3")
FIRST = datetime.date(2026, 3, 27)
DAYS = tuple(str(FIRST + datetime.timedelta(days=number)) for number in range(8))
NEW = DAYS[-1]
SCHEMA = (
    "CREATE SCHEMA raw",
    "CREATE SCHEMA marts",
    "CREATE SCHEMA ops",
    "CREATE TABLE raw.sales (day date, store text, receipt bigint, amount numeric(10, 2))",
    "CREATE TABLE marts.daily (day date, store text, receipts bigint, revenue numeric(12, 2))",
    "CREATE TABLE marts.monthly (month text, store text, receipts numeric, revenue numeric(14, 2))",
    "CREATE TABLE ops.days (day date PRIMARY KEY, state text NOT NULL)",
    "CREATE TABLE ops.lock (day date, since timestamptz)",
)


@dataclass(frozen=True)
class Sale:
    day: str
    store: str
    receipt: int
    amount: Decimal


Sales = Mapping[str, tuple[Sale, ...]]


@dataclass(frozen=True)
class World:
    """What the stores deliver by day, the day that they deliver again with other figures, and one that can be left out
    of what is loaded: the night's run didn't start."""

    sales: Sales
    again: str
    corrected: tuple[Sale, ...]
    missed: str

    def with_correction(self) -> Sales:
        return {**self.sales, self.again: self.corrected}


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    numbers = iter(range(draw.randrange(10**6, 10**7), 10**9))

    def sales(day: str, store: str) -> list[Sale]:
        many = round(draw.randrange(6, 14) * scale)
        return [Sale(day, store, next(numbers), Decimal(draw.randrange(50, 30_000)).scaleb(-2)) for _ in range(many)]

    delivered = {day: tuple(sale for store in STORES for sale in sales(day, store)) for day in DAYS}
    again = draw.choice(DAYS[1:3])
    first, second, *kept = delivered[again]
    changed = Sale(first.day, first.store, first.receipt, first.amount + 1)
    late = sales(again, STORES[0])[:3]
    corrected = tuple(sorted((changed, *kept, *late), key=lambda sale: (sale.store, sale.receipt)))
    assert again[:7] != NEW[:7] and second not in corrected
    missed = draw.choice(DAYS[3:5])
    assert missed[:7] != NEW[:7]
    return World(delivered, again, corrected, missed)


def daily(sales: Sales, days: Iterable[str]) -> list[dict[str, object]]:
    """What ``marts.daily`` holds of these days."""
    return [
        {"day": day, "store": store, **figures([sale for sale in sales[day] if sale.store == store])}
        for day in days
        for store in STORES
    ]


def monthly(sales: Sales, days: Iterable[str]) -> list[dict[str, object]]:
    months = sorted({day[:7] for day in days})
    return [
        {
            "month": month,
            "store": store,
            **figures([sale for day in days if day.startswith(month) for sale in sales[day] if sale.store == store]),
        }
        for month in months
        for store in STORES
    ]


def figures(sales: list[Sale]) -> dict[str, object]:
    assert sales, "nothing was sold"
    return {"receipts": len(sales), "revenue": sum((sale.amount for sale in sales), Decimal(0))}


def delivery(day: str, sales: Iterable[Sale]) -> dict[str, str]:
    """The files of a day by name."""
    by_store = {store: [sale for sale in sales if sale.store == store] for store in STORES}
    files = {
        f"{store}.csv": "day,store,receipt,amount\n"
        + "".join(f"{sale.day},{sale.store},{sale.receipt},{sale.amount}\n" for sale in of)
        for store, of in by_store.items()
    }
    return {**files, "manifest": "".join(f"{store}.csv {len(of)}\n" for store, of in by_store.items())}


def deliver(lab: Lab, day: str, sales: Iterable[Sale]) -> None:
    lab.deliver({f"drop/{day}/{name}": text for name, text in delivery(day, sales).items()})


def furnish(world: World, lab: Lab, missed: str = "") -> None:
    """The load itself, what the stores have delivered, and the days that are done; ``missed`` isn't."""
    lab.box.put("work", lab.task.workspace.files)
    done = [day for day in DAYS[:-1] if day != missed]
    landing = {
        f"landing/{day}/{name}": text.encode() for day in done for name, text in delivery(day, world.sales[day]).items()
    }
    lab.box.put("work", landing)
    lab.deliver(
        {
            f"drop/{day}/{name}": text
            for day, sales in world.sales.items()
            for name, text in delivery(day, sales).items()
        }
    )
    rows = {
        "raw.sales": [(sale.day, sale.store, sale.receipt, sale.amount) for day in done for sale in world.sales[day]],
        "marts.daily": [tuple(row.values()) for row in daily(world.sales, done)],
        "marts.monthly": [tuple(row.values()) for row in monthly(world.sales, done)],
        "ops.days": [(day, "closed") for day in done],
    }
    lab.use(Postgres).execute(
        *SCHEMA,
        *(
            f"INSERT INTO {table} VALUES "
            + ", ".join("(" + ", ".join(f"'{value}'" for value in row) + ")" for row in values)
            for table, values in rows.items()
        ),
        user="loader",
    )


# canary: 956379b1-c369-4051-b4f6-f77cfd4b90b1
