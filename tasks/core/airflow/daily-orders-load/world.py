"""Files of orders: ten plain days, a day with broken rows, a day with a new column, and corrected deliveries."""

from __future__ import annotations

import csv
import datetime
import io
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from harness.engines.postgres import Postgres
from harness.lab import Lab

TYPES = {
    "file_day": "date",
    "order_id": "integer",
    "customer_id": "text",
    "city": "text",
    "ordered_at": "timestamp",
    "status": "text",
    "amount": "decimal(2)",
}
COLUMNS = ("order_id", "customer_id", "city", "ordered_at", "status", "amount")
STATUSES = ("placed", "paid", "shipped", "cancelled", "returned")
CITIES = ("Köln", "Frankfurt, Main", "'s-Hertogenbosch", 'Bad "Kissingen"', "Lyon", "A Coruña", "Łódź", "Graz")
HOUR = 4  # of the logical date

DAYS = tuple(datetime.date(2026, 3, 2) + datetime.timedelta(days=number) for number in range(10))
# The days of DAYS whose files are delivered again: with other rows, with nothing but the header, and the one whose
# load is killed (only changed and added rows).
CORRECTED, EMPTIED, KILLED = DAYS[3], DAYS[5], DAYS[7]
DIRTY, WIDE, AFTER_WIDE = DAYS[-1] + datetime.timedelta(1), DAYS[-1] + datetime.timedelta(2), datetime.date(2026, 3, 14)

TABLES = (
    """CREATE TABLE public.orders (
           file_day date, order_id bigint, customer_id text, city text, ordered_at timestamptz, status text,
           amount numeric(12, 2)
       )""",
    "CREATE TABLE public.orders_rejected (file_day date, reason text, record text)",
)


@dataclass(frozen=True)
class Line:
    """A line of a file, as text. ``flaw`` says why it must be rejected; empty for a good one."""

    order_id: str
    customer_id: str
    city: str
    ordered_at: str
    status: str
    amount: str
    flaw: str = ""

    @property
    def values(self) -> dict[str, str]:
        return {column: getattr(self, column) for column in COLUMNS}


@dataclass(frozen=True)
class File:
    """One delivery of a day."""

    day: datetime.date
    lines: tuple[Line, ...]
    columns: tuple[str, ...] = COLUMNS

    @property
    def path(self) -> str:
        return f"orders/orders_{self.day}.csv"

    @property
    def text(self) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        for number, line in enumerate(self.lines):
            # A column that isn't one of ours has a value of its own in every row.
            writer.writerow([line.values.get(column, f"{column}-{number}") for column in self.columns])
        return text.getvalue()

    @property
    def rejected(self) -> list[Line]:
        return [line for line in self.lines if line.flaw]

    @property
    def rows(self) -> list[dict[str, object]]:
        """What the table must hold for this delivery."""
        return [
            {
                "file_day": self.day,
                "order_id": int(line.order_id),
                "customer_id": line.customer_id,
                "city": line.city,
                "ordered_at": datetime.datetime.fromisoformat(line.ordered_at),
                "status": line.status,
                "amount": Decimal(line.amount),
            }
            for line in self.lines
            if not line.flaw
        ]


@dataclass(frozen=True)
class World:
    """First deliveries by day, and those that replace them."""

    files: Mapping[datetime.date, File]
    corrections: Mapping[datetime.date, File]

    def corrected(self, *days: datetime.date) -> dict[datetime.date, File]:
        """All files, with the corrections of these days in place of the first deliveries."""
        return {**self.files, **{day: self.corrections[day] for day in days}}


def rows(files: Mapping[datetime.date, File], days: Iterable[datetime.date]) -> list[dict[str, object]]:
    """What the table must hold when these days were loaded from these files."""
    return [row for day in days for row in files[day].rows]


def ordered_on(day: datetime.date, found: Iterable[Mapping[str, object]]) -> list[Mapping[str, object]]:
    return [row for row in found if isinstance(at := row["ordered_at"], datetime.datetime) and at.date() == day]


def build(seed: int, scale: float = 1.0) -> World:
    chance = random.Random(seed)  # noqa: S311
    numbers = iter(range(chance.randrange(100_000, 900_000), 10_000_000))

    def line(day: datetime.date) -> Line:
        moment = datetime.datetime.combine(day, datetime.time()) + datetime.timedelta(seconds=chance.randrange(86400))
        return Line(
            order_id=str(next(numbers)),
            customer_id=f"{chance.randrange(1, 99_999):06d}",
            city=chance.choice(CITIES),
            ordered_at=f"{moment.isoformat()}Z",
            status=chance.choice(STATUSES),
            amount=f"{chance.randrange(0, 60_000) / 100:.2f}",
        )

    def before(day: datetime.date, days: int) -> datetime.date:
        return day - datetime.timedelta(days=days)

    files: dict[datetime.date, File] = {}
    for day in (*DAYS, DIRTY, WIDE, AFTER_WIDE):
        # Broken rows are few among many.
        usual = 200 if day == DIRTY else 25
        lines = [line(before(day, 1)) for _ in range(round(usual * scale) + chance.randrange(10))]
        # Tills that were offline, with orders of one to four days earlier than the file's other ones.
        lines += [line(before(day, 1 + late)) for late in (1, 2, 3, 4) for _ in range(2)]
        # Orders of the two files before, with another status.
        for earlier in (before(day, 1), before(day, 2)):
            if earlier in files:
                known = chance.sample([item for item in files[earlier].lines if not item.flaw], 3)
                taken = {item.order_id for item in lines}
                lines += [
                    replace(item, status=chance.choice([status for status in STATUSES if status != item.status]))
                    for item in known
                    if item.order_id not in taken
                ]
        if day == DIRTY:
            lines += flaws(line(before(day, 1)) for _ in range(13))
        chance.shuffle(lines)
        if day == DIRTY:
            lines = repeated(chance, lines)
        columns = COLUMNS
        if day == WIDE:
            columns = ("amount", "channel", "status", "order_id", "ordered_at", "loyalty_points", "city", "customer_id")
        files[day] = File(day, tuple(lines), columns)

    corrections = {
        CORRECTED: corrected(chance, files[CORRECTED], [line(before(CORRECTED, 1)) for _ in range(3)], removed=5),
        EMPTIED: replace(files[EMPTIED], lines=()),
        KILLED: corrected(chance, files[KILLED], [line(before(KILLED, 1)) for _ in range(3)], removed=0),
        DIRTY: replace(files[DIRTY], lines=tuple(item for item in files[DIRTY].lines if not item.flaw)),
    }
    world = World(files, corrections)
    guard(world)
    return world


def flaws(good: Iterable[Line]) -> list[Line]:
    """Lines with one thing wrong each."""
    wrong = (
        ({"order_id": ""}, "no order"),
        ({"order_id": "X-17"}, "order is no number"),
        ({"customer_id": ""}, "no customer"),
        ({"city": ""}, "no city"),
        ({"ordered_at": ""}, "no time"),
        ({"ordered_at": "2026-13-41T25:61:00Z"}, "no such time"),
        ({"status": ""}, "no status"),
        ({"status": "teleported"}, "unknown status"),
        ({"amount": ""}, "no amount"),
        ({"amount": "-12.37"}, "negative amount"),
        ({"amount": "twelve"}, "amount is no number"),
        ({"amount": "NaN"}, "amount is literally no number"),
        ({"amount": "12.345"}, "amount has three decimals"),
    )
    return [replace(line, **values, flaw=flaw) for line, (values, flaw) in zip(good, wrong, strict=True)]


def repeated(chance: random.Random, lines: Sequence[Line]) -> list[Line]:
    """Three orders come once more at the end of the file, otherwise; their first lines are wrong."""
    chosen = chance.sample([line for line in lines if not line.flaw], 3)
    again = [replace(line, amount=f"{Decimal(line.amount) + 1}") for line in chosen]
    return [replace(line, flaw="repeated") if line in chosen else line for line in lines] + again


def corrected(chance: random.Random, file: File, added: Sequence[Line], removed: int) -> File:
    """Another delivery: some lines gone, four amounts changed, some lines new."""
    kept = chance.sample(file.lines, len(file.lines) - removed)
    changed = [replace(line, amount=f"{Decimal(line.amount) + Decimal('3.10')}") for line in kept[:4]]
    return replace(file, lines=(*changed, *kept[4:], *added))


def guard(world: World) -> None:
    assert all(file.rows for file in world.files.values())
    assert world.files[DIRTY].rejected and not world.corrections[DIRTY].rejected and world.corrections[DIRTY].rows
    assert all(not world.files[day].rejected for day in (*DAYS, WIDE, AFTER_WIDE))
    ids = [line.order_id for day in DAYS for line in world.files[day].lines]
    assert len(set(ids)) < len(ids), "no order comes in two files"
    for day in (CORRECTED, KILLED):
        others = [other for other in DAYS if other != day]
        for made_on in (day, day - datetime.timedelta(days=1)):
            assert ordered_on(made_on, rows(world.files, others)), "no other file has orders made on that day"
    gone = {row["order_id"] for row in world.files[CORRECTED].rows} - {
        row["order_id"] for row in world.corrections[CORRECTED].rows
    }
    assert len(gone) == 5


def create_tables(lab: Lab) -> None:
    lab.use(Postgres).execute(*TABLES, user="loader")


def deliver(lab: Lab, files: Iterable[File]) -> None:
    lab.deliver({file.path: file.text for file in files})


def furnish(world: World, lab: Lab) -> None:
    create_tables(lab)
    deliver(lab, world.files.values())


# canary: 397beb0a-c978-4032-992b-b9ab0fae30ea
