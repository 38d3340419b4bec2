"""Orders as they change from batch to batch; each group of orders shows one peculiarity of the exports."""

from __future__ import annotations

import csv
import datetime
import decimal
import io
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.engines.redshift import Redshift, TableFacts
from harness.lab import Lab

# In the order of loading; 1 is the beginning of 10's key, too.
BATCHES = (1, 2, 3, 10)
LATE = 2
BUCKET = "shop-exports"
COLUMNS = ("order_id", "customer_id", "status", "amount", "note", "ordered_at", "version")
FIRST = datetime.datetime(2026, 3, 1, 8)
STATUSES = ("placed", "paid", "packed", "shipped", "returned")
NOTES = ('leave it at the "back" door', "ring twice, please", "für Zoë, zum Geburtstag", "a\nb", "50% off?")
# What orders say whose note changes.
EASY_NOTES = ("ring twice", "behind the shed", "no hurry")
RARE_NOTES = ("C:\\box|2", "ü" * 200)  # the longest there is, in bytes
RARE_AMOUNTS = (decimal.Decimal("0.00"), decimal.Decimal("99999999.99"))


@dataclass(frozen=True)
class Order:
    """One row of an export."""

    order_id: int
    customer_id: int
    status: str
    amount: decimal.Decimal | None
    note: str
    ordered_at: datetime.datetime
    version: int

    @property
    def row(self) -> dict[str, object]:
        return {column: getattr(self, column) for column in COLUMNS}

    @property
    def fields(self) -> list[str]:
        return ["" if (value := getattr(self, column)) is None else str(value) for column in COLUMNS]


@dataclass(frozen=True)
class World:
    """Rows by batch, in the order of their files; which orders show what."""

    batches: dict[int, tuple[Order, ...]]
    groups: dict[str, frozenset[int]]

    def expected(self, batches: Iterable[int] = BATCHES, *groups: str) -> list[dict[str, object]]:
        """How the orders (of some groups) stand once the batches are in, in whatever order they came."""
        newest: dict[int, Order] = {}
        wanted = set().union(*(self.groups[group] for group in groups or self.groups))
        for order in (order for batch in batches for order in self.batches[batch] if order.order_id in wanted):
            if order.order_id not in newest or order.version > newest[order.order_id].version:
                newest[order.order_id] = order
        assert newest, f"nothing is expected of {groups}"
        return [order.row for order in newest.values()]


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    numbers = iter(draw.sample(range(10_000, 99_999), round(400 * max(scale, 0.5))))
    batches: defaultdict[int, list[Order]] = defaultdict(list)
    groups: defaultdict[str, set[int]] = defaultdict(set)

    def order(group: str) -> Order:
        number = next(numbers)
        groups[group].add(number)
        cents = draw.randrange(100, 90_000)
        moment = FIRST + datetime.timedelta(seconds=draw.randrange(86_400))
        amount = decimal.Decimal(cents) / 100
        return Order(number, draw.randrange(100, 999), draw.choice(STATUSES), amount, "", moment, 1)

    def later(before: Order, steps: int = 1) -> Order:
        status = draw.choice([status for status in STATUSES if status != before.status])
        cents = decimal.Decimal(draw.randrange(1, 500)) / 100
        return replace(
            before,
            customer_id=draw.randrange(100, 999),
            status=status,
            amount=(before.amount or 0) + cents,
            note=draw.choice([note for note in ("", *EASY_NOTES) if note != before.note]),
            version=before.version + steps,
        )

    for index in range(max(8, round(12 * scale))):
        first = order("plain")
        batches[1].append(first := replace(first, note=EASY_NOTES[index % 2]))
        batches[2].append(second := later(first))
        batches[10 if index % 2 else 3].append(later(second))
        batches[BATCHES[index % 4]].append(order("once"))
        # Several versions in one batch, in any order of the lines.
        first = order("several")
        versions = [first, later(first), later(later(first))]
        draw.shuffle(versions)
        batches[2] += versions
        # Known in a version that is higher than what a late batch says of it.
        batches[LATE].append(first := order("overtaken"))
        batches[3].append(later(first, 2))
        batches[1].append(replace(order("texts"), note=NOTES[index % len(NOTES)]))
        if index < len(RARE_NOTES):
            batches[2].append(replace(order("texts"), note=RARE_NOTES[index], amount=RARE_AMOUNTS[index]))
        batches[3].append(first := replace(order("unpriced"), amount=None))
        if index % 2:
            batches[10].append(replace(first, amount=decimal.Decimal(index), version=2))
    for rows in batches.values():
        draw.shuffle(rows)
    world = World(
        {batch: tuple(batches[batch]) for batch in BATCHES},
        {group: frozenset(members) for group, members in groups.items()},
    )
    guard(world)
    return world


def guard(world: World) -> None:
    assert any(row["amount"] is None for row in world.expected(BATCHES, "unpriced"))
    several = [order for order in world.batches[2] if order.order_id in world.groups["several"]]
    last: dict[int, int] = {order.order_id: order.version for order in several}
    assert any(version < 3 for version in last.values()), "the last line is always the newest"
    assert world.expected((1,)) != world.expected((1, 10))


# -- laying it out ----------------------------------------------------------------------------------------------------


def files_of(world: World, batch: int) -> dict[str, str]:
    """A batch's objects by bucket and key."""
    rows = world.batches[batch]
    half = (len(rows) + 1) // 2
    found = {}
    for number, part in enumerate((rows[:half], rows[half:])):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(order.fields for order in part)
        found[f"{BUCKET}/orders/batch={batch}/part-{number}.csv"] = text.getvalue()
    return found


def damaged(world: World, batch: int, how: str) -> dict[str, str]:
    """The batch with a bad line amid the last of its files: a number that is none, or a line that was cut off.

    Or the file ends within its last line, right behind a comma.
    """
    files = files_of(world, batch)
    name = max(files)
    if how == "end":
        return {**files, name: files[name].rpartition(",")[0] + ","}
    lines = files[name].split("\n")
    place = next(place for place in range(len(lines) // 2, len(lines)) if lines[place].count(",") == len(COLUMNS) - 1)
    fields = lines[place].split(",")
    lines[place] = ",".join([*fields[:3], "n/a", *fields[4:]] if how == "number" else fields[:3])
    return {**files, name: "\n".join(lines)}


def deliver(world: World, lab: Lab, batch: int) -> None:
    lab.use(Redshift).upload(files_of(world, batch))


def furnish(world: World, lab: Lab) -> None:
    """The table that dashboards join with, and all batches."""
    engine = lab.use(Redshift)
    customers = sorted({order.customer_id for rows in world.batches.values() for order in rows})
    engine.execute("SET ROLE loader; CREATE TABLE public.customers (customer_id bigint NOT NULL, name varchar(100))")
    engine.copy("public.customers", ("customer_id", "name"), [(number, f"Customer {number}") for number in customers])
    engine.declare("public.customers", TableFacts("KEY", "customer_id", "COMPOUND", ("customer_id",)))
    for batch in BATCHES:
        deliver(world, lab, batch)


# canary: d8ade5ae-7278-4e8f-874b-a1d7e3f53844
