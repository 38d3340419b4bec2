"""Orders, and what two apps do to them while the table moves."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.engines.postgres import Postgres
from harness.lab import Lab

OLD, NEW = "legacy.orders", "shop.orders"  # the table that the old app, the new app knows
STEPS = {"1_prepare": "prepared", "2_copy": "copied", "3_switch": "switched"}
PHASES = ("before", *STEPS.values())
WRITERS = {"before": (OLD,), "prepared": (OLD,), "copied": (OLD,), "switched": (OLD, NEW)}
STATUSES = {"N": "new", "P": "paid", "S": "shipped", "C": "cancelled"}
SCHEMA = (
    "CREATE SCHEMA legacy",
    """CREATE TABLE legacy.orders (
        order_id serial PRIMARY KEY,
        ref varchar(20) NOT NULL UNIQUE,
        customer varchar(40) NOT NULL,
        amount numeric(10, 2) NOT NULL,
        placed timestamp NOT NULL,
        status char(1) NOT NULL DEFAULT 'N',
        note text
    )""",
)
COLUMNS = ("ref", "customer", "amount", "placed", "status", "note")


@dataclass(frozen=True)
class Order:
    """``placed`` is UTC."""

    ref: str
    customer: str
    cents: int
    placed: datetime.datetime
    status: str
    note: str | None

    @property
    def in_vienna(self) -> datetime.datetime:
        summer = 4 <= self.placed.month <= 9
        return (self.placed + datetime.timedelta(hours=2 if summer else 1)).replace(tzinfo=None)

    def new_row(self) -> dict[str, object]:
        """As it stands in the new table, but for its id."""
        return {
            "ref": self.ref,
            "customer": self.customer,
            "amount_cents": self.cents,
            "placed_at": self.placed,
            "status": STATUSES[self.status],
            "note": self.note,
        }

    def old_row(self) -> dict[str, object]:
        values = (self.ref, self.customer, self.cents / 100, self.in_vienna, self.status, self.note)
        return dict(zip(COLUMNS, values, strict=True))


Orders = dict[str, Order]


@dataclass(frozen=True)
class Write:
    """One statement of an app: ``add``, ``place`` (add and leave the status out), ``change`` (amount, time and note),
    ``move`` (the status) or ``delete``."""

    table: str
    kind: str
    order: Order

    def sql(self) -> str:
        columns = COLUMNS if self.table == OLD else tuple(self.order.new_row())
        row = self.order.old_row() if self.table == OLD else self.order.new_row()
        value = {column: quoted(given) for column, given in zip(columns, row.values(), strict=True)}
        _, _, amount, placed, status, note = columns
        where = f"WHERE ref = {value['ref']}"
        match self.kind:
            case "add" | "place":
                if self.kind == "place":
                    del value[status]
                names, values = ", ".join(value), ", ".join(value.values())
                return f"INSERT INTO {self.table} ({names}) VALUES ({values}) RETURNING order_id"
            case "change":
                changes = ", ".join(f"{column} = {value[column]}" for column in (amount, placed, note))
                return f"UPDATE {self.table} SET {changes} {where}"
            case "move":
                return f"UPDATE {self.table} SET {status} = {value[status]} {where}"
        return f"DELETE FROM {self.table} {where}"

    def applied(self, orders: Orders) -> Orders:
        if self.kind == "delete":
            return {ref: order for ref, order in orders.items() if ref != self.order.ref}
        return {**orders, self.order.ref: self.order}


@dataclass(frozen=True)
class World:
    """The orders at first, the apps' writes of each phase, those of a transaction that is open while a step runs, and
    the old app's writes after the rollback. ``going_on``: a transaction's first write and its later ones, to orders
    before and behind that one."""

    orders: Orders
    writes: dict[str, tuple[Write, ...]]
    open: dict[str, tuple[Write, ...]]
    back: tuple[Write, ...]
    going_on: tuple[Write, ...]

    def after(self, phase: str) -> Orders:
        """The orders once a phase's writes are done."""
        orders = self.orders
        for name in PHASES[: PHASES.index(phase) + 1]:
            orders = applied(orders, self.writes[name])
        return orders

    def touched(self) -> set[str]:
        return {write.order.ref for writes in self.writes.values() for write in writes}


def applied(orders: Orders, writes: Iterable[Write]) -> Orders:
    for write in writes:
        orders = write.applied(orders)
    return orders


def quoted(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, datetime.datetime):
        return f"'{value.isoformat(sep=' ')}'"
    return str(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    number = max(1200, round(1300 * scale))
    refs = [f"{draw.choice('ABK')}-{ref}" for ref in draw.sample(range(100_000, 999_999), number + 200)]
    fresh = iter(refs[number:])

    def order(ref: str) -> Order:
        day = datetime.datetime(2026, draw.choice((1, 2, 6, 7)), draw.randrange(1, 29), draw.randrange(5, 22))
        return Order(
            ref=ref,
            customer=draw.choice(("Kim", "O'Neill", "Zoë", "Łucja & Co.", "li wei")),
            cents=draw.randrange(1, 9_000_000),
            placed=(day + datetime.timedelta(seconds=draw.randrange(3600))).replace(tzinfo=datetime.UTC),
            status=draw.choice("NPSC"),
            note=draw.choice((None, "", "call first", 'says "now"', "a\ttab", " blank ")),
        )

    orders = {ref: order(ref) for ref in refs[:number]}
    alive = dict(orders)
    used: set[str] = set()

    def one(table: str, kind: str) -> Write:
        """A write to an order that nobody has written to yet."""
        if kind == "add":
            return Write(table, kind, order(next(fresh)))
        known = alive[draw.choice(sorted(alive.keys() - used))]
        used.add(known.ref)
        if kind == "delete":
            del alive[known.ref]
        other = order(known.ref)
        changes = {
            "change": {
                "cents": other.cents,
                "placed": other.placed,
                "note": f"was {known.note}" if len(used) % 2 else None,
            },
            "move": {"status": draw.choice([status for status in STATUSES if status != known.status])},
        }
        return Write(table, kind, replace(known, **changes.get(kind, {})))

    kinds = ("add", "add", "change", "change", "move", "delete", "delete")
    writes = {phase: [one(table, kind) for table in WRITERS[phase] for kind in kinds] for phase in PHASES}
    first = next(number for number, write in enumerate(writes["switched"]) if write.table == NEW)
    writes["switched"][first] = Write(NEW, "place", replace(writes["switched"][first].order, status="N"))
    for phase in PHASES[1:]:
        # What one app has deleted comes again, and what it has added is changed: by the other one where there are two.
        other = dict(zip(WRITERS[phase], reversed(WRITERS[phase]), strict=True))
        made = {(write.table, write.kind): write.order for write in writes[phase]}
        for table in WRITERS[phase]:
            added = made[table, "add"]
            writes[phase] += [
                Write(other[table], "add", order(made[table, "delete"].ref)),
                Write(other[table], "move", replace(added, status="SN"[added.status == "S"])),
            ]
    under_way = {
        step: tuple(one(OLD, kind) for kind in ("add", "change", "move", "delete", "delete"))
        for step in ("2_copy", "3_switch")
    }
    back = tuple(one(OLD, kind) for kind in kinds)
    calm = [known for ref, known in orders.items() if ref not in used]
    # Neighbours: a copy that goes by their ids has them in one transaction.
    going_on = tuple(Write(OLD, "change", replace(calm[at], cents=calm[at].cents + 1)) for at in (20, 10, 30))
    world = World(orders, {phase: tuple(made) for phase, made in writes.items()}, under_way, back, going_on)
    assert len(world.after("switched")) > 1100
    return world


def furnish(world: World, lab: Lab) -> None:
    postgres = lab.use(Postgres)
    postgres.execute(*SCHEMA, user="loader")
    postgres.copy(OLD, list(COLUMNS), [tuple(order.old_row().values()) for order in world.orders.values()])


# canary: 463ac6cf-610c-48f3-bbad-76dc23783cb6
