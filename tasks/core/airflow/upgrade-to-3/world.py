"""The shop's orders and stock movements of two weeks, with some on every boundary that a run has."""

from __future__ import annotations

import datetime
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from harness.engines.postgres import Postgres
from harness.lab import Lab

UTC = datetime.UTC
DAY = datetime.timedelta(days=1)
SIX_HOURS = datetime.timedelta(hours=6)
# A Monday to the Sunday of the week after.
DAYS = tuple(datetime.date(2026, 3, 2) + DAY * number for number in range(14))
REGIONS = ("north", "south", "west")
DEPOTS = ("north", "south", "harbour")
SKUS = ("A-1", "B-22", "C-333")

TABLES = (
    "CREATE SCHEMA app",
    "CREATE SCHEMA mart",
    """CREATE TABLE app.orders (
           order_id bigint PRIMARY KEY, region text, status text, amount numeric(12, 2), created_at timestamptz)""",
    "CREATE TABLE app.stock_movements (depot text, sku text, quantity integer, moved_at timestamptz)",
    """CREATE TABLE mart.orders (
           order_id bigint, shop_day date, region text, status text, amount numeric(12, 2), created_at timestamptz)""",
    "CREATE TABLE mart.load_audit (shop_day date, period_end timestamptz, source_rows integer, loaded_rows integer)",
    "CREATE TABLE mart.daily_sales (day date, published_on date, region text, orders integer, amount numeric(14, 2))",
    "CREATE TABLE mart.weekly_sales (week date, region text, orders integer, amount numeric(14, 2))",
    "CREATE TABLE mart.publications (day date, valid_until date, run_of timestamptz)",
    """CREATE TABLE mart.stock_levels (
           measured_at timestamptz, depot text, sku text, quantity integer, moved integer)""",
)

ORDERS = {
    "order_id": "integer",
    "shop_day": "date",
    "region": "text",
    "status": "text",
    "amount": "decimal(2)",
    "created_at": "timestamp",
}
AUDIT = {"shop_day": "date", "period_end": "timestamp", "source_rows": "integer", "loaded_rows": "integer"}
DAILY = {"day": "date", "published_on": "date", "region": "text", "orders": "integer", "amount": "decimal(2)"}
WEEKLY = {"week": "date", "region": "text", "orders": "integer", "amount": "decimal(2)"}
PUBLICATIONS = {"day": "date", "valid_until": "date", "run_of": "timestamp"}
LEVELS = {"measured_at": "timestamp", "depot": "text", "sku": "text", "quantity": "integer", "moved": "integer"}

Rows = list[dict[str, object]]


@dataclass(frozen=True)
class Order:
    order_id: int
    region: str
    status: str
    amount: Decimal
    created_at: datetime.datetime


@dataclass(frozen=True)
class Movement:
    depot: str
    sku: str
    quantity: int
    moved_at: datetime.datetime


@dataclass(frozen=True)
class World:
    """``late`` are orders that turn up in the source after the first loads, ``late_day`` is the shop day of theirs."""

    orders: tuple[Order, ...]
    late: tuple[Order, ...]
    movements: tuple[Movement, ...]
    late_day: datetime.date

    def of_shop_day(self, day: datetime.date, orders: Iterable[Order]) -> list[Order]:
        return within(orders, at(day, 2), at(day + DAY, 2))

    def loaded(self, days: Iterable[datetime.date], orders: Sequence[Order]) -> Rows:
        """mart.orders for these shop days."""
        return [
            {
                "order_id": order.order_id,
                "shop_day": day,
                "region": order.region,
                "status": order.status,
                "amount": order.amount,
                "created_at": order.created_at,
            }
            for day in days
            for order in self.of_shop_day(day, orders)
        ]

    def audited(self, days: Iterable[datetime.date], orders: Sequence[Order]) -> Rows:
        counts = {day: len(self.of_shop_day(day, orders)) for day in days}
        return [
            {"shop_day": day, "period_end": at(day + DAY, 2), "source_rows": count, "loaded_rows": count}
            for day, count in counts.items()
        ]

    def daily_sales(self, days: Iterable[datetime.date]) -> Rows:
        return [
            {"day": day, "published_on": day + DAY, "region": region, "orders": count, "amount": amount}
            for day in days
            for region, (count, amount) in by_region(within(self.orders, at(day), at(day + DAY))).items()
        ]

    def weekly_sales(self, monday: datetime.date, days: Iterable[datetime.date]) -> Rows:
        """The week's sums over the days that were reported before it."""
        orders = [order for day in days for order in within(self.orders, at(day), at(day + DAY))]
        return [
            {"week": monday, "region": region, "orders": count, "amount": amount}
            for region, (count, amount) in by_region(orders).items()
        ]

    def levels(self, starts: Iterable[datetime.datetime]) -> Rows:
        found = []
        for start in starts:
            end = start + SIX_HOURS
            sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
            for movement in self.movements:
                if movement.moved_at < end:
                    total = sums[movement.depot, movement.sku]
                    total[0] += movement.quantity
                    total[1] += movement.moved_at >= start
            found += [
                {"measured_at": end, "depot": depot, "sku": sku, "quantity": quantity, "moved": moved}
                for (depot, sku), (quantity, moved) in sums.items()
            ]
        return found


def at(day: datetime.date, hour: int = 0) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(hour), UTC)


def within(orders: Iterable[Order], start: datetime.datetime, end: datetime.datetime) -> list[Order]:
    return [order for order in orders if start <= order.created_at < end]


def by_region(orders: Iterable[Order]) -> dict[str, tuple[int, Decimal]]:
    kept = [order for order in orders if order.status != "cancelled"]
    return {
        region: (len(mine), sum((order.amount for order in mine), Decimal()))
        for region in REGIONS
        if (mine := [order for order in kept if order.region == region])
    }


def build(seed: int, scale: float = 1.0) -> World:
    chance = random.Random(seed)  # noqa: S311
    numbers = iter(range(chance.randrange(10_000, 90_000), 10_000_000))

    def order(moment: datetime.datetime) -> Order:
        return Order(
            next(numbers),
            chance.choice(REGIONS),
            chance.choice(("paid", "shipped", "shipped", "cancelled")),
            Decimal(chance.randrange(100, 90_000)) / 100,
            moment,
        )

    def some_moment(day: datetime.date, most: int = 24 * 3600) -> datetime.datetime:
        return at(day) + datetime.timedelta(seconds=chance.randrange(most))

    orders = []
    for day in (DAYS[0] - DAY, *DAYS, DAYS[-1] + DAY):
        orders += [order(some_moment(day)) for _ in range(round(12 * scale) + chance.randrange(6))]
        # Between midnight and two a shop day is still that of the day before.
        orders += [order(some_moment(day, 7200)) for _ in range(3)]
        for hour in (0, 2):
            orders += [order(at(day, hour)), order(at(day, hour) - datetime.timedelta(microseconds=1))]
    late_day = DAYS[3]
    late = [order(some_moment(late_day)), order(at(late_day, 2)), order(some_moment(late_day + DAY, 7199))]

    def movement(moment: datetime.datetime) -> Movement:
        quantity = chance.choice((-3, -2, -1, 5, 8))
        return Movement(chance.choice(DEPOTS), chance.choice(SKUS), quantity, moment)

    first = at(DAYS[0] - DAY)
    movements = [Movement(depot, sku, 500, first) for depot in DEPOTS for sku in SKUS]
    for day in DAYS[:3]:
        movements += [movement(some_moment(day)) for _ in range(40)]
        for hour in (0, 6, 12, 18):
            movements += [movement(at(day, hour)) for _ in range(3)]
    chance.shuffle(orders)
    chance.shuffle(movements)
    world = World(tuple(orders), tuple(late), tuple(movements), late_day)
    guard(world)
    return world


def guard(world: World) -> None:
    assert all(world.of_shop_day(day, world.orders) for day in DAYS)
    assert world.of_shop_day(world.late_day, world.late), "no late order is of the late day"
    for day in DAYS:
        by_clock = {order.order_id for order in within(world.orders, at(day), at(day + DAY))}
        by_shop = {order.order_id for order in world.of_shop_day(day, world.orders)}
        assert by_clock - by_shop and by_shop - by_clock, "shop days and calendar days are the same"
        assert by_region(within(world.orders, at(day), at(day + DAY)))


def fill(lab: Lab, orders: Iterable[Order], movements: Iterable[Movement]) -> None:
    database = lab.use(Postgres)
    copy(database, "app.orders", ("order_id", "region", "status", "amount", "created_at"), orders)
    copy(database, "app.stock_movements", ("depot", "sku", "quantity", "moved_at"), movements)


def copy(database: Postgres, table: str, columns: Sequence[str], items: Iterable[object]) -> None:
    value: Callable[[object], list[object]] = lambda item: [getattr(item, column) for column in columns]  # noqa: E731
    if found := [value(item) for item in items]:
        database.copy(table, columns, found)


def furnish(world: World, lab: Lab) -> None:
    lab.use(Postgres).execute(*TABLES, user="loader")
    fill(lab, world.orders, world.movements)


# canary: 53b497d3-9df4-4aa1-a738-ad74986ed210
