"""Versions of orders in seven nightly exports; each group of orders shows one peculiarity of the feed."""

from __future__ import annotations

import datetime
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.engines.duckdb import DuckDB
from harness.lab import Lab

COLUMNS = ("order_id", "version", "customer_id", "status", "amount_cents", "ordered_at", "updated_at")
FACT = {
    "order_id": "text",
    "version": "integer",
    "customer_id": "text",
    "status": "text",
    "amount": "decimal(2)",
    "ordered_at": "timestamp",
    "updated_at": "timestamp",
}

# Exports by what is peculiar about them.
HISTORY, NIGHT, AFTER_PAUSE, NEW_COLUMN, NO_KEY, NEGATIVE, VERY_LATE = EXPORTS = range(1, 8)

FIRST_DAY = datetime.datetime(2025, 3, 1)
LAST_OF_HISTORY = 60
STATUSES = ("placed", "paid", "shipped", "cancelled")
CHANNELS = ("web", "app", "till")


@dataclass(frozen=True)
class Version:
    """One row of ``shop.orders``. ``channel`` is the column that the export gains."""

    order_id: str
    version: int
    customer_id: str | None
    status: str
    amount_cents: int
    ordered_at: datetime.datetime
    updated_at: datetime.datetime
    channel: str | None = None

    def row(self, *columns: str) -> tuple[object, ...]:
        return tuple(getattr(self, column) for column in columns)


@dataclass(frozen=True)
class World:
    """What each export delivers, what is repaired in place behind it, and which orders show what."""

    delivered: tuple[tuple[int, Version], ...]
    repaired: tuple[Version, ...]
    groups: dict[str, frozenset[str]]

    def export(self, number: int) -> list[Version]:
        return [version for export, version in self.delivered if export == number]

    def orders(self, *groups: str, exports: Iterable[int], repaired: bool = False) -> list[dict[str, object]]:
        """The orders of some groups as they stand once those exports are in: each in its highest version."""
        wanted = set(exports)
        ids = set().union(*(self.groups[group] for group in groups))
        highest: dict[str, Version] = {}
        rows = [version for export, version in self.delivered if export in wanted]
        for version in rows + (list(self.repaired) if repaired else []):
            known = highest.get(version.order_id)
            if version.order_id in ids and (known is None or version.version >= known.version):
                highest[version.order_id] = version
        assert highest, f"no order is expected of {groups}"
        return [
            {column: getattr(version, column, None) for column in (*FACT, "channel")}
            | {"amount": version.amount_cents / 100}
            for version in highest.values()
        ]


class Backend:
    """Writes versions as the shop would."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.delivered: list[tuple[int, Version]] = []
        self.groups: defaultdict[str, set[str]] = defaultdict(set)

    def moment(self, day: float, within: float = 0.6) -> datetime.datetime:
        """A moment on a day (days may have fractions), to the second."""
        return FIRST_DAY + datetime.timedelta(seconds=round((day + self.draw.random() * within) * 86_400))

    def place(self, group: str, day: float, at: datetime.datetime | None = None) -> Version:
        """A new order; nothing is delivered yet."""
        draw = self.draw
        while (order := f"{draw.choice('ABCDEF')}{draw.randrange(100_000, 999_999)}") in set().union(
            *self.groups.values()
        ):
            pass
        self.groups[group].add(order)
        customer = None if draw.random() < 0.15 else f"C{draw.randrange(1000, 9999)}"
        amount = 0 if draw.random() < 0.08 else draw.randrange(99, 40_000)
        moment = at or self.moment(day)
        return Version(order, 1, customer, "placed", amount, moment, moment)

    def change(self, before: Version, at: datetime.datetime, status: str = "") -> Version:
        """The order's next version: another status, and now and then another amount."""
        after = status or self.draw.choice([option for option in STATUSES if option != before.status])
        amount = before.amount_cents + self.draw.randrange(1, 500) if self.draw.random() < 0.4 else before.amount_cents
        return replace(before, version=before.version + 1, status=after, amount_cents=amount, updated_at=at)

    def deliver(self, export: int, *versions: Version) -> None:
        self.delivered += [(export, version) for version in versions]

    def world(self, repaired: list[Version]) -> World:
        self.draw.shuffle(self.delivered)
        return World(
            tuple(self.delivered),
            tuple(repaired),
            {group: frozenset(orders) for group, orders in self.groups.items()},
        )


def build(seed: int, scale: float = 1.0) -> World:
    backend = Backend(random.Random(seed))  # noqa: S311
    count = max(6, round(6 * scale))
    history(backend, 12 * count)
    repaired: list[Version] = []
    for number in range(count):
        night(backend, number, repaired)
        later(backend, number)
    world = backend.world(repaired)
    guard(world)
    return world


def history(backend: Backend, count: int) -> None:
    """Sixty days of orders, with all that the first export already shows."""
    for number in range(count):
        day = number * (LAST_OF_HISTORY - 4) / count
        version = backend.place("plain", day)
        backend.deliver(HISTORY, version)
        for step in range(backend.draw.randrange(3)):
            version = backend.change(version, backend.moment(day + 1 + step))
            backend.deliver(HISTORY, version)
    for number in range(count // 4):
        day = 58.0 if number % 2 else 10.0 + number
        first = backend.place("twice", day)
        second = backend.change(first, backend.moment(day + 1))
        backend.deliver(HISTORY, first, first, second, second)
        backend.deliver(NIGHT, second, *([first] if number % 3 else []))
    for number in range(count // 4):
        moment = backend.moment(58 if number % 2 else 20 + number)
        first = backend.place("moment", 0, moment)
        second = backend.change(first, moment)
        third = backend.change(second, moment)
        backend.deliver(HISTORY, *([first, second, third] if number % 4 else [third, second, first]))
        if number % 2:
            # The same moment once more, a night later.
            backend.deliver(NIGHT, backend.change(third, moment))


def night(backend: Backend, number: int, repaired: list[Version]) -> None:
    """The export after the history's."""
    deliver = backend.deliver
    deliver(NIGHT, backend.place("plain", LAST_OF_HISTORY + 1))

    # Up to 6.8 days late: orders nobody has heard of yet, and new versions of known ones.
    deliver(NIGHT, backend.place("late", 55.2 + 0.7 * number, backend.moment(55.2 + 0.7 * number, 0.1)))
    known = backend.place("late", 52)
    deliver(HISTORY, known)
    deliver(NIGHT, backend.change(known, backend.moment(55.3 + 0.6 * number, 0.1)))

    # Written in the very second of the newest row that the history has.
    newest = FIRST_DAY + datetime.timedelta(days=LAST_OF_HISTORY + 1, seconds=-30)
    if number == 0:
        deliver(HISTORY, backend.place("plain", 0, newest))
    known = backend.place("tie", 59)
    deliver(HISTORY, known)
    deliver(NIGHT, backend.change(known, newest), backend.place("tie", 0, newest))

    known = backend.place("reopened", 3 + 2 * number)
    deliver(HISTORY, known)
    deliver(NIGHT, backend.change(known, backend.moment(LAST_OF_HISTORY + 1), "returned"))

    # The second version comes a night after the third.
    first = backend.place("overtaken", 54)
    second = backend.change(first, backend.moment(57))
    third = backend.change(second, backend.moment(59))
    deliver(HISTORY, first, third)
    deliver(NIGHT, second)

    known = backend.place("repaired", 2 + number)
    deliver(HISTORY, known)
    repaired.append(replace(known, status="chargeback", amount_cents=known.amount_cents + 1))


def later(backend: Backend, number: int) -> None:
    """The exports after that."""
    deliver = backend.deliver
    # Ten days without a run.
    for day in (62, 64, 66 + number):
        deliver(AFTER_PAUSE, backend.place("pause", day))
    known = backend.place("pause", 40)
    deliver(HISTORY, known)
    deliver(AFTER_PAUSE, backend.change(known, backend.moment(63)))
    if number == 0:
        deliver(AFTER_PAUSE, backend.place("pause", 72))

    def with_channel(version: Version) -> Version:
        return replace(version, channel=CHANNELS[number % len(CHANNELS)])

    deliver(NEW_COLUMN, with_channel(backend.place("column", 73)))
    known = backend.place("column", 30)
    deliver(HISTORY, known)
    deliver(NEW_COLUMN, with_channel(backend.change(known, backend.moment(73))))

    # Twenty days late.
    known = backend.place("very late", 45)
    deliver(HISTORY, known)
    deliver(VERY_LATE, with_channel(backend.change(known, backend.moment(54 + number / 4))))
    deliver(VERY_LATE, with_channel(backend.place("very late", 54 + number / 4)))

    deliver(NO_KEY, with_channel(backend.place("no key", 74)))
    deliver(NEGATIVE, with_channel(backend.place("negative", 75)))
    known = backend.place("negative", 50)
    deliver(HISTORY, known)
    deliver(NEGATIVE, with_channel(backend.change(known, backend.moment(75))))


def guard(world: World) -> None:
    """Every group shows what it is there for."""
    newest = {
        export: max(version.updated_at for version in world.export(export)) for export in EXPORTS if export != VERY_LATE
    }
    assert sorted(newest.values()) == list(newest.values())
    days = datetime.timedelta(days=1)

    def of(group: str, export: int) -> list[Version]:
        found = [version for version in world.export(export) if version.order_id in world.groups[group]]
        assert found, f"{group} has nothing in export {export}"
        return found

    assert all(newest[NIGHT] - version.updated_at < 7 * days for version in of("late", NIGHT))
    assert any(newest[HISTORY] - version.updated_at > 5 * days for version in of("late", NIGHT))
    assert all(version.updated_at == newest[HISTORY] for version in of("tie", NIGHT))
    assert any(newest[AFTER_PAUSE] - version.updated_at > 8 * days for version in of("pause", AFTER_PAUSE))
    assert all(18 * days < newest[NEGATIVE] - version.updated_at < 25 * days for version in of("very late", VERY_LATE))
    assert all(newest[NIGHT] - version.updated_at > 45 * days for version in world.repaired)
    assert all(len(of(group, NIGHT)) >= 6 for group in ("late", "tie", "reopened", "overtaken"))
    assert {None, 0} <= {
        value for version in world.export(HISTORY) for value in (version.customer_id, version.amount_cents)
    }
    for _, version in world.delivered:
        assert version.ordered_at <= version.updated_at


# -- laying it out ----------------------------------------------------------------------------------------------


def furnish(world: World, lab: Lab) -> None:
    create_source(lab)
    for number in (HISTORY, NIGHT):
        deliver(world, lab, number)


def create_source(lab: Lab) -> None:
    lab.use(DuckDB).execute(
        "CREATE SCHEMA shop",
        "CREATE TABLE shop.orders (order_id VARCHAR, version INTEGER, customer_id VARCHAR, status VARCHAR,"
        " amount_cents BIGINT, ordered_at TIMESTAMP, updated_at TIMESTAMP)",
    )


def deliver(world: World, lab: Lab, number: int) -> None:
    """A night's export; from ``NEW_COLUMN`` on, the table has the new column."""
    columns = COLUMNS if number < NEW_COLUMN else (*COLUMNS, "channel")
    lab.use(DuckDB).append("shop.orders", columns, [version.row(*columns) for version in world.export(number)])


def repair(world: World, lab: Lab) -> None:
    """The backend changes old rows in place."""
    lab.use(DuckDB).execute(
        *(
            f"UPDATE shop.orders SET status = '{version.status}', amount_cents = {version.amount_cents}"
            f" WHERE order_id = '{version.order_id}'"
            for version in world.repaired
        )
    )


# canary: b5720519-3193-4f9e-ab3f-717947a30c04
