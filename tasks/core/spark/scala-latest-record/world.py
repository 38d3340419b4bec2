"""Changes of customers from two sources; each group shows one thing that decides which row is the latest."""

from __future__ import annotations

import csv
import datetime
import io
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.lab import Lab

COLUMNS = ("customer_id", "source", "operation", "changed_at", "sequence", "name", "email", "segment")
# What was there first, and what came late.
FIRST, LATE = "first", "late"
BROKEN = (
    ("customer_id", ""),
    ("changed_at", "yesterday"),
    ("changed_at", "2026-02-30T10:00:00Z"),
    ("sequence", "n/a"),
    ("sequence", "1.5"),
)

Fields = dict[str, str]


@dataclass(frozen=True)
class World:
    """The rows by delivery, and the customers by group."""

    deliveries: dict[str, tuple[Fields, ...]]
    groups: dict[str, frozenset[str]]

    # -- the truth, from the raw rows ------------------------------------------------------------------------------

    def customers(self, group: str, deliveries: Iterable[str]) -> list[dict[str, object]]:
        """The group's customers as they are after the deliveries."""
        latest: dict[str, Fields] = {}
        for row in (row for delivery in deliveries for row in self.deliveries[delivery]):
            if is_sound(row) and row["customer_id"] in self.groups[group]:
                known = latest.get(row["customer_id"])
                if known is None or rank(row) > rank(known):
                    latest[row["customer_id"]] = row
        return [typed(row) for row in latest.values() if row["operation"] != "delete"]

    def rejected(self, deliveries: Iterable[str]) -> list[dict[str, object]]:
        found: list[dict[str, object]] = [
            {"customer_id": row["customer_id"] or None}
            for delivery in deliveries
            for row in self.deliveries[delivery]
            if not is_sound(row)
        ]
        assert found, "no broken row is expected"
        return found


def rank(row: Fields) -> tuple[str, int, bool]:
    return row["changed_at"], int(row["sequence"] or -1), row["source"] == "crm"


def is_sound(row: Fields) -> bool:
    try:
        moment(row["changed_at"])
        int(row["sequence"] or 0)
    except ValueError:
        return False
    return bool(row["customer_id"])


def moment(text: str) -> datetime.datetime | None:
    return datetime.datetime.fromisoformat(text.removesuffix("Z")) if text else None


def typed(row: Fields) -> dict[str, object]:
    texts: dict[str, object] = {column: row[column] or None for column in ("name", "email", "segment")}
    return {
        "customer_id": row["customer_id"],
        "source": row["source"],
        "changed_at": moment(row["changed_at"]),
        **texts,
    }


# -- making it --------------------------------------------------------------------------------------------------------


class Office:
    """Makes rows, and remembers the customers by group."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.groups: defaultdict[str, set[str]] = defaultdict(set)
        self.numbers = iter(draw.sample(range(10_000, 100_000), 5000))

    def customer(self, group: str, **values: str) -> Fields:
        number = f"K{next(self.numbers)}"
        self.groups[group].add(number)
        day, second = self.draw.randrange(1, 15), self.draw.randrange(86_400)
        changed_at = datetime.datetime(2026, 3, day) + datetime.timedelta(seconds=second)
        row = {"customer_id": number, "changed_at": f"{changed_at.isoformat()}Z", "sequence": "5"}
        return self.changed(row | {"source": self.draw.choice(("crm", "shop"))}, **values)

    def changed(self, row: Fields, days: int = 0, **values: str) -> Fields:
        """The customer as written again, at the same moment or days later, with values of its own."""
        when = moment(row["changed_at"])
        later = f"{(when + datetime.timedelta(days=days)).isoformat()}Z" if when else ""
        name = self.draw.choice(("Ng, Lee", "Ada", "Björk", "O'Neil", "Ines")) + f" {self.draw.randrange(10_000)}"
        drawn = {
            "operation": "upsert",
            "changed_at": later,
            "name": name,
            "email": f"{self.draw.randrange(10**6)}@example.org",
            "segment": self.draw.choice(("new", "regular", "premium")),
        }
        return row | drawn | values


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    office = Office(draw)
    first: list[Fields] = []
    late: list[Fields] = []
    for _ in range(round(60 * scale)):
        row = office.customer("plain")
        first += [row, office.changed(row, days=draw.randrange(1, 9))][: draw.randrange(1, 3)]
    for _ in range(max(round(12 * scale), 3)):
        # Of one moment: the sequence decides, and as a number.
        row = office.customer("numbered", sequence="9")
        first += [row, office.changed(row, sequence="10"), office.changed(row, sequence="")]
        # A sequence of nought is more than none, and one may have outgrown 32 bits.
        row = office.customer("numbered", source="shop", sequence="0")
        first += [row, office.changed(row, source="crm", sequence="")]
        row = office.customer("numbered", sequence="2999999999")
        first += [row, office.changed(row, sequence="3000000000")]
        # Of one moment and sequence, or of none: the CRM decides. And the same row twice.
        row = office.customer("tied", source="shop", sequence=draw.choice(("7", "")))
        decisive = office.changed(row, source="crm")
        first += [row, decisive, decisive]
        # From the old system: older than anything, unless there is nothing else.
        first.append(office.customer("undated") | {"changed_at": ""})
        dated = office.customer("undated", sequence="1")
        first += [dated, office.changed(dated, sequence="50") | {"changed_at": ""}]
        # What was known of them isn't any more.
        row = office.customer("emptied")
        gone = draw.choice(("name", "email", "segment"))
        first += [row, office.changed(row, days=1), office.changed(row, days=2, **{gone: ""})]
        # Gone; gone and come back; gone by the rule for ties.
        row = office.customer("left")
        first += [row, office.changed(row, days=3, operation="delete")]
        row = office.customer("left")
        first += [row, office.changed(row, days=3, operation="delete"), office.changed(row, days=4)]
        row = office.customer("left", sequence="2")
        first += [row, office.changed(row, sequence="11", operation="delete")]
        # Late rows: older than what is known, newer than it, of a customer who is new.
        row = office.customer("late")
        first += [office.changed(row, days=5)]
        late += [office.changed(row, days=2), office.changed(row, days=3, operation="delete")]
        row = office.customer("late")
        first.append(row)
        late += [office.changed(row, days=4), office.customer("late")]
        # A sound row and a broken one of the same customer.
        row = office.customer("plain")
        first += [row, office.changed(row, days=1, sequence="n/a")]
    for column, value in BROKEN:
        first += [office.customer("broken") | {column: value}, office.customer("broken") | {column: value}]
        late.append(office.customer("broken") | {column: value})
    draw.shuffle(first)
    draw.shuffle(late)
    return World(
        {FIRST: tuple(first), LATE: tuple(late)},
        {group: frozenset(customers) for group, customers in office.groups.items()},
    )


def as_csv(rows: Sequence[Fields]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def furnish(world: World, lab: Lab, deliveries: Sequence[str] = (FIRST, LATE)) -> None:
    """Each delivery in two files."""
    for delivery in deliveries:
        rows = world.deliveries[delivery]
        lab.deliver({f"changes/{delivery}-{part}.csv": as_csv(rows[part::2]) for part in range(2)})


def furnish_otherwise(world: World, lab: Lab) -> None:
    """All rows the other way round, in five files that mix the deliveries."""
    rows = [row for delivery in (LATE, FIRST) for row in reversed(world.deliveries[delivery])]
    lab.deliver({f"changes/{part}.csv": as_csv(rows[part::5]) for part in range(5)})


# canary: 58d2d429-7b16-4150-990d-7e9849ec9d0a
