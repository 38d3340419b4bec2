"""A project of SQL models beside what each column stands on, written down by hand; names differ from world to world."""

from __future__ import annotations

import csv
import io
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from harness.lab import Lab

Line = tuple[str, ...]

SOURCES = {
    "raw_orders": "order_id customer_id ordered_at status amount_cents currency shop_id updated_at",
    "raw_customers": "customer_id email full_name country created_at",
    "raw_rates": "currency day rate",
    "raw_refunds": "refund_id order_id cents reason refunded_at",
    "raw_shops": "shop_id shop_name region",
    "legacy_orders": "order_no buyer_no placed state total",
}

# name: (SQL, {column: what it stands on}); "=" where it is nothing but that column.
MODELS: dict[str, tuple[str, dict[str, str]]] = {
    "stg_orders": (
        """-- SELECT refund_id AS order_id FROM raw_refunds
SELECT
    o.order_id,
    O.Customer_Id,
    CAST(o.ordered_at AS DATE) AS order_day,
    ordered_at,
    lower(trim(o.status)) AS status,
    amount_cents / 100.0 AS amount, /* once: currency || amount_cents */
    currency,
    shop_id
FROM raw_orders AS o
WHERE o.updated_at IS NOT NULL
""",
        {
            "order_id": "=raw_orders.order_id",
            "customer_id": "=raw_orders.customer_id",
            "order_day": "raw_orders.ordered_at",
            "ordered_at": "=raw_orders.ordered_at",
            "status": "raw_orders.status",
            "amount": "raw_orders.amount_cents",
            "currency": "=raw_orders.currency",
            "shop_id": "=raw_orders.shop_id",
        },
    ),
    "stg_customers": (
        "SELECT * EXCLUDE (email), lower(email) AS email_address FROM raw_customers\n",
        {
            "customer_id": "=raw_customers.customer_id",
            "full_name": "=raw_customers.full_name",
            "country": "=raw_customers.country",
            "created_at": "=raw_customers.created_at",
            "email_address": "raw_customers.email",
        },
    ),
    "stg_legacy": (
        "SELECT order_no, buyer_no AS buyer, placed, state, total FROM legacy_orders WHERE total IS NOT NULL\n",
        {
            "order_no": "=legacy_orders.order_no",
            "buyer": "=legacy_orders.buyer_no",
            "placed": "=legacy_orders.placed",
            "state": "=legacy_orders.state",
            "total": "=legacy_orders.total",
        },
    ),
    "int_all_orders": (
        """SELECT order_id, customer_id, ordered_at, status, amount FROM stg_orders
UNION ALL
SELECT 'L' || order_no, buyer, placed, state, total / 100.0 FROM stg_legacy
""",
        {
            "order_id": "stg_orders.order_id stg_legacy.order_no",
            "customer_id": "stg_orders.customer_id stg_legacy.buyer",
            "ordered_at": "stg_orders.ordered_at stg_legacy.placed",
            "status": "stg_orders.status stg_legacy.state",
            "amount": "stg_orders.amount stg_legacy.total",
        },
    ),
    "int_rates": (
        """WITH raw_orders AS (
    SELECT order_id, order_day, currency, amount FROM stg_orders
),
unused AS (
    SELECT customer_id AS order_id, full_name AS currency FROM raw_customers
),
rates AS (
    SELECT currency, day, rate, lag(day) OVER (PARTITION BY currency ORDER BY day) AS since FROM raw_rates
)
SELECT raw_orders.order_id, order_day, rate, raw_orders.amount * rates.rate AS amount_eur, since
FROM raw_orders
LEFT JOIN rates ON raw_orders.currency = rates.currency AND order_day = rates.day
""",
        {
            "order_id": "=stg_orders.order_id",
            "order_day": "=stg_orders.order_day",
            "rate": "=raw_rates.rate",
            "amount_eur": "stg_orders.amount raw_rates.rate",
            "since": "raw_rates.day raw_rates.currency",
        },
    ),
    "fct_orders": (
        """SELECT
    a.order_id,
    a.customer_id,
    CASE WHEN a.status = 'returned' THEN 0 ELSE coalesce(r.amount_eur, a.amount) END AS revenue,
    row_number() OVER (PARTITION BY a.customer_id ORDER BY a.ordered_at DESC) AS recency,
    count(*) OVER () AS orders,
    'EUR' AS currency
FROM int_all_orders a
LEFT JOIN int_rates r USING (order_id)
""",
        {
            "order_id": "=int_all_orders.order_id",
            "customer_id": "=int_all_orders.customer_id",
            "revenue": "int_all_orders.status int_all_orders.amount int_rates.amount_eur",
            "recency": "int_all_orders.customer_id int_all_orders.ordered_at",
            "orders": "",
            "currency": "",
        },
    ),
    "refunds_by_order": (
        """SELECT
    order_id,
    count(*) AS refunds,
    sum(cents) FILTER (WHERE reason <> 'test') / 100.0 AS refunded,
    max(refunded_at) AS last_refund
FROM raw_refunds
WHERE refund_id IS NOT NULL
GROUP BY order_id
HAVING count(*) > 0
""",
        {
            "order_id": "=raw_refunds.order_id",
            "refunds": "",
            "refunded": "raw_refunds.cents raw_refunds.reason",
            "last_refund": "raw_refunds.refunded_at",
        },
    ),
    "refund_positions": (
        """SELECT
    refund_id,
    row_number() OVER In_Order AS nth,
    sum(cents) OVER by_reason / 100.0 AS for_reason
FROM raw_refunds
WINDOW in_order AS (PARTITION BY order_id ORDER BY refunded_at), by_reason AS (PARTITION BY reason)
""",
        {
            "refund_id": "=raw_refunds.refund_id",
            "nth": "raw_refunds.order_id raw_refunds.refunded_at",
            "for_reason": "raw_refunds.cents raw_refunds.reason",
        },
    ),
    "fct_revenue": (
        """SELECT d.order_day AS day, s.region, s.shop_name AS "Shop", sum(net) AS net
FROM (
    SELECT o.order_day, o.shop_id, f.revenue - coalesce(x.refunded, 0) AS net
    FROM stg_orders o
    JOIN fct_orders f ON f.order_id = o.order_id
    LEFT JOIN (SELECT * FROM refunds_by_order) x ON x.order_id = o.order_id
) AS d
JOIN raw_shops s ON s.shop_id = d.shop_id
GROUP BY ALL
ORDER BY d.order_day
""",
        {
            "day": "=stg_orders.order_day",
            "region": "=raw_shops.region",
            "shop": "=raw_shops.shop_name",
            "net": "fct_orders.revenue refunds_by_order.refunded",
        },
    ),
    "dim_customers": (
        """SELECT c.*, f.first_order
FROM stg_customers c
LEFT JOIN (
    SELECT customer_id, min(ordered_at) AS first_order FROM int_all_orders GROUP BY customer_id
) f ON f.customer_id = c.customer_id
""",
        {
            "customer_id": "=stg_customers.customer_id",
            "full_name": "=stg_customers.full_name",
            "country": "=stg_customers.country",
            "created_at": "=stg_customers.created_at",
            "email_address": "=stg_customers.email_address",
            "first_order": "int_all_orders.ordered_at",
        },
    ),
    # Before what it reads, by name.
    "customers_abroad": (
        "SELECT * FROM dim_customers WHERE country <> 'DE' AND first_order IS NOT NULL\n",
        {
            name: f"=dim_customers.{name}"
            for name in ("customer_id", "full_name", "country", "created_at", "email_address", "first_order")
        },
    ),
    "latest_status": (
        """SELECT order_id, status AS last_status
FROM int_all_orders
QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY ordered_at DESC) = 1
""",
        {"order_id": "=int_all_orders.order_id", "last_status": "=int_all_orders.status"},
    ),
    "order_labels": (
        """SELECT
    order_id,
    'SELECT email FROM raw_customers -- ' AS note,
    concat(status, ' (', currency, ')') AS label
FROM stg_orders
WHERE shop_id IN (SELECT shop_id FROM raw_shops WHERE region = 'north')
""",
        {"order_id": "=stg_orders.order_id", "note": "", "label": "stg_orders.status stg_orders.currency"},
    ),
}
ARCHIVE = {
    "old_revenue": "SELECT shop_id, sum(amount_cents) AS cents FROM raw_orders GROUP BY shop_id\n",
    "stg_rates": "SELECT * FROM raw_rates\n",
}
DESCRIBED = (
    "raw_orders.order_id raw_orders.amount_cents raw_orders.currency raw_customers.full_name raw_customers.country"
    " raw_shops.region raw_rates.rate stg_orders.order_day stg_customers.email_address dim_customers.country"
    " order_labels.label fct_orders.revenue"
)
# Columns that were there once.
GONE = ("raw_orders.discount", "fct_sales.net", "old_revenue.cents")
# What a line claims that reads dead code: a CTE nobody uses, a comment, a string, the archive.
DEAD = {
    "int_rates": ("raw_customers.customer_id", "raw_customers.full_name"),
    "stg_orders": ("raw_refunds.refund_id", "raw_refunds.order_id"),
    "order_labels": ("raw_customers.email",),
}
# Names that a world changes, wherever they stand.
CHANGING = (
    "amount_cents",
    "full_name",
    "shop_name",
    "region",
    "reason",
    "revenue",
    "recency",
    "net",
    "refunded",
    "since",
    "raw_shops",
    "raw_rates",
    "stg_legacy",
    "int_rates",
    "fct_revenue",
    "refunds_by_order",
    "latest_status",
    "unused",
    "buyer_no",
)


@dataclass(frozen=True)
class Column:
    """One column of a model: the columns it stands on, as ``table.column``; ``passed`` if it is nothing more."""

    of: tuple[str, ...]
    passed: bool


@dataclass(frozen=True)
class Model:
    sql: str
    columns: Mapping[str, Column]


@dataclass(frozen=True)
class Project:
    sources: Mapping[str, tuple[str, ...]]
    models: Mapping[str, Model]
    descriptions: tuple[Line, ...]
    archive: Mapping[str, str]

    def files(self) -> dict[str, str]:
        sources = [(table, column) for table, columns in self.sources.items() for column in columns]
        return {
            "project/sources.csv": to_csv(("table_name", "column_name"), sources),
            "project/descriptions.csv": to_csv(("table_name", "column_name", "description"), self.descriptions),
            **{f"project/models/{name}.sql": model.sql for name, model in self.models.items()},
            **{f"project/archive/{name}.sql": sql for name, sql in self.archive.items()},
        }

    def columns(self) -> dict[str, Column]:
        """Every column there is, as ``table.column``."""
        found = {f"{table}.{name}": Column((), False) for table, names in self.sources.items() for name in names}
        for table, model in self.models.items():
            found |= {f"{table}.{name}": column for name, column in model.columns.items()}
        return found

    def lineage(self, models: Iterable[str] | None = None) -> set[Line]:
        """The pairs of some models' columns (all without) and the sources' columns they come from."""
        columns, sources = self.columns(), set(self.sources)
        origins: dict[str, frozenset[str]] = {}

        def resolve(full: str) -> frozenset[str]:
            if full.split(".", maxsplit=1)[0] in sources:
                return frozenset([full])
            if full not in origins:
                origins[full] = frozenset().union(*(resolve(upstream) for upstream in columns[full].of))
            return origins[full]

        wanted = set(self.models if models is None else models)
        found = {
            (*full.split("."), *origin.split("."))
            for full in columns
            if full.split(".")[0] in wanted
            for origin in resolve(full)
        }
        assert found, "no lineage is expected"
        return found

    def catalog(self) -> set[Line]:
        columns = self.columns()
        written = {f"{table}.{column}": text for table, column, text in self.descriptions}

        def described(full: str) -> str:
            if full in written:
                return written[full]
            return described(columns[full].of[0]) if columns[full].passed else ""

        return {
            (*full.split("."), "source" if full.split(".")[0] in self.sources else "model", described(full))
            for full in columns
        }

    def stale(self) -> set[Line]:
        found = {line for line in self.descriptions if f"{line[0]}.{line[1]}" not in self.columns()}
        assert found, "no description is stale"
        return found


@dataclass(frozen=True)
class World:
    """The project, the one of the next day, one with many models more, and some that can't be read, by what is wrong.

    ``broken`` names the models of which one has to be told.
    """

    project: Project
    changed: Project
    large: Project
    broken: Mapping[str, tuple[Project, tuple[str, ...]]]
    dead: frozenset[tuple[str, str]]
    names: Mapping[str, str]


def to_csv(header: Line, lines: Iterable[Line]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *lines])
    return text.getvalue()


def column(text: str) -> Column:
    return Column(tuple(text.lstrip("=").split()), text.startswith("="))


# -- making it --------------------------------------------------------------------------------------------------------


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    names = {name: f"{name}_{draw.choice('abcdefgh')}{draw.randrange(2, 99)}" for name in CHANGING}
    anything = re.compile(rf"\b({'|'.join(names)})\b")

    def named(text: str) -> str:
        return anything.sub(lambda match: names[match[0]], text)

    models = {
        named(name): Model(named(sql), {named(made): column(named(of)) for made, of in columns.items()})
        for name, (sql, columns) in MODELS.items()
    }
    described = [*DESCRIBED.split(), *GONE]
    draw.shuffle(described)
    project = Project(
        {named(table): tuple(named(columns).split()) for table, columns in SOURCES.items()},
        models,
        tuple(
            (
                *named(full).split("."),
                f'{draw.choice(("The", "Its", "One"))} "{full}", as agreed; no. {draw.random():.6f}',
            )
            for full in described
        ),
        {name: named(sql) for name, sql in ARCHIVE.items()},
    )
    world = World(
        project,
        change(project),
        enlarge(project, draw, max(20, round(300 * scale))),
        broken(project),
        frozenset((named(model), named(full)) for model, fulls in DEAD.items() for full in fulls),
        names,
    )
    guard(world)
    return world


def change(project: Project) -> Project:
    """The next day: a new column that stars pass on, another one renamed, a model less, one more."""
    sources = dict(project.sources)
    sources["raw_customers"] += ("loyalty_tier",)
    models = {name: model for name, model in project.models.items() if name != "order_labels"}
    # A star's columns come in the order of the table's; where they stand doesn't matter here.
    for name, upstream in (
        ("stg_customers", "raw_customers"),
        ("dim_customers", "stg_customers"),
        ("customers_abroad", "dim_customers"),
    ):
        columns = {**models[name].columns, "loyalty_tier": column(f"={upstream}.loyalty_tier")}
        changed = columns.pop("email_address")
        of = changed.of if name == "stg_customers" else (f"{upstream}.email_hash",)
        columns["email_hash"] = replace(changed, of=of)
        sql = models[name].sql.replace("lower(email) AS email_address", "md5(email) AS email_hash")
        models[name] = Model(sql, columns)
    models["country_sizes"] = Model(
        "SELECT country, count(DISTINCT loyalty_tier) AS tiers FROM customers_abroad GROUP BY country\n",
        {"country": column("=customers_abroad.country"), "tiers": column("customers_abroad.loyalty_tier")},
    )
    return replace(project, sources=sources, models=models)


WIDTH, LAYER = 10, 10


def enlarge(project: Project, draw: random.Random, more: int) -> Project:
    """Layers of models, each column made of two of the layer before: paths double with every layer, origins don't."""
    names = [f"wide_{number:03d}" for number in draw.sample(range(1000), more)]
    layers = [names[start : start + LAYER] for start in range(0, more, LAYER)]
    models = dict(project.models)
    before = {"stg_orders": ["order_id", "order_day", "status", "amount", "currency", "shop_id", "customer_id"]}
    for layer in layers:
        made = {}
        for name in layer:
            table = draw.choice(list(before))
            pairs = [(draw.choice(before[table]), draw.choice(before[table])) for _ in range(WIDTH)]
            shown = ",\n    ".join(f"coalesce({one}, {other}) AS c{at}" for at, (one, other) in enumerate(pairs))
            models[name] = Model(
                f"WITH base AS (SELECT * FROM {table})\nSELECT\n    {shown}\nFROM base\n",
                {
                    f"c{at}": Column(tuple(dict.fromkeys((f"{table}.{one}", f"{table}.{other}"))), False)
                    for at, (one, other) in enumerate(pairs)
                },
            )
            made[name] = [f"c{at}" for at in range(WIDTH)]
        before = made
    return replace(project, models=models)


def broken(project: Project) -> dict[str, tuple[Project, tuple[str, ...]]]:
    def with_sql(name: str, sql: str) -> Project:
        return replace(project, models={**project.models, name: Model(sql, {})})

    circle = with_sql(
        "stg_orders", project.models["stg_orders"].sql + " AND order_id IN (SELECT order_id FROM order_labels)"
    )
    faulty = {
        "a model doesn't parse": "SELECT order_id, (status FROM stg_orders WHERE\n",
        "a column isn't there": "SELECT o.order_id, o.vat FROM stg_orders o\n",
        "a column isn't there that only chooses rows": "SELECT order_id FROM stg_orders WHERE vat > 0\n",
        "a table isn't there": "SELECT order_id FROM stg_taxes\n",
        "a table isn't there that only chooses rows": (
            "SELECT order_id FROM stg_orders WHERE order_id IN (SELECT order_id FROM stg_taxes)\n"
        ),
    }
    return {
        **{why: (with_sql("fct_tax", sql), ("fct_tax",)) for why, sql in faulty.items()},
        "models read each other": (circle, ("stg_orders", "order_labels")),
    }


def guard(world: World) -> None:
    """Every case is there, and what the checks tell apart differs."""
    for project in (world.project, world.changed, world.large):
        known = set(project.columns())
        assert all(full in known for column in project.columns().values() for full in column.of)
    lines = world.project.lineage()
    assert not {(line[0], f"{line[2]}.{line[3]}") for line in lines} & world.dead
    assert world.project.stale() < world.changed.stale()
    assert not lines >= world.changed.lineage()
    inherited = {line for line in world.project.catalog() if line[3]}
    assert len(inherited) > 2 * len(DESCRIBED.split())


# -- laying it out ----------------------------------------------------------------------------------------------------


def furnish(world: World, lab: Lab) -> None:
    deliver(world.project, lab)


def deliver(project: Project, lab: Lab) -> None:
    """The project as it stands now, and nothing of the one before."""
    lab.box.clear("data")
    lab.deliver(project.files())


# canary: c1a4c7b2-6d6e-4a07-8f0d-54f6c1f5b0e3
