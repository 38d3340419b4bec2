"""A year and more of sales, and what each mart comes to, by plain Python from the rows."""

from __future__ import annotations

import datetime
import decimal
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from harness.engines.duckdb import DuckDB
from harness.lab import Lab

BEGIN = datetime.datetime(2025, 1, 1)
DAYS = 420
DAY, PAST_DAY = datetime.date(2026, 2, 3), datetime.date(2025, 9, 30)
WINDOW = 28
STATUSES = ("placed", "paid", "shipped", "returned", "cancelled")
COLUMNS = {
    "sale_id": "BIGINT",
    "store_id": "INTEGER",
    "customer_id": "INTEGER",
    "sold_at": "TIMESTAMP",
    "amount": "DECIMAL(12, 2)",
    "status": "VARCHAR",
}
# Rows made of each in the full table, which differ in their id alone; two million in all.
COPIES = 400

Expected = list[dict[str, object]]


@dataclass(frozen=True)
class Sale:
    sale_id: int
    store_id: int
    customer_id: int | None
    sold_at: datetime.datetime
    amount: decimal.Decimal | None
    status: str

    @property
    def day(self) -> datetime.date:
        return self.sold_at.date()

    @property
    def revenue(self) -> decimal.Decimal:
        return decimal.Decimal(0) if self.status == "cancelled" or self.amount is None else self.amount


@dataclass(frozen=True)
class World:
    """``late``: sales of past days that come when the marts have been there for long."""

    sales: tuple[Sale, ...]
    late: tuple[Sale, ...]

    def expected(self, mart: str, day: datetime.date = DAY, *, late: bool = False, copies: int = 1) -> Expected:
        """A mart's rows, as of ``day``, with every sale there ``copies`` times."""
        sales = self.sales + self.late if late else self.sales
        match mart:
            case "sales_28d":
                found = by_day([sale for sale in sales if 0 <= (day - sale.day).days < WINDOW], copies)
            case "customers":
                found = by_customer(sales, copies)
            case "store_running":
                found = running(sales, copies)
            case _:
                found = by_month(sales, copies)
        assert found, f"nothing is expected of {mart}"
        return found


def by_day(sales: Iterable[Sale], copies: int) -> Expected:
    groups: defaultdict[tuple[int, datetime.date], list[Sale]] = defaultdict(list)
    for sale in sales:
        groups[sale.store_id, sale.day].append(sale)
    return [
        {"store_id": store, "day": day, "sales": len(group) * copies, "revenue": revenue(group) * copies}
        for (store, day), group in groups.items()
    ]


def by_customer(sales: Iterable[Sale], copies: int) -> Expected:
    groups: defaultdict[int | None, list[Sale]] = defaultdict(list)
    for sale in sales:
        groups[sale.customer_id].append(sale)
    return [
        {
            "customer_id": customer,
            "first_sale": min(sale.sold_at for sale in group),
            "sales": len(group) * copies,
            "revenue": revenue(group) * copies,
            "last_status": max(group, key=lambda sale: (sale.sold_at, sale.sale_id)).status,
        }
        for customer, group in groups.items()
    ]


def running(sales: Iterable[Sale], copies: int) -> Expected:
    total: defaultdict[object, decimal.Decimal] = defaultdict(decimal.Decimal)
    found: Expected = []
    for row in sorted(by_day(sales, copies), key=lambda row: str(row["day"])):
        of_day = row["revenue"]
        assert isinstance(of_day, decimal.Decimal)
        total[row["store_id"]] += of_day
        kept = {name: row[name] for name in ("store_id", "day", "revenue")}
        found.append({**kept, "running_revenue": total[row["store_id"]]})
    return found


def by_month(sales: Iterable[Sale], copies: int) -> Expected:
    counts = Counter((sale.day.replace(day=1), sale.status) for sale in sales)
    months: Counter[datetime.date] = Counter()
    for (month, _), number in counts.items():
        months[month] += number
    return [
        {"month": month, "status": status, "sales": number * copies, "share": number / months[month]}
        for (month, status), number in counts.items()
    ]


def revenue(sales: Iterable[Sale]) -> decimal.Decimal:
    return sum((sale.revenue for sale in sales), decimal.Decimal(0))


# -- making it --------------------------------------------------------------------------------------------------------


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    customers = draw.sample(range(10_000, 99_999), max(20, round(300 * scale)))
    numbers = iter(draw.sample(range(100_000, 999_999), round(14 * DAYS * max(scale, 0.1)) + 200))

    def sale(sold_at: datetime.datetime, **fixed: object) -> Sale:
        cents = draw.randrange(100, 30_000)
        made: dict[str, object] = {
            "sale_id": next(numbers),
            "store_id": draw.randrange(1, 8),
            "customer_id": draw.choice(customers) if draw.random() < 0.85 else None,
            "sold_at": sold_at,
            "amount": decimal.Decimal(cents) / 100 if draw.random() < 0.93 else None,
            "status": draw.choices(STATUSES, (2, 6, 4, 1, 2))[0],
        }
        return Sale(**{**made, **fixed})  # type: ignore[arg-type]

    def some_time(day: int) -> datetime.datetime:
        return BEGIN + datetime.timedelta(days=day, seconds=draw.randrange(6 * 3600, 23 * 3600))

    sales = [sale(some_time(day)) for day in range(DAYS) for _ in range(round(12 * max(scale, 0.1)))]
    for day in (DAY, PAST_DAY):
        first = datetime.datetime.combine(day - datetime.timedelta(days=WINDOW - 1), datetime.time())
        behind = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time())
        moment = datetime.timedelta(milliseconds=1)
        sales += [sale(edge, status="paid") for edge in (first - moment, first, behind - moment, behind)]
    # Two last sales at the same moment, in either order of their ids.
    last = BEGIN + datetime.timedelta(days=DAYS, hours=12)
    for customer in customers[:16]:
        sales += [
            sale(last, customer_id=customer, status=status)
            for status in draw.sample(("paid", "returned", "shipped"), 2)
        ]
    late = [sale(some_time(draw.randrange(5, DAYS - 20))) for _ in range(60)]
    late += [sale(some_time((DAY - BEGIN.date()).days - back)) for back in range(5, 15)]
    world = World(tuple(sorted(sales, key=lambda made: made.sold_at)), tuple(late))
    guard(world)
    return world


def guard(world: World) -> None:
    """Every case the marts have to get right is there."""
    window = [sale for sale in world.sales if 0 <= (DAY - sale.day).days < WINDOW]
    assert any(sale.amount is None for sale in window) and any(sale.status == "cancelled" for sale in window)
    assert any(sale.customer_id is None for sale in world.sales)
    assert any(sale.day > DAY for sale in world.sales)
    assert any(not row["revenue"] for row in world.expected("store_running")), "no day without revenue"
    for mart in ("sales_28d", "customers", "store_running", "status_by_month"):
        assert world.expected(mart) != world.expected(mart, late=True), mart


# -- laying it out ----------------------------------------------------------------------------------------------------


def furnish(world: World, lab: Lab) -> None:
    """The whole table, in the order in which it was written."""
    stock(world.sales, lab, COPIES)


def stock(sales: Iterable[Sale], lab: Lab, copies: int = 1) -> None:
    """``sales`` with these rows in this order, each ``copies`` times; whatever was there is gone."""
    declared = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    rows = ", ".join(f"({place}, {literal(sale)})" for place, sale in enumerate(sales))
    lab.use(DuckDB).execute(
        f"CREATE OR REPLACE TABLE sales ({declared})",
        f"INSERT INTO sales SELECT sale_id::BIGINT * {copies} + copy, * EXCLUDE (place, sale_id, copy)"
        f" FROM (VALUES {rows}) base(place, {', '.join(COLUMNS)}), range({copies}) copies(copy) ORDER BY place, copy",
    )


def rebuild(lab: Lab) -> None:
    """The same rows in a table with a new column, its columns and rows in another order."""
    lab.use(DuckDB).execute(
        f"CREATE OR REPLACE TABLE sales AS SELECT 'web' AS channel, {', '.join(reversed(COLUMNS))} FROM sales"
        " ORDER BY hash(sale_id)"
    )


def literal(sale: Sale) -> str:
    values = (sale.sale_id, sale.store_id, sale.customer_id, sale.sold_at, sale.amount, sale.status)
    return ", ".join("NULL" if value is None else repr(str(value)) for value in values)


# canary: 5d0c8a0e-0f5e-4b6f-9a55-6f6c1f0a7b1d
