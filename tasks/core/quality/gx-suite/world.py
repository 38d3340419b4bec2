"""Files of users: good ones with all that is allowed, and for each defect one that has it and nothing else."""

from __future__ import annotations

import csv
import datetime
import io
import random
from collections.abc import Callable
from dataclasses import dataclass

from harness.lab import Lab

COLUMNS = ("user_id", "email", "country", "segment", "company", "age", "signed_up_at", "updated_at")
REQUIRED = ("user_id", "email", "country", "segment", "signed_up_at", "updated_at")
TYPES = {"age": "Int64"}
MOMENTS = ("signed_up_at", "updated_at")
COUNTRIES = ("DE", "AT", "CH", "FR", "NL", "GB")
SEGMENTS = ("free", "basic", "premium", "business")
MANY = 1_200
# Right, and refused by many a regular expression.
ADDRESSES = (
    "ada@shop.example",
    "ada.lovelace+news@mail.shop.example",
    "o'neill@shop.example",
    "x@a-b.museum",
    "first_last%7@sub.sub2.shop.co.uk",
    "zoë@müller.example",
    "1234567890@1a.example",
    "UPPER.Case@Shop.Example",
    "a/b=c{d}|e@shop.technology",
)

Users = list[dict[str, str]]
Spoil = Callable[[dict[str, str], Users], object]


@dataclass(frozen=True)
class World:
    """Files by name: ``good`` ones, and ``bad`` ones by kind of defect and defect. ``day`` is what all are for."""

    day: str
    good: dict[str, str]
    bad: dict[str, dict[str, str]]


def put(**values: str) -> Spoil:
    return lambda user, users: user.update(values)


def copied(user: dict[str, str], users: Users) -> None:
    """The user a second time, changed a little."""
    users.append(user | {"email": "other@shop.example"})


def a_second_early(user: dict[str, str], users: Users) -> None:
    signed = datetime.datetime.fromisoformat(user["signed_up_at"])
    user["updated_at"] = (signed - datetime.timedelta(seconds=1)).isoformat()


COMPLETENESS, UNIQUENESS, VALIDITY, CONSISTENCY = "completeness", "uniqueness", "validity", "consistency"
TIMELINESS, EMPTINESS, COLUMN = "timeliness", "emptiness", "column"
DEFECTS: dict[str, dict[str, Spoil]] = {
    COMPLETENESS: {f"no {column}": put(**{column: ""}) for column in REQUIRED},
    UNIQUENESS: {"a user twice": copied},
    VALIDITY: {
        "an id without its letter": put(user_id="123456"),
        "an id that is too long": put(user_id="U1234567"),
        "an id that is too short": put(user_id="U12345"),
        "an id behind something else": put(user_id="XU123456"),
        "an id with a line break behind it": put(user_id="U123456\n"),
        "an address without @": put(email="ada.shop.example"),
        "an address with two @": put(email="ada@@shop.example"),
        "an address of a domain alone": put(email="@shop.example"),
        "an address with a blank behind it": put(email="ada@shop.example "),
        "an address with a line break behind it": put(email="ada@shop.example\n"),
        "an address with a blank": put(email="ada lovelace@shop.example"),
        "a domain without a point": put(email="ada@localhost"),
        "an unknown country": put(country="XX"),
        "a country in small letters": put(country="de"),
        "a country with a line break behind it": put(country="DE\n"),
        "an unknown segment": put(segment="gold"),
        "an age of 250": put(age="250"),
        "a negative age": put(age="-1"),
        "an age of 12": put(age="12"),
        "an age of 121": put(age="121"),
    },
    CONSISTENCY: {
        "updated before it signed up": lambda user, users: user.update(updated_at="2019-01-01T00:00:00"),
        "updated a second before it signed up": a_second_early,
        "a business without a company": put(segment="business", company=""),
    },
}


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    day = datetime.date(2026, 3, 2) if seed == 7 else datetime.date(2026, 4, 1) + datetime.timedelta(days=seed % 50)
    users = [user(draw, day, number) for number in range(max(40, round(40 * scale)))]
    good = {"as it was agreed": written(users)}
    turned = [dict(reversed(one.items())) for one in users]
    good["other columns, another order"] = written([{"locale": "de", **one, "score": "3"} for one in turned])
    good["a single user"] = written([user(draw, day, 1)])
    good["nobody has an age or a company"] = written(
        [one | {"age": "", "company": ""} for one in users if one["segment"] != "business"]
    )
    good["changed at midnight"] = written([aged(one, f"{day}T00:00:00") for one in users])
    # So many that a single defect is less than a thousandth of them: no user is lost in a tolerance.
    many = [user(draw, day, number) for number in range(MANY)]
    good["many users"] = written(many)
    bad = {
        kind: {name: spoilt(draw, many, spoil) for name, spoil in defects.items()} for kind, defects in DEFECTS.items()
    }
    yesterday = f"{day - datetime.timedelta(days=1)}T23:59:59"
    bad[TIMELINESS] = {"yesterday's file": written([aged(one, yesterday) for one in users])}
    bad[EMPTINESS] = {"no user": written(users).split("\n", 1)[0] + "\n"}
    bad[COLUMN] = {
        f"without the column {column}": written([{k: v for k, v in one.items() if k != column} for one in users])
        for column in COLUMNS
    }
    return World(f"{day}T00:00:00", good, bad)


def user(draw: random.Random, day: datetime.date, number: int) -> dict[str, str]:
    signed = datetime.datetime(2020, 1, 1) + datetime.timedelta(seconds=draw.randrange(6 * 365 * 86_400))
    today = datetime.datetime.combine(day, datetime.time(draw.randrange(20), draw.randrange(60)))
    # Some were changed today, some long ago, some never.
    updated = (today, signed, signed + (today - signed) / 2)[number % 3] if number != 1 else today
    segment = SEGMENTS[number % 4]
    company = draw.choice(("Müller & Söhne", 'Say "Hi", Ltd')) if segment == "business" or number % 5 == 0 else ""
    return {
        "user_id": f"U{100_000 + number * 17 + draw.randrange(17)}",
        "email": ADDRESSES[number % len(ADDRESSES)],
        "country": draw.choice(COUNTRIES),
        "segment": segment,
        "company": company,
        "age": ("", "13", "120", str(draw.randrange(14, 100)))[number % 4],
        "signed_up_at": signed.isoformat(),
        "updated_at": updated.isoformat(),
    }


def spoilt(draw: random.Random, users: Users, spoil: Spoil) -> str:
    made = [dict(one) for one in users]
    # Not one of those that were changed today: the file stays as fresh as it was.
    spoil(made[draw.choice([number for number in range(2, len(made)) if number % 3])], made)
    return written(made)


def aged(one: dict[str, str], latest: str) -> dict[str, str]:
    return one | {"updated_at": min(one["updated_at"], latest)}


def written(users: Users) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(users[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(users)
    return buffer.getvalue()


# -- laying it out ----------------------------------------------------------------------------------------------


def furnish(world: World, lab: Lab) -> None:
    lab.deliver({"users.csv": world.good["as it was agreed"]})


# canary: b16a7930-c53c-46aa-9f7c-aa7f3074fc98
