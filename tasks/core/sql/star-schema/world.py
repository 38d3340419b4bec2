"""Two nights of a shop's own tables; each group of orders shows one thing that a star can get wrong."""

from __future__ import annotations

import datetime
import decimal
import random
import zoneinfo
from collections import defaultdict
from dataclasses import dataclass, fields
from typing import Any

from harness.engines.postgres import Postgres
from harness.lab import Lab

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
UNKNOWN = "unknown"
SEGMENTS = ("free", "basic", "premium", "business")
CATEGORIES = ("garden", "kitchen", "books", "toys", "office")
STATUSES = ("placed", "paid", "shipped", "cancelled")
NAMES = ("Ada Okafor", "Björn Lindqvist", "Chloé Moreau", "D'Arcy O'Neill", "Jun Sato", "Zofia Kowalska")
THINGS = ("Lamp", "Kettle", "Chair", "Atlas", "Spade", "Puzzle")

# As the shop writes them.
COLUMNS = {
    "users": "user_id text PRIMARY KEY, name text, email text",
    "user_segments": "user_id text, segment text, since date",
    "products": "product_id text PRIMARY KEY, name text, price numeric",
    "product_categories": "product_id text, category text, is_main boolean",
    "orders": "order_id text PRIMARY KEY, user_id text, ordered_at timestamptz, status text",
    "order_lines": "order_id text, line_no integer, product_id text, quantity integer, unit_price numeric,"
    " discount numeric, PRIMARY KEY (order_id, line_no)",
}
FACT = {
    "order_id": "text",
    "line_no": "integer",
    "user_id": "text",
    "product_id": "text",
    "date": "date",
    "status": "text",
    "quantity": "integer",
    "amount": "decimal(2)",
}
USER = {"user_id": "text", "name": "text", "email": "text", "segment": "text"}
PRODUCT = {"product_id": "text", "name": "text", "category": "text", "price": "decimal(2)"}
DAY = {"date_key": "integer", "date": "date", "year": "integer", "quarter": "integer", "month": "integer"}

Rows = tuple[tuple[Any, ...], ...]
Dimension = list[dict[str, object]]


@dataclass(frozen=True)
class Shop:
    """The shop's tables on one night, the columns as ``COLUMNS`` has them."""

    users: Rows
    user_segments: Rows
    products: Rows
    product_categories: Rows
    orders: Rows
    order_lines: Rows

    # -- the truth, from these rows --------------------------------------------------------------------------------

    def facts(self) -> list[dict[str, object]]:
        """Every line that is one, with the members and the day that it has."""
        headers = {order: (user or UNKNOWN, moment, status) for order, user, moment, status in self.orders}
        found = []
        for order, line, product, quantity, price, discount in self.order_lines:
            if is_rejected(quantity, price):
                continue
            user, moment, status = headers.get(order, (UNKNOWN, None, None))
            day = moment and moment.astimezone(BERLIN).date()
            amount = quantity * price - (discount or 0)
            found.append(dict(zip(FACT, (order, line, user, product, day, status, quantity, amount), strict=True)))
        return found

    def rejected(self) -> list[dict[str, object]]:
        return [
            {"order_id": order, "line_no": line}
            for order, line, _, quantity, price, _ in self.order_lines
            if is_rejected(quantity, price)
        ]

    def dim_users(self) -> Dimension:
        """All members but the unknown one."""
        latest = {user: segment for user, segment, _ in sorted(self.user_segments, key=lambda row: row[2])}
        known = {user: (name, email, latest.get(user)) for user, name, email in self.users}
        named = {str(fact["user_id"]) for fact in self.facts()} - {UNKNOWN}
        return [
            dict(zip(USER, (user, *known.get(user, (None, None, None))), strict=True))
            for user in sorted({*known, *named})
        ]

    def dim_products(self) -> Dimension:
        main = {product: category for product, category, is_main in self.product_categories if is_main}
        known = {product: (name, main.get(product), price) for product, name, price in self.products}
        named = {str(fact["product_id"]) for fact in self.facts()}
        return [
            dict(zip(PRODUCT, (product, *known.get(product, (None, None, None))), strict=True))
            for product in sorted({*known, *named})
        ]

    def dim_date(self) -> Dimension:
        years = {moment.astimezone(BERLIN).year for _, _, moment, _ in self.orders if moment}
        found: Dimension = []
        for year in sorted(years):
            day = datetime.date(year, 1, 1)
            while day.year == year:
                made = (int(f"{day:%Y%m%d}"), day, year, (day.month + 2) // 3, day.month)
                found.append(dict(zip(DAY, made, strict=True)))
                day += datetime.timedelta(days=1)
        return found


def is_rejected(quantity: int | None, price: decimal.Decimal | None) -> bool:
    return quantity is None or quantity <= 0 or price is None


@dataclass(frozen=True)
class World:
    """The tables on two nights, and which orders, users and products show what."""

    first: Shop
    second: Shop
    orders: dict[str, frozenset[str]]
    users: dict[str, frozenset[str]]
    products: dict[str, frozenset[str]]


class Maker:
    """Writes the tables of both nights side by side: what is said once stands in both."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.nights: tuple[defaultdict[str, list[tuple[Any, ...]]], ...] = (defaultdict(list), defaultdict(list))
        self.groups: dict[str, defaultdict[str, set[str]]] = {
            kind: defaultdict(set) for kind in ("orders", "users", "products")
        }
        self.used: set[str] = set()

    def put(self, table: str, *row: Any, nights: tuple[int, ...] = (1, 2)) -> None:
        for night in nights:
            self.nights[night - 1][table].append(row)

    def name(self, letter: str, kind: str, group: str) -> str:
        while (made := f"{letter}{self.draw.randrange(10_000, 99_999)}") in self.used:
            pass
        self.used.add(made)
        self.groups[kind][group].add(made)
        return made

    def price(self) -> decimal.Decimal:
        return decimal.Decimal(self.draw.randrange(199, 19_999)) / 100

    def moment(self, day: int) -> datetime.datetime:
        """Well within a day of spring, in Berlin as in UTC."""
        start = datetime.datetime(2026, 2, 1, 8, tzinfo=datetime.UTC)
        return start + datetime.timedelta(days=day, seconds=self.draw.randrange(30_000))

    def user(self, group: str, nights: tuple[int, ...] = (1, 2)) -> str:
        user = self.name("U", "users", group)
        self.put("users", user, self.draw.choice(NAMES), f"{user.lower()}@shop.example", nights=nights)
        self.put("user_segments", user, self.draw.choice(SEGMENTS), datetime.date(2025, 5, 1), nights=nights)
        return user

    def product(self, group: str, nights: tuple[int, ...] = (1, 2)) -> str:
        product = self.name("P", "products", group)
        self.put("products", product, f"{self.draw.choice(THINGS)} {product}", self.price(), nights=nights)
        self.put("product_categories", product, self.draw.choice(CATEGORIES), True, nights=nights)
        return product

    def header(
        self, order: str, user: str | None, moment: datetime.datetime | None, nights: tuple[int, ...] = (1, 2)
    ) -> None:
        self.put("orders", order, user, moment, self.draw.choice(STATUSES), nights=nights)

    def line(self, order: str, number: int, product: str, nights: tuple[int, ...] = (1, 2), **said: Any) -> None:
        """A line of a known price, with a discount; ``said`` changes ``quantity``, ``unit_price`` or ``discount``."""
        price = self.price()
        values = {"quantity": self.draw.randrange(1, 9), "unit_price": price, "discount": price / 2} | said
        discount = values["discount"] and round(values["discount"], 2)
        self.put(
            "order_lines", order, number, product, values["quantity"], values["unit_price"], discount, nights=nights
        )

    def order(
        self, group: str, user: str | None, product: str, nights: tuple[int, ...] = (1, 2), lines: int = 2
    ) -> str:
        order = self.name("O", "orders", group)
        self.header(order, user, self.moment(self.draw.randrange(60)), nights)
        for number in range(1, lines + 1):
            self.line(order, number, product, nights)
        return order

    def world(self) -> World:
        for night in self.nights:
            for rows in night.values():
                self.draw.shuffle(rows)
        first, second = (
            Shop(**{field.name: tuple(night[field.name]) for field in fields(Shop)}) for night in self.nights
        )
        kinds = {
            kind: {group: frozenset(names) for group, names in groups.items()} for kind, groups in self.groups.items()
        }
        return World(first, second, kinds["orders"], kinds["users"], kinds["products"])


def build(seed: int, scale: float = 1.0) -> World:
    maker = Maker(random.Random(seed))  # noqa: S311
    for number in range(max(6, round(6 * scale))):
        build_plain(maker)
        build_attributes(maker, number)
        build_unknown(maker, number)
        build_changing(maker, number)
    world = maker.world()
    guard(world)
    return world


def build_plain(maker: Maker) -> None:
    user, product = maker.user("plain"), maker.product("plain")
    maker.order("plain", user, product, lines=3)
    maker.order("new", user, product, nights=(2,))
    # Never ordered anything, was never ordered.
    maker.user("idle")
    maker.product("idle")
    order = maker.name("O", "orders", "no discount")
    maker.header(order, user, maker.moment(3))
    maker.line(order, 1, product, discount=None)


def build_attributes(maker: Maker, number: int) -> None:
    draw = maker.draw
    user = maker.name("U", "users", "segments")
    maker.put("users", user, draw.choice(NAMES), f"{user.lower()}@shop.example")
    # The latest one is not the last in the alphabet, nor the last that is written.
    for since, segment in zip((2021, 2022, 2024), draw.sample(SEGMENTS, 3), strict=True):
        maker.put("user_segments", user, segment, datetime.date(since, draw.randrange(1, 13), 1))
    maker.order("segments", user, maker.product("plain"))

    product = maker.name("P", "products", "categories")
    maker.put("products", product, f"{draw.choice(THINGS)} {product}", maker.price())
    for position, category in enumerate(draw.sample(CATEGORIES, 3)):
        maker.put("product_categories", product, category, number % 3 > 0 and position == number % 3)
    maker.order("categories", maker.user("plain"), product)

    # By the clock of Berlin it is another day, another month, another year: by two hours in summer, by one in winter.
    for day, hour in (
        (datetime.date(2026, 3, 31), 22),
        (datetime.date(2026, 2, 11), 23),
        (datetime.date(2024, 12, 31), 23),
        (datetime.date(2026, 2, 12), 22),
    )[number % 2 :: 2]:
        order = maker.name("O", "orders", "midnight")
        moment = datetime.datetime(day.year, day.month, day.day, hour, 15 + draw.randrange(40), tzinfo=datetime.UTC)
        maker.header(order, maker.user("plain"), moment)
        maker.line(order, 1, maker.product("plain"))


def build_unknown(maker: Maker, number: int) -> None:
    maker.order("guest", None if number % 2 else "", maker.product("plain"))
    order = maker.name("O", "orders", "undated")
    maker.header(order, maker.user("plain"), None)
    maker.line(order, 1, maker.product("plain"))

    # Lines whose order comes with the next night.
    order = maker.name("O", "orders", "headless")
    maker.line(order, 1, maker.product("plain"))
    maker.line(order, 2, maker.product("plain"))
    maker.header(order, maker.user("plain"), maker.moment(50), nights=(2,))

    # Named the first night, known the second; two orders each.
    user = maker.user("early", nights=(2,))
    product = maker.product("early", nights=(2,))
    for _ in range(2):
        maker.order("early", user, maker.product("plain"))
        maker.order("early", maker.user("plain"), product)

    order = maker.name("O", "orders", "rejected")
    maker.header(order, maker.user("plain"), maker.moment(20))
    product = maker.product("plain")
    maker.line(order, 1, product)
    for line, said in enumerate(({"quantity": None}, {"quantity": 0}, {"quantity": -2}, {"unit_price": None}), 2):
        maker.line(order, line, product, **said)
    # Wrong the first night, mended the second; and the other way round.
    maker.line(order, 6, product, nights=(1,), quantity=None)
    maker.line(order, 6, product, nights=(2,))
    maker.line(order, 7, product, nights=(1,))
    maker.line(order, 7, product, nights=(2,), quantity=0)


def build_changing(maker: Maker, number: int) -> None:
    draw = maker.draw
    user, product = maker.name("U", "users", "changed"), maker.name("P", "products", "changed")
    segments, categories = draw.sample(SEGMENTS, 2), draw.sample(CATEGORIES, 2)
    for night in (1, 2):
        maker.put(
            "users", user, f"{draw.choice(NAMES)} {night}", f"{night}.{user.lower()}@shop.example", nights=(night,)
        )
        maker.put("products", product, f"{draw.choice(THINGS)} {night}", maker.price(), nights=(night,))
        for position, category in enumerate(categories, 1):
            maker.put("product_categories", product, category, position == night, nights=(night,))
    maker.put("user_segments", user, segments[0], datetime.date(2025, 5, 1))
    maker.put("user_segments", user, segments[1], datetime.date(2026, 4, 2), nights=(2,))
    # Its second line is corrected, a third is added; a test order is deleted.
    order = maker.order("corrected", user, product, lines=1)
    maker.line(order, 2, product, nights=(1,))
    maker.line(order, 2, product, nights=(2,))
    maker.line(order, 3, product, nights=(2,))
    maker.order("deleted", user, product, nights=(1,))
    # Of other orders only the header is corrected: the time, in a year that had no order before; the user; the status.
    order = maker.name("O", "orders", "corrected")
    moment = maker.moment(10)
    late = datetime.datetime(2024, draw.randrange(1, 12), 29, 12, tzinfo=datetime.UTC)
    before, now = (
        ((user, None, "paid"), (user, late, "paid")),
        ((None, moment, "paid"), (user, moment, "paid")),
        ((user, moment, "paid"), (user, moment, "shipped")),
    )[number % 3]
    maker.put("orders", order, *before, nights=(1,))
    maker.put("orders", order, *now, nights=(2,))
    maker.line(order, 1, product)


def guard(world: World) -> None:
    """Every group shows what it is there for."""
    first, second = world.first, world.second
    by_order = defaultdict(list)
    for fact in first.facts():
        by_order[fact["order_id"]].append(fact)
    assert all(fact["user_id"] == UNKNOWN for order in world.orders["guest"] for fact in by_order[order])
    assert all(fact["date"] is None for order in world.orders["headless"] for fact in by_order[order])
    headers = {row[0]: row for row in first.orders}
    for hours in (0, 1, 2):  # no fixed difference is right for all of them
        fixed = [(headers[order][2] + datetime.timedelta(hours=hours)).date() for order in world.orders["midnight"]]
        assert fixed != [by_order[order][0]["date"] for order in world.orders["midnight"]]
    assert {day["year"] for day in first.dim_date()} == {2025, 2026}, "years by the clock of Berlin"
    assert {day["year"] for day in second.dim_date()} == {2024, 2025, 2026}
    assert len(first.rejected()) == len(second.rejected()) == 5 * len(world.orders["rejected"])
    early = world.users["early"]
    assert early and not early & {row[0] for row in first.users} and early <= {row[0] for row in second.users}
    assert not world.orders["deleted"] & {row[0] for row in second.orders}


# -- laying it out ----------------------------------------------------------------------------------------------


def furnish(world: World, lab: Lab) -> None:
    create_source(lab)
    deliver(world.first, lab)


def create_source(lab: Lab) -> None:
    tables = [f"CREATE TABLE app.{table} ({columns})" for table, columns in COLUMNS.items()]
    lab.use(Postgres).execute(
        "CREATE SCHEMA app",
        *tables,
        "GRANT USAGE ON SCHEMA app TO loader",
        "GRANT SELECT ON ALL TABLES IN SCHEMA app TO loader",
    )


def deliver(shop: Shop, lab: Lab) -> None:
    """The nightly copy: every table anew."""
    lab.use(Postgres).execute(f"TRUNCATE {', '.join(f'app.{table}' for table in COLUMNS)}")
    for table, columns in COLUMNS.items():
        names = [part.split()[0] for part in columns.split(", PRIMARY")[0].split(",")]
        lab.use(Postgres).copy(f"app.{table}", names, getattr(shop, table))


# canary: 98027ed2-f688-4794-ad95-70d2b9c36159
