"""A small shop with everything it knows of its customers, and two of them who want to be forgotten."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import random
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from harness.engines.postgres import Postgres
from harness.lab import Lab

LOADED, LATEST, NEXT = "2026-03-02", "2026-03-03", "2026-03-04"
DAYS = (LOADED, LATEST, NEXT)
CITIES = ("Wien", "Graz", "Linz")
TABLES = {
    "raw.users": "user_id int PRIMARY KEY, name text, email text, phone text, address text",
    "raw.orders": (
        "order_id int PRIMARY KEY, user_id int, city text, day date, amount numeric(10, 2), ship_to text, note text"
    ),
    "raw.events": "event_id int PRIMARY KEY, day date, payload jsonb",
    "staging.contacts": "user_id int PRIMARY KEY, email_key text, domain text",
    "history.users": "user_id int, name text, email text, phone text, address text, valid_from date, valid_to date",
    "marts.customers": "user_id int, name text, email text, orders bigint, revenue numeric(12, 2)",
    "marts.orders": "order_id int, user_id int, customer_name text, city text, day date, amount numeric(10, 2)",
    "marts.sales_by_day": "day date, orders bigint, revenue numeric(12, 2)",
    "marts.sales_by_city": "city text, orders bigint, revenue numeric(12, 2)",
    "backup.users_202602": "user_id int, name text, email text, phone text, address text",
    "ops.log": "day date, message text",
}
COLUMNS = {
    table: [part.split()[0] for part in columns.replace("(10, 2)", "").replace("(12, 2)", "").split(", ")]
    for table, columns in TABLES.items()
}

Row = dict[str, Any]


@dataclass(frozen=True)
class User:
    user_id: int
    name: str
    email: str
    phone: str
    address: str


@dataclass(frozen=True)
class Order:
    order_id: int
    user_id: int
    city: str
    day: str
    amount: Decimal
    ship_to: str
    note: str


@dataclass(frozen=True)
class Event:
    event_id: int
    day: str
    type: str
    actor: int
    recipient: int | None


@dataclass(frozen=True)
class Bad:
    """A record that can't be loaded, as it comes in a file of a day."""

    kind: str
    day: str
    user_id: int
    reason: str
    line: str


@dataclass(frozen=True)
class World:
    """What the shop sends, what was there before, and who is to be erased, one after the other."""

    users: Mapping[str, tuple[User, ...]]
    orders: tuple[Order, ...]
    events: tuple[Event, ...]
    bad: tuple[Bad, ...]
    backup: tuple[User, ...]
    persons: tuple[int, int]

    # -- the truth -------------------------------------------------------------------------------------------------

    def tables(self, *days: str, erased: Iterable[int] = ()) -> dict[str, list[Row]]:
        """What is in the database once these days are loaded and these persons are erased, but for the log."""
        gone, current = set(erased), {}
        history: list[Row] = []
        for day in days:
            for user in self.users[day]:
                if current.get(user.user_id) == user:
                    continue
                for row in history:
                    if row["user_id"] == user.user_id and row["valid_to"] is None:
                        row["valid_to"] = day
                history.append({**vars(user), "valid_from": day, "valid_to": None})
                current[user.user_id] = user
        known = {number: user for number, user in current.items() if number not in gone}
        orders = [
            order if order.user_id not in gone else replace(order, user_id=None, ship_to=None, note=None)
            for order in self.orders
            if order.day in days
        ]
        return {
            "raw.users": [dict(vars(user)) for user in known.values()],
            "raw.orders": [dict(vars(order)) for order in orders],
            "raw.events": [
                {"event_id": event.event_id, "day": event.day, "payload": self.payload(event, gone)}
                for event in self.events
                if event.day in days and event.actor not in gone
            ],
            "staging.contacts": [
                {"user_id": user.user_id, "email_key": user.email.lower(), "domain": user.email.partition("@")[2]}
                for user in known.values()
            ],
            "history.users": [row for row in history if row["user_id"] not in gone],
            "marts.customers": [
                {"user_id": user.user_id, "name": user.name, "email": user.email, **figures(own)}
                for user in known.values()
                for own in [[order for order in orders if order.user_id == user.user_id]]
            ],
            "marts.orders": [
                {
                    "order_id": order.order_id,
                    "user_id": order.user_id,
                    "customer_name": known[order.user_id].name if order.user_id in known else None,
                    "city": order.city,
                    "day": order.day,
                    "amount": order.amount,
                }
                for order in orders
            ],
            "marts.sales_by_day": [
                {"day": day, **figures([order for order in orders if order.day == day])} for day in days
            ],
            "marts.sales_by_city": [
                {"city": city, **figures([order for order in orders if order.city == city])} for city in CITIES
            ],
            "backup.users_202602": [dict(vars(user)) for user in self.backup if user.user_id not in gone],
        }

    def payload(self, event: Event, gone: Iterable[int] = ()) -> Row:
        actor, known = self.at(event.actor, event.day), event.recipient not in {None, *gone}
        recipient = self.at(event.recipient, event.day) if known and event.recipient else None
        return {
            "type": event.type,
            "actor": {"user_id": actor.user_id, "email": actor.email},
            "recipient": recipient and {"user_id": recipient.user_id, "email": recipient.email, "name": recipient.name},
        }

    def at(self, number: int, day: str) -> User:
        """What is known of a user on a day."""
        found = [user for when in DAYS if when <= day for user in self.users[when] if user.user_id == number]
        return found[-1]

    def of(self, number: int) -> list[User]:
        """All that a user has ever been."""
        return [user for users in (*self.users.values(), self.backup) for user in users if user.user_id == number]

    def secrets(self, number: int, day: str) -> set[str]:
        """What only this person has, of all that have come up to a day, in small letters; for addresses also as the
        newsletter has them."""
        own = self.values(number)
        numbers = {user.user_id for when in DAYS if when <= day for user in self.users[when]} - {number}
        others = {value for other in numbers for value in self.values(other)}
        emails = {user.email for user in self.of(number) if user.email.casefold() not in others}
        tokens = {base64.urlsafe_b64encode(email.encode()).decode().rstrip("=").casefold() for email in emails}
        return own - others | tokens

    def values(self, number: int) -> set[str]:
        found = {value for user in self.of(number) for value in (user.name, user.email, user.phone, user.address)}
        found |= {text for order in self.orders if order.user_id == number for text in (order.ship_to, order.note)}
        return {value.casefold() for value in found if value}

    # -- files -----------------------------------------------------------------------------------------------------

    def inbox(self, *days: str) -> dict[str, str]:
        files = {}
        for day in days:
            lines = {
                "users": [json.dumps(vars(user), ensure_ascii=False) for user in self.users[day]],
                "orders": [order_line(order) for order in self.orders if order.day == day],
                "events": [
                    json.dumps({"event_id": event.event_id, "payload": self.payload(event)}, ensure_ascii=False)
                    for event in self.events
                    if event.day == day
                ],
            }
            for bad in self.bad:
                if bad.day == day:
                    lines[bad.kind].insert(len(lines[bad.kind]) // 2, bad.line)
            files |= {f"inbox/{day}/{kind}.jsonl": "".join(f"{line}\n" for line in of) for kind, of in lines.items()}
        return files

    def letters(self, day: str) -> list[Row]:
        return [{"reason": bad.reason, "record": bad.line} for bad in self.bad if bad.day == day]

    def exports(self, day: str) -> dict[str, str]:
        users = sorted({user.user_id for when in DAYS if when <= day for user in self.users[when]})
        known = [self.at(number, day) for number in users]
        links = [
            (
                user.user_id,
                f"https://shop.example/unsubscribe?t={base64.urlsafe_b64encode(user.email.encode()).decode()}",
            )
            for user in known
        ]
        return {
            f"lake/exports/customers_{day}.csv": as_csv(known),
            f"lake/exports/newsletter_{day}.csv": table_text([("user_id", "link"), *links]),
        }

    def log_lines(self) -> list[tuple[int, str]]:
        """What the pipeline has said so far, and whom it is about."""
        found = [
            (bad.user_id, f"WARNING {bad.kind}: {bad.reason} in {bad.line}") for bad in self.bad if bad.day != NEXT
        ]
        for user in self.users[LATEST]:
            before = self.at(user.user_id, LOADED)
            if before != user:
                found.append((user.user_id, f"INFO user {user.user_id}: {before.email} is now {user.email}"))
        for user in self.users[LOADED]:
            found.append((user.user_id, f"INFO mail to <{user.email.upper()}> was sent"))
        return found

    def messages(self) -> list[tuple[int, Row]]:
        said = [
            (bad.user_id, {"day": bad.day, "message": f"dead letter: {bad.reason}"})
            for bad in self.bad
            if bad.day != NEXT
        ]
        called = [
            (user.user_id, {"day": LOADED, "message": f"Called back {user.email}"}) for user in self.users[LOADED]
        ]
        return said + called

    def report(self) -> str:
        rows = "".join(f"| {user.user_id} | {user.name} | {user.address} |\n" for user in self.backup[:20])
        head = "# The best customers of February\n\n| number | name | lives |\n|---|---|---|\n"
        return f"{head}{rows}\n{len(self.backup)} in all.\n"

    def lake(self) -> dict[str, bytes]:
        """What is below ``lake/`` at first."""
        text = {
            **self.exports(LOADED),
            **self.exports(LATEST),
            **{
                f"lake/dead_letters/{day}.jsonl": "".join(
                    json.dumps(letter, ensure_ascii=False) + "\n" for letter in self.letters(day)
                )
                for day in (LOADED, LATEST)
            },
            "lake/logs/pipeline.log": "".join(f"{line}\n" for _, line in self.log_lines()),
            "lake/reports/top_customers_202602.md": self.report(),
        }
        archive = gzip.compress(as_csv(self.backup).encode(), mtime=0)
        return {path: content.encode() for path, content in text.items()} | {
            "lake/archive/customers_202602.csv.gz": archive
        }


def figures(orders: list[Any]) -> Row:
    return {"orders": len(orders), "revenue": sum((order.amount for order in orders), Decimal("0.00"))}


def order_line(order: Order) -> str:
    row = {name: value for name, value in vars(order).items() if name != "day"}
    return json.dumps({**row, "amount": str(order.amount)}, ensure_ascii=False)


def as_csv(users: Iterable[User]) -> str:
    rows = [(user.user_id, user.name, user.email, user.address) for user in users]
    return table_text([("user_id", "name", "email", "address"), *rows])


def table_text(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


# -- making it --------------------------------------------------------------------------------------------------------


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    numbers = draw.sample(range(1000, 9999), round(36 * scale))
    # A number that begins like the first person's.
    numbers[7] = longer = 10 * numbers[0] + draw.randrange(10)
    firsts = ("Anna", "Ben", "Carla", "Dora", "Emil", "Franz", "Gerda", "Hugo")
    lasts = ("Ebner", "Groß", "Hölzl", "Ivić", "Jäger", "Kern", "O'Neill", "Moser")

    def user(number: int) -> User:
        first, last = draw.choice(firsts), f"{draw.choice(lasts)}-{draw.choice(lasts)}{number % 97}"
        plain = unicodedata.normalize("NFKD", last.lower().replace("ß", "ss").replace("'", ""))
        local = f"{first}.{plain.encode('ascii', 'ignore').decode()}{draw.randrange(99)}"
        email = f"{local}@{draw.choice(('mail', 'post'))}.example"
        phone = f"+43 1 {draw.randrange(10**6, 10**7)}"
        return User(number, f"{first} {last}", email, phone, f"Gasse {number}, {draw.randrange(1000, 9999)} Wien")

    people = {number: user(number) for number in numbers}
    first, second, cohabitant, namesake, joanna, gone_from_shop = numbers[:6]
    people[cohabitant] = replace(people[cohabitant], address=people[first].address, phone=people[first].phone)
    people[namesake] = replace(people[namesake], name=people[second].name)
    people[joanna] = replace(people[joanna], email=f"jo{people[first].email}")
    people[longer] = replace(people[longer], address=f"Gasse {longer}, {first} Wien")  # a number that is no user's
    older = [
        replace(person, email=f"old.{person.email}", phone=f"+43 2 {draw.randrange(10**6, 10**7)}")
        if draw.random() < 0.5 or person.user_id in (first, second)
        else person
        for person in people.values()
    ]
    # On the second day some have moved; the third day brings newcomers, and says again what is known of the two.
    moved = [
        replace(people[number], email=f"new.{people[number].email}", address=f"Neue {people[number].address}")
        for number in (first, second, namesake, *numbers[7:12])
    ]
    # The second person comes back under a new number.
    newcomers = [user(number) for number in draw.sample([n for n in range(10_000, 12_000) if n != longer], 4)]
    newcomers[0] = replace(newcomers[0], name=moved[1].name, email=moved[1].email)
    again = tuple(replace(person, phone=f"{person.phone}-9") for person in moved[:2])
    users = {LOADED: tuple(people.values()), LATEST: tuple(moved), NEXT: (*newcomers, *again, *moved[2:4])}

    orders, events, bad = [], [], []
    ids = iter(draw.sample(range(100_000, 999_999), 2000))
    for day in DAYS:
        for buyer in [first, second, first, cohabitant, joanna, *draw.choices(numbers, k=20)]:
            number = next(ids)
            note = f"ring twice, {draw.randrange(10**6)}" if draw.random() < 0.5 or buyer == first else ""
            ship_to = f"c/o {buyer}-{number}, {draw.choice(CITIES)}"
            amount = Decimal(draw.randrange(100, 90_000)).scaleb(-2)
            orders.append(Order(number, buyer, draw.choice(CITIES), day, amount, ship_to, note))
        for actor, recipient in [
            (first, None),
            (cohabitant, first),
            (second, first),
            (joanna, second),
            (first, joanna),
            *[(draw.choice(numbers[6:]), draw.choice((None, *numbers[6:]))) for _ in range(10)],
        ]:
            events.append(Event(next(ids), day, "gift" if recipient else "login", actor, recipient))
        for person in (first, second, joanna, longer):
            number = next(ids)
            row = {"order_id": number, "user_id": person, "city": "Graz", "amount": "a lot"}
            row |= {"ship_to": people[person].address, "note": f"write to {people[person].email.upper()}"}
            line = json.dumps(row, ensure_ascii=False)
            bad.append(Bad("orders", day, person, "no amount: a lot", line))
        for person in (first, longer):
            known = people[person]
            email = f"{known.email.upper()} "  # a blank too many
            line = json.dumps({**vars(known), "email": email}, ensure_ascii=False)
            bad.append(Bad("users", day, person, f"no address: {email}", line))
    assert gone_from_shop not in {order.user_id for order in orders[:3]}
    return World(users, tuple(orders), tuple(events), tuple(bad), tuple(older), (first, second))


def furnish(world: World, lab: Lab) -> None:
    """Two days are loaded already, by the pipeline as it was."""
    postgres = lab.use(Postgres)
    schemas = dict.fromkeys(table.partition(".")[0] for table in TABLES)
    postgres.execute(
        *(f"CREATE SCHEMA {schema}" for schema in schemas),
        *(f"CREATE TABLE {table} ({columns})" for table, columns in TABLES.items()),
        *(insertion(table, rows) for table, rows in world.tables(LOADED, LATEST).items()),
        insertion("ops.log", [row for _, row in world.messages()]),
        user="loader",
    )
    lab.deliver(world.inbox(*DAYS))
    lab.box.put("work", world.lake())


def insertion(table: str, rows: list[Row]) -> str:
    values = ", ".join(f"({', '.join(literal(row[column]) for column in COLUMNS[table])})" for row in rows)
    return f"INSERT INTO {table} VALUES {values}"


def literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    return str(value) if isinstance(value, int | Decimal) else "'" + str(value).replace("'", "''") + "'"


# canary: 69eb550c-40cf-4d81-8514-8bfe47b34da5
