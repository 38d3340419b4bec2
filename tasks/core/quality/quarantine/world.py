"""Seven daily files of orders; each group of records shows one thing the gate has to tell apart."""

from __future__ import annotations

import csv
import datetime
import decimal
import io
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.lab import Lab

COLUMNS = (
    "order_id",
    "user_id",
    "email",
    "ordered_at",
    "updated_at",
    "quantity",
    "unit_price",
    "total_amount",
    "status",
    "note",
)
REQUIRED = tuple(column for column in COLUMNS if column not in ("email", "note"))
STATUSES = ("placed", "paid", "shipped", "cancelled")
FORM = "%Y-%m-%dT%H:%M:%S"

# The days, by what they bring.
FIRST, SECOND, BROKEN, EMPTY, WIDER, STALE, LARGE = (f"2026-03-0{day}" for day in range(2, 9))
DAYS = (FIRST, SECOND, BROKEN, EMPTY, WIDER, STALE, LARGE)

MALFORMED = (
    ("ordered_at", "2026-02-30T10:00:00"),
    ("ordered_at", "02/03/2026 10:00"),
    ("updated_at", "yesterday"),
    ("quantity", "0"),
    ("quantity", "-2"),
    ("quantity", "two"),
    ("quantity", "1.5"),
    ("unit_price", "12,50"),
    ("unit_price", "-1.00"),
    ("total_amount", "free"),
    ("total_amount", "-5.00"),
    ("status", "shiped"),
    ("status", "returned"),
)
# What a parser takes although the ticket's form excludes it.
LOOK_ALIKES = (
    ("ordered_at", "2026-03-02"),
    ("quantity", "1_0"),
    ("unit_price", "1e2"),
    ("unit_price", "NaN"),
    ("total_amount", "12.345"),
)
# The largest values that the columns of ``orders`` hold.
LARGEST = {
    "quantity": decimal.Decimal(2**31 - 1),
    "unit_price": decimal.Decimal("9999999999.99"),
    "total_amount": decimal.Decimal("9999999999.99"),
}
TOO_LARGE = (
    ("quantity", "2147483648"),
    ("quantity", "99999999999999999999"),
    ("unit_price", "10000000000.00"),
    ("total_amount", "10000000000"),
)
ODD_EMAILS = ("no-at-sign.example", "two@@shop.example", "a blank@shop.example", "nodot@localhost")
NOTES = ("", "", "gift, please wrap", 'says "call first"', "leave at no. 7; ring twice", "für Zoë")

Fields = dict[str, str]


@dataclass(frozen=True)
class Record:
    """One line of a file. ``raw`` is the line where it is not what the fields come to."""

    group: str
    fields: Fields
    raw: bytes | None = None
    number: int = 0

    @property
    def updated_at(self) -> datetime.datetime:
        return datetime.datetime.strptime(self.fields["updated_at"], FORM)


@dataclass(frozen=True)
class World:
    """The files by day, as their records and as bytes, and the users that exist."""

    records: dict[str, tuple[Record, ...]]
    files: dict[str, bytes]
    users: frozenset[str]
    reference: str

    # -- the truth, from the raw records ---------------------------------------------------------------------------

    def reasons(self, record: Record) -> list[str]:
        """Why a record is rejected."""
        if record.raw is not None:
            return ["unreadable"]
        found = []
        for column in REQUIRED:
            value = record.fields[column]
            if not value.strip():
                found.append(f"missing_{column}")
            elif not has_form(column, value):
                found.append(f"invalid_{column}")
            elif column == "user_id" and value not in self.users:
                found.append("unknown_user")
        return found

    def accepted(self, day: str) -> list[Record]:
        """Of each order in the file the latest good record."""
        latest: dict[str, Record] = {}
        for record in self.records[day]:
            known = latest.get(record.fields.get("order_id", ""))
            if not self.reasons(record) and (known is None or record.updated_at > known.updated_at):
                latest[record.fields["order_id"]] = record
        return list(latest.values())

    def counts(self, days: Iterable[str]) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        for day in days:
            records, accepted = len(self.records[day]), len(self.accepted(day))
            rejected = sum(1 for record in self.records[day] if self.reasons(record))
            merged = records - accepted - rejected
            made = (datetime.date.fromisoformat(day), records, accepted, merged, rejected)
            found.append(dict(zip(("batch", "records", "accepted", "merged", "rejected"), made, strict=True)))
        return found

    def orders(self, ids: Iterable[str], days: Iterable[str] = DAYS) -> list[dict[str, object]]:
        """What ``orders`` holds of some orders once the days are in."""
        wanted, latest = set(ids), dict[str, Record]()
        for day in days:
            for record in self.accepted(day):
                order = record.fields["order_id"]
                if order in wanted and (order not in latest or record.updated_at > latest[order].updated_at):
                    latest[order] = record
        assert latest, "no order is expected"
        return [typed(record.fields) for record in latest.values()]

    def quarantine(self, day: str, *groups: str) -> list[dict[str, object]]:
        found: list[dict[str, object]] = [
            {"batch": datetime.date.fromisoformat(day), "line": record.number, "reason": reason}
            for record in self.of(day, *groups)
            for reason in self.reasons(record)
        ]
        assert found, f"nothing of {groups} is rejected on {day}"
        return found

    def review(self, *days: str) -> list[dict[str, object]]:
        found: list[dict[str, object]] = [
            {
                "batch": datetime.date.fromisoformat(day),
                "line": record.number,
                "order_id": record.fields["order_id"],
                "flag": flag,
            }
            for day in days
            for record in self.accepted(day)
            for flag in flags(record.fields)
        ]
        assert found, "nothing is flagged"
        return found

    def of(self, day: str, *groups: str) -> list[Record]:
        return [record for record in self.records[day] if record.group in groups]

    def ids(self, *groups: str, days: Iterable[str] = DAYS) -> set[str]:
        """The orders that some groups of records are about."""
        found = {record.fields["order_id"] for day in days for record in self.of(day, *groups)}
        return {order for order in found if order.strip()}


def has_form(column: str, value: str) -> bool:
    match column:
        case "ordered_at" | "updated_at":
            try:
                datetime.datetime.strptime(value, FORM)
            except ValueError:
                return False
            return len(value) == len("2026-03-02T14:05:59")
        case "quantity":
            return re.fullmatch(r"[0-9]+", value) is not None and 0 < int(value) <= LARGEST[column]
        case "unit_price" | "total_amount":
            formed = re.fullmatch(r"[0-9]+(\.[0-9]{1,2})?", value) is not None
            return formed and decimal.Decimal(value) <= LARGEST[column]
        case "status":
            return value in STATUSES
    return True


def flags(fields: Fields) -> list[str]:
    """What is odd about a good record."""
    found = []
    if fields["email"].strip() and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", fields["email"]):
        found.append("odd_email")
    due = decimal.Decimal(fields["quantity"]) * decimal.Decimal(fields["unit_price"])
    if abs(decimal.Decimal(fields["total_amount"]) - due) > decimal.Decimal("0.01"):
        found.append("odd_total")
    if fields["updated_at"] < fields["ordered_at"]:
        found.append("odd_times")
    return found


def typed(fields: Fields) -> dict[str, object]:
    row: dict[str, object] = {column: fields[column] if fields[column].strip() else None for column in COLUMNS}
    for column in ("ordered_at", "updated_at"):
        row[column] = datetime.datetime.strptime(fields[column], FORM)
    for column in ("unit_price", "total_amount"):
        row[column] = decimal.Decimal(fields[column])
    row["quantity"] = int(fields["quantity"])
    return row


# -- making it --------------------------------------------------------------------------------------------------------


class Shop:
    """Makes orders, and remembers them by group."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.users = [f"C{number}" for number in draw.sample(range(1000, 9999), 40)]
        self.records: defaultdict[str, list[Record]] = defaultdict(list)
        self.used: set[str] = set()

    def order(self, day: str, hour: int = 0, **changes: str) -> Fields:
        """A good order of a day; a later hour is later on that day."""
        draw = self.draw
        while (number := f"{draw.choice('ABN')}-{draw.randrange(100_000, 999_999)}") in self.used:
            pass
        self.used.add(number)
        user, quantity, cents = draw.choice(self.users), draw.randrange(1, 9), draw.randrange(99, 19_999)
        moment = datetime.datetime.fromisoformat(day) + datetime.timedelta(hours=6, seconds=draw.randrange(3600))
        fields = {
            "order_id": number,
            "user_id": user,
            "email": draw.choice(("", f"{user.lower()}@shop.example", f"o'neill+{user}@mail.shop.example")),
            "ordered_at": (moment - datetime.timedelta(minutes=draw.randrange(1, 200))).strftime(FORM),
            "updated_at": (moment + datetime.timedelta(hours=hour)).strftime(FORM),
            "quantity": str(quantity),
            "unit_price": f"{decimal.Decimal(cents) / 100:.2f}",
            "total_amount": f"{decimal.Decimal(cents * quantity) / 100:.2f}",
            "status": draw.choice(STATUSES),
            "note": draw.choice(NOTES),
        }
        return fields | changes

    def send(self, day: str, group: str, fields: Fields, raw: bytes | None = None) -> Fields:
        self.records[day].append(Record(group, fields, raw))
        return fields

    def later(self, fields: Fields, day: str, hour: int = 0) -> Fields:
        """The same order, changed at a later time."""
        fresh = self.order(day, hour)
        kept = {name: fields[name] for name in ("order_id", "user_id", "ordered_at")}
        return fresh | kept

    def unknown_user(self) -> str:
        while (user := f"C{self.draw.randrange(1000, 9999)}") in self.users:
            pass
        return user


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    shop = Shop(draw)
    sizes = {FIRST: 25, SECOND: 10, BROKEN: 10, WIDER: 10, STALE: 8, LARGE: 10}
    for day, size in sizes.items():
        for _ in range(max(size, round(size * scale))):
            made = "2026-03-05" if day == STALE else day
            shop.send(day, {WIDER: "wider", STALE: "stale"}.get(day, "good"), shop.order(made))
    reject(shop)
    merge_and_flag(shop)
    come_again(shop)
    tear(shop)
    overflow(shop)
    for records in shop.records.values():
        draw.shuffle(records)
    records = {
        day: tuple(replace(record, number=number) for number, record in enumerate(shop.records[day], 2)) for day in DAYS
    }
    order = list(COLUMNS)
    draw.shuffle(order)
    wider = [*order[:4], "channel", *order[4:]]
    files = {day: written(records[day], wider if day == WIDER else list(COLUMNS)) for day in DAYS}
    known = [f"{user},{draw.choice(('DE', 'FR', 'IS'))}" for user in shop.users]
    reference = "\n".join(["user_id,country", *known[:20], ",DE", *known[20:], ",", ""])
    world = World(records, files, frozenset(shop.users), reference)
    guard(world)
    return world


def reject(shop: Shop) -> None:
    draw = shop.draw
    for number, column in enumerate(REQUIRED):
        shop.send(FIRST, "incomplete", shop.order(FIRST, **{column: "   " if number % 3 == 2 else ""}))
    for column, value in MALFORMED:
        shop.send(FIRST, "malformed", shop.order(FIRST, **{column: value}))
    for column, value in LOOK_ALIKES:
        shop.send(FIRST, "look-alike", shop.order(FIRST, **{column: value}))
    for _ in range(4):
        shop.send(FIRST, "unknown", shop.order(FIRST, user_id=shop.unknown_user()))
    shop.send(FIRST, "manifold", shop.order(FIRST, user_id="", quantity="0", status=" "))
    shop.send(FIRST, "manifold", shop.order(FIRST, user_id=shop.unknown_user(), total_amount="free"))
    shop.send(FIRST, "manifold", shop.order(FIRST, ordered_at="soon", updated_at="", unit_price="-3"))
    draw.shuffle(shop.records[FIRST])


def merge_and_flag(shop: Shop) -> None:
    for number in range(3):
        first = shop.send(FIRST, "merged", shop.order(FIRST))
        shop.send(FIRST, "merged", shop.later(first, FIRST, hour=2))
        shop.send(FIRST, "merged", latest := shop.later(first, FIRST, hour=5))
        if number:
            shop.send(FIRST, "merged", dict(latest))
        # The newest of all is no good: it is rejected, and doesn't take the others along.
        shop.send(FIRST, "bad-twin", shop.later(first, FIRST, hour=8) | {"quantity": "0"})
    for email in ODD_EMAILS:
        shop.send(FIRST, "odd", shop.order(FIRST, email=email))
    for amount in ("9999.99", "0.05"):
        shop.send(FIRST, "odd", shop.order(FIRST, unit_price="10.00", quantity="3", total_amount=amount))
    shop.send(FIRST, "odd", shop.order(FIRST, unit_price="10", quantity="3", total_amount="30.02"))
    # A cent is within what rounding does.
    shop.send(FIRST, "good", shop.order(FIRST, unit_price="10.00", quantity="3", total_amount="30.01", email=""))
    shop.send(FIRST, "good", shop.order(FIRST, unit_price="3.33", quantity="3", total_amount="10.00", email=""))
    shop.send(FIRST, "odd", shop.order(FIRST, ordered_at="2026-03-02T23:59:59"))
    shop.send(FIRST, "odd", shop.order(FIRST, email=ODD_EMAILS[0], ordered_at="2026-03-02T23:59:59", total_amount="1"))


def come_again(shop: Shop) -> None:
    draw = shop.draw
    mendable = [record for record in shop.records[FIRST] if record.group in ("incomplete", "malformed", "unknown")]
    for record in draw.sample([record for record in mendable if record.fields["order_id"].strip()], 8):
        mended = shop.order(SECOND, order_id=record.fields["order_id"])
        shop.send(SECOND, "mended", mended)
        shop.send(BROKEN, "mended", dict(mended))
    for number in range(6):
        old = shop.send(FIRST, "changing", shop.order(FIRST, hour=3))
        shop.send(SECOND, "changing", shop.later(old, SECOND))
        if number % 2:
            # An old state of an order comes behind a newer one.
            shop.send(STALE, "changing", shop.later(old, FIRST, hour=9))


def tear(shop: Shop) -> None:
    """Lines that are no record."""
    for number in range(6):
        fields = shop.order(BROKEN, note="plain")
        line = written([Record("", fields)], list(COLUMNS)).split(b"\n")[1]
        raw = (
            line.replace(b"plain", b"caf\xe9"),
            line.rpartition(b",")[0],
            line + b",surplus",
            line.replace(b",plain", b',"never closed'),
            line.replace(b"plain", b"\xff\xfe\x00"),
            b"*** transfer resumed ***",
        )[number]
        shop.send(BROKEN, "torn", fields, raw)


def overflow(shop: Shop) -> None:
    """Values that are too large for their column, and some that just fit."""
    for column, value in TOO_LARGE:
        shop.send(LARGE, "too-large", shop.order(LARGE, **{column: value}))
    most = str(LARGEST["total_amount"])
    shop.send(LARGE, "good", shop.order(LARGE, quantity="1", unit_price=most, total_amount=most))
    many = {"quantity": str(LARGEST["quantity"]), "unit_price": "0.01", "total_amount": "21474836.47"}
    shop.send(LARGE, "good", shop.order(LARGE, **many))


def written(records: Iterable[Record], columns: list[str]) -> bytes:
    lines = [encoded(columns)]
    for record in records:
        channel = {"channel": ("web", "app")[record.number % 2]}
        lines.append(record.raw or encoded([(record.fields | channel)[column] for column in columns]))
    return b"\n".join(lines) + b"\n"


def encoded(values: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(list(values))
    return text.getvalue().encode()


def guard(world: World) -> None:
    """Every group shows what it is there for."""
    kinds = Counter(record.group for day in DAYS for record in world.records[day])
    for group, least in {"good": 40, "mended": 16, "merged": 11, "bad-twin": 3, "torn": 6, "odd": 9}.items():
        assert kinds[group] >= least, group
    for group in ("incomplete", "malformed", "look-alike", "unknown", "bad-twin"):
        assert all(len(world.reasons(record)) == 1 for record in world.of(FIRST, group)), group
    too_large = Counter(reason for record in world.of(LARGE, "too-large") for reason in world.reasons(record))
    assert too_large == Counter(f"invalid_{column}" for column, _ in TOO_LARGE), too_large
    assert all(len(world.reasons(record)) > 1 for record in world.of(FIRST, "manifold"))
    for day in DAYS:
        for record in world.of(day, "good", "wider", "stale", "merged", "changing", "mended", "odd"):
            assert not world.reasons(record), record
    assert {row["flag"] for row in world.review(FIRST)} == {"odd_email", "odd_total", "odd_times"}
    assert all(flags(record.fields) for record in world.of(FIRST, "odd"))
    assert not any(
        flags(record.fields)
        for day in DAYS
        for record in world.records[day]
        if record.group in ("good", "merged", "changing", "mended", "wider", "stale")
    )
    assert not world.records[EMPTY]
    assert all(record.fields["updated_at"] < STALE for record in world.accepted(STALE))


# -- laying it out ----------------------------------------------------------------------------------------------------


def furnish(world: World, lab: Lab) -> None:
    deliver(world, lab, *DAYS)


def deliver(world: World, lab: Lab, *days: str) -> None:
    """The files of some days arrive."""
    lab.deliver({f"incoming/orders_{day}.csv": world.files[day] for day in days})
    lab.deliver({"reference/users.csv": world.reference})


# canary: 083f606c-16c5-406a-a9ae-885d367e6f15
