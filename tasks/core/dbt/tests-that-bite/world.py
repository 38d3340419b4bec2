"""A shop's export, and versions of the models: some right, some wrong in one way each."""

from __future__ import annotations

import datetime
import random
from dataclasses import dataclass
from typing import Any

from harness.engines.duckdb import DuckDB
from harness.lab import Lab

FACT, CUSTOMERS, DAILY = (f"models/marts/{name}.sql" for name in ("fct_orders", "dim_customers", "daily_revenue"))
STAGED = "models/staging/stg_orders.sql"
ORDERS = (
    "order_id VARCHAR, version INTEGER, customer_id VARCHAR, code VARCHAR, amount_cents BIGINT, ordered_at TIMESTAMP"
)
MEMBERS = "customer_id VARCHAR, email VARCHAR, country VARCHAR"

Rows = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Version:
    """A change of one model: in ``file``, ``find`` (it stands there once) becomes ``replace``."""

    file: str
    find: str
    replace: str


# By what is wrong with them.
DOUBLED = {
    "all versions of an order are kept": Version(
        STAGED, "\nqualify row_number() over (partition by order_id order by version desc) = 1", ""
    ),
    "a join multiplies": Version(
        FACT, "c.customer_id = o.customer_id\n", "c.customer_id = o.customer_id or c.email is null\n"
    ),
    "customers are there twice": Version(
        CUSTOMERS, "from {{ ref('stg_customers') }}", "from {{ ref('stg_customers') }} cross join range(2)"
    ),
}
LOST = {
    "guests' orders are lost": Version(FACT, "left join", "join"),
    "cancelled orders are lost": Version(
        FACT, "c.customer_id = o.customer_id\n", "c.customer_id = o.customer_id\nwhere o.status <> 'cancelled'\n"
    ),
    "customers without an address are lost": Version(
        CUSTOMERS, "from {{ ref('stg_customers') }}", "from {{ ref('stg_customers') }}\nwhere email is not null"
    ),
}
EMPTY = {
    "the fact is empty": Version(
        FACT,
        "c.customer_id = o.customer_id\n",
        "c.customer_id = o.customer_id\nwhere o.ordered_at > timestamp '2100-01-01'\n",
    ),
}
WRONG = {
    "amounts are cents": Version(STAGED, "amount_cents / 100", "amount_cents"),
    "refunds are positive": Version(
        FACT, "case when o.status = 'refunded' then -o.amount else o.amount end", "o.amount"
    ),
    "an order's first version is kept": Version(STAGED, "order by version desc", "order by version"),
    "customers without an address count as guests": Version(
        FACT, "coalesce(o.customer_id, 'guest')", "if(c.email is null, 'guest', o.customer_id)"
    ),
    "what was shipped counts as cancelled, and the other way round": Version(
        STAGED,
        "when 'S' then 'shipped'\n        when 'C' then 'cancelled'",
        "when 'C' then 'shipped'\n        when 'S' then 'cancelled'",
    ),
    "a code isn't translated": Version(STAGED, "        when 'S' then 'shipped'\n", ""),
}
SUMS = {
    "revenue counts what was cancelled": Version(DAILY, "where status <> 'cancelled'\n", ""),
    "days without revenue are lost": Version(
        DAILY, "group by order_date", "group by order_date\nhaving sum(amount) <> 0"
    ),
    "customers are counted, not orders": Version(DAILY, "count(*)", "count(distinct customer_id)"),
}
PROMISED = {
    "a column is renamed": Version(DAILY, "as revenue", "as turnover"),
    "a column has another type": Version(FACT, "as decimal(12, 2)", "as double"),
    "a column is gone": Version(
        CUSTOMERS,
        "select customer_id, email, country\nfrom {{ ref('stg_customers') }}\nunion all\nselect 'guest', null, null",
        "select customer_id, email\nfrom {{ ref('stg_customers') }}\nunion all\nselect 'guest', null",
    ),
}
# Promises first: what stands after a build that broke one is compared with what the right models gave.
BROKEN = PROMISED | DOUBLED | LOST | EMPTY | WRONG | SUMS

# As right as before, with no line as it was.
REWRITTEN = {
    FACT: """\
with members as (select * from {{ ref('stg_customers') }})
select s.order_id,
       case when s.customer_id is null then 'guest' else s.customer_id end as customer_id,
       (select max(country) from members m where m.customer_id = s.customer_id) as country,
       s.status,
       (s.amount * if(s.status = 'refunded', -1, 1))::decimal(12, 2) as amount,
       s.ordered_at::date as order_date
from {{ ref('stg_orders') }} s
""",
    DAILY: """\
with f as (select * from {{ ref('fct_orders') }} where status in ('placed', 'shipped', 'refunded'))
select distinct order_date,
       count(*) over d as orders,
       (sum(amount) over d)::decimal(18, 2) as revenue
from f window d as (partition by order_date)
""",
}


@dataclass(frozen=True)
class World:
    """The export of a night, and what the next night adds."""

    orders: Rows
    customers: Rows
    later: Rows
    later_customers: Rows


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    customers = []
    for number in draw.sample(range(1000, 9999), 12):
        email = draw.choice((f"C{number}@Shop.example ", f"c{number}@shop.example"))
        customers.append((f"C{number}", None if len(customers) % 4 == 0 else email, draw.choice(("DE", "CH", None))))
    orders: list[tuple[Any, ...]] = []
    later: list[tuple[Any, ...]] = []
    for number in range(max(48, round(48 * scale))):
        order = f"{draw.choice('ABN')}-{100_000 + number * 7 + draw.randrange(7)}"
        # Everybody orders, guests in both spellings too.
        customer = (*(one[0] for one in customers), None, "")[number % (len(customers) + 2)]
        moment = datetime.datetime(2026, 3, 1) + datetime.timedelta(days=number % 9, seconds=draw.randrange(86_000))
        cents = draw.choice((0, draw.randrange(99, 50_000), draw.randrange(99, 50_000)))
        codes = {0: "PC", 1: "PSR", 2: "P", 3: "PS"}[number % 4]
        rows = [(order, version, customer, code, cents + 10 * version, moment) for version, code in enumerate(codes, 1)]
        (later if number % 8 == 5 else orders).extend(rows)
    # A day of one customer's orders for nothing, and a day on which all was cancelled.
    orders.append(("N-0", 1, customers[0][0], "P", 0, datetime.datetime(2026, 3, 20, 8)))
    orders.append(("N-1", 1, customers[0][0], "P", 0, datetime.datetime(2026, 3, 20, 9)))
    orders.append(("N-2", 1, customers[1][0], "C", 4_200, datetime.datetime(2026, 3, 21, 9)))
    draw.shuffle(orders)
    # All of it allowed: a refund of nothing, a day with refunds alone, an order's next version, an address shared.
    number, email, _ = customers[1]
    later.append(("N-1", 2, customers[0][0], "R", 0, datetime.datetime(2026, 3, 20, 9)))
    later.append(("N-3", 1, f"{number}9", "R", 5_000, datetime.datetime(2026, 3, 22, 9)))
    world = World(tuple(orders), tuple(customers), tuple(later), ((f"{number}9", email, None),))
    guard(world)
    return world


def guard(world: World) -> None:
    """Each broken version has rows that it gets wrong."""
    latest = {row[0]: row for row in sorted(world.orders, key=lambda row: row[1])}
    assert len(latest) < len(world.orders)
    assert {row[3] for row in latest.values()} == set("PSCR")
    assert any(not row[2] for row in latest.values())
    addressless = {customer for customer, email, _ in world.customers if email is None}
    assert addressless & {row[2] for row in latest.values()}
    assert any(row[3] == "R" and row[4] for row in latest.values())
    assert world.later
    # By order_date: what came in, and how many orders of how many customers.
    days: dict[object, list[Any]] = {}
    for row in latest.values():
        days.setdefault(row[5].date(), []).append(row)
    lasting = [[row for row in rows if row[3] != "C"] for rows in days.values()]
    assert any(rows and not sum(row[4] for row in rows) for rows in lasting)
    assert any(len({row[2] or None for row in rows}) < len(rows) for rows in lasting)


# -- laying it out ----------------------------------------------------------------------------------------------


def furnish(world: World, lab: Lab) -> None:
    source = lab.use(DuckDB)
    source.execute(
        "CREATE SCHEMA shop", f"CREATE TABLE shop.orders ({ORDERS})", f"CREATE TABLE shop.customers ({MEMBERS})"
    )
    source.append("shop.orders", names(ORDERS), world.orders)
    source.append("shop.customers", names(MEMBERS), world.customers)


def next_night(world: World, lab: Lab) -> None:
    """More orders, a customer more, and a column that nobody announced."""
    lab.use(DuckDB).append("shop.orders", names(ORDERS), world.later)
    lab.use(DuckDB).append("shop.customers", names(MEMBERS), world.later_customers)
    lab.use(DuckDB).execute("ALTER TABLE shop.orders ADD COLUMN channel VARCHAR DEFAULT 'web'")


def names(columns: str) -> list[str]:
    return [column.split()[0] for column in columns.split(", ")]


# canary: 268757c1-3351-4d53-93f7-d01261c86c4d
