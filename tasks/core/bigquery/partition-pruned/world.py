"""A shop's orders of a winter, two drops of April and a corrected one, and what the dashboard says of any days."""

from __future__ import annotations

import datetime
import decimal
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from harness.engines.bigquery import BigQuery
from harness.lab import Lab

BERLIN = ZoneInfo("Europe/Berlin")
BEGIN, END = datetime.date(2025, 12, 1), datetime.date(2026, 3, 31)
FIRST_DROP, SECOND_DROP = datetime.date(2026, 4, 1), datetime.date(2026, 4, 2)
# Days on which nothing was sold, and the one on which clocks are put forward.
EMPTY_DAYS = (datetime.date(2025, 12, 25), datetime.date(2026, 2, 15))
SHORT_DAY = datetime.date(2026, 3, 29)
ONE_DAY = datetime.timedelta(days=1)
COUNTRIES = ("DE", "AT", "CH", "NL", None)
STATUSES = ("placed", "paid", "shipped", "cancelled")
COLUMNS = ("order_id", "ordered_at", "country", "status", "amount", "note")
WORDS = [
    "please",
    "ring",
    "twice",
    "and",
    "leave",
    "it",
    "with",
    "the",
    "neighbour",
    "behind",
    "the",
    "blue",
    "door",
    "thank",
    "you",
    "very",
    "much",
    "indeed",
]

Window = tuple[datetime.date, datetime.date]


@dataclass(frozen=True)
class Order:
    order_id: str
    ordered_at: datetime.datetime | None
    country: str | None
    status: str
    amount: decimal.Decimal | None
    note: str
    drop: datetime.date

    @property
    def day(self) -> datetime.date | None:
        return self.ordered_at.astimezone(BERLIN).date() if self.ordered_at else None


@dataclass(frozen=True)
class World:
    """``drops`` by their day; ``corrected`` is what the first of them is replaced by."""

    history: tuple[Order, ...]
    drops: dict[datetime.date, tuple[Order, ...]]
    corrected: tuple[Order, ...]

    def orders(self, *drops: Iterable[Order]) -> list[Order]:
        return [*self.history, *(order for drop in drops for order in drop)]


def dashboard(orders: Iterable[Order], window: Window, copies: int = 1) -> list[dict[str, object]]:
    """What the dashboard shows of these days, with every order there so many times."""
    groups: defaultdict[tuple[datetime.date, str | None], list[Order]] = defaultdict(list)
    for order in orders:
        if order.day and window[0] <= order.day <= window[1]:
            groups[order.day, order.country].append(order)
    return [
        {"day": day, "country": country, "orders": len(group) * copies, "revenue": revenue(group, copies)}
        for (day, country), group in groups.items()
    ]


def revenue(orders: Iterable[Order], copies: int) -> decimal.Decimal | None:
    found = [decimal.Decimal(0) if order.status == "cancelled" else order.amount for order in orders]
    known = [amount for amount in found if amount is not None]
    return sum(known, decimal.Decimal(0)) * copies if known else None


def nearby(orders: Iterable[Order], window: Window) -> int:
    """How many orders the window's days have, and the day before and after."""
    return sum(1 for order in orders if order.day and window[0] - ONE_DAY <= order.day <= window[1] + ONE_DAY)


# -- making it --------------------------------------------------------------------------------------------------------


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    numbers = iter(draw.sample(range(100_000, 999_999), 20_000))

    def order(moment: datetime.datetime | None, drop: datetime.date, **fixed: object) -> Order:
        made: dict[str, object] = {
            "order_id": f"O{next(numbers)}",
            "ordered_at": moment,
            "country": draw.choices(COUNTRIES, (6, 2, 2, 1, 1))[0],
            "status": draw.choices(STATUSES, (1, 4, 4, 1))[0],
            "amount": decimal.Decimal(draw.randrange(100, 40_000)) / 100 if draw.random() < 0.93 else None,
            "note": " ".join(draw.choices(WORDS, k=draw.randrange(8, 25))),
            "drop": drop,
        }
        return Order(**{**made, **fixed})  # type: ignore[arg-type]

    def some_time(day: datetime.date) -> datetime.datetime:
        """By the shop's clock; more of it at night than a shop would have."""
        midnight = datetime.datetime.combine(day, datetime.time(), BERLIN).astimezone(datetime.UTC)
        return midnight + datetime.timedelta(seconds=draw.choice((draw.randrange(7200), draw.randrange(82_000))))

    def orders_of(day: datetime.date, drop: datetime.date, count: int) -> list[Order]:
        return [order(some_time(day), drop) for _ in range(count)]

    days = [BEGIN + datetime.timedelta(days=number) for number in range((END - BEGIN).days + 1)]
    sold = [day for day in days if day not in EMPTY_DAYS]
    history = [made for day in sold for made in orders_of(day, END, round(9 * max(scale, 0.3)) + draw.randrange(3))]
    moment = datetime.timedelta(seconds=1)
    edges = [datetime.date(2026, 1, 20), datetime.date(2026, 3, 2), datetime.date(2026, 3, 9)]
    for day in (*edges, SHORT_DAY, SHORT_DAY + ONE_DAY):
        midnight = datetime.datetime.combine(day, datetime.time(), BERLIN).astimezone(datetime.UTC)
        history += [order(midnight, END, status="paid"), order(midnight - moment, END, status="paid")]
    # Of a country of its own, so that its group has no amount at all.
    history += [order(some_time(datetime.date(2026, 3, 4)), END, country="IS", status="placed", amount=None)]
    history += [order(None, END) for _ in range(25)]
    drops = {}
    for drop in (FIRST_DROP, SECOND_DROP):
        late = [made for day in draw.sample(sold[-6:], 4) for made in orders_of(day, drop, 3)]
        late += [made for day in draw.sample(sold[:-20], 6) for made in orders_of(day, drop, 1)]
        drops[drop] = (*orders_of(drop, drop, 12), *late, *(order(None, drop) for _ in range(4)))
    # Gone from the corrected drop, which has no other order of its day.
    drops[FIRST_DROP] = (order(some_time(sold[-9]), FIRST_DROP), *drops[FIRST_DROP])
    first = drops[FIRST_DROP]
    keyed_in = [replace(old, ordered_at=some_time(sold[-1])) if old.ordered_at is None else old for old in first[5:]]
    dearer = [replace(old, status="paid", amount=(old.amount or decimal.Decimal(0)) + 7) for old in keyed_in[:9]]
    corrected = (*dearer, *keyed_in[9:-3], *orders_of(sold[-3], FIRST_DROP, 2), order(None, FIRST_DROP))
    world = World(tuple(draw.sample(history, len(history))), drops, corrected)
    guard(world)
    return world


def guard(world: World) -> None:
    """Every case that a dashboard has to get right is there."""
    assert any(order.ordered_at is None for order in world.history)
    assert any(order.day and order.ordered_at and order.day != order.ordered_at.date() for order in world.history)
    short = dashboard(world.history, (SHORT_DAY, SHORT_DAY))
    assert short, "nothing was sold on the day when clocks change"
    assert any(row["revenue"] is None for row in dashboard(world.history, (BEGIN, END)))
    for drop in (*world.drops.values(), world.corrected):
        assert any(order.day and order.day < order.drop for order in drop), "a drop has no late order"
        assert any(order.ordered_at is None for order in drop), "a drop has no order without a time"
    assert {order.day for order in world.drops[FIRST_DROP]} - {order.day for order in world.corrected}


# -- laying it out ----------------------------------------------------------------------------------------------------

TABLE = """CREATE TABLE {name} (
    order_id STRING NOT NULL, ordered_at TIMESTAMP, country STRING, status STRING, amount NUMERIC, note STRING,
    {drop} DATE
) PARTITION BY {drop};"""


def furnish(world: World, lab: Lab, copies: int = 1) -> None:
    """The shop's table, and both drops in the landing zone."""
    bigquery = lab.use(BigQuery)
    tables = TABLE.format(name="shop.orders", drop="loaded_on") + TABLE.format(name="landing.orders", drop="drop_date")
    bigquery.run(f"CREATE SCHEMA shop; CREATE SCHEMA landing; {tables}")
    append(lab, "shop.orders", "loaded_on", world.history)
    if copies > 1:
        others = ", ".join(COLUMNS[1:])
        bigquery.execute(
            f"INSERT INTO shop.orders SELECT order_id || '-' || copy, {others}, loaded_on"
            f" FROM shop.orders, range(1, {copies}) copies(copy)"
        )
    for drop in world.drops.values():
        append(lab, "landing.orders", "drop_date", drop)


def land(lab: Lab, drop: Iterable[Order]) -> None:
    """The first drop is, from now on, this one."""
    lab.use(BigQuery).execute(f"DELETE FROM landing.orders WHERE drop_date = DATE '{FIRST_DROP}'")
    append(lab, "landing.orders", "drop_date", drop)


def append(lab: Lab, table: str, drop: str, orders: Iterable[Order]) -> None:
    rows = [[*(getattr(order, column) for column in COLUMNS), order.drop] for order in orders]
    lab.use(BigQuery).append(table, [*COLUMNS, drop], rows)


# canary: 0e5f9775-ac7b-4fb3-bc44-96b7ef5cec6d
