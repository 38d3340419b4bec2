"""Profiles among messages that are bad in different ways, in three lots that follow each other; and one of odd ones."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterable
from dataclasses import dataclass

from harness.engines.kafka import Kafka, Message
from harness.lab import Lab

TOPIC, DEAD, GROUP, PARTITIONS = "crm.profiles", "crm.profiles.dead", "profile-loader", 3
LOTS, CUSTOMERS = 3, 24
# Of no concern to the table, in fields that it doesn't have.
HARMLESS = {"note": "\0 \ud800", "points": 2**70}


@dataclass(frozen=True)
class Sent:
    """A message, and what is wrong with it: nothing if ``reason`` is empty. Then ``profile`` is what it says."""

    message: Message
    reason: str = ""
    profile: tuple[str, str | None, str, int] = ("", None, "", 0)


@dataclass(frozen=True)
class World:
    """``odd``: what tools disagree on, with good profiles behind it; only the scenario of that sends it."""

    lots: tuple[tuple[Sent, ...], ...]
    odd: tuple[Sent, ...]

    def sent(self, lots: int = LOTS) -> list[Sent]:
        return [sent for lot in self.lots[:lots] for sent in lot]


def profiles(sent: Iterable[Sent]) -> list[dict[str, object]]:
    """The rows of ``profiles`` that these messages come to."""
    latest: dict[str, tuple[str, str | None, str, int]] = {}
    for one in sent:
        known = latest.get(one.profile[0])
        if not one.reason and (known is None or one.profile[3] > known[3]):
            latest[one.profile[0]] = one.profile
    assert latest, "no profile is expected"
    return [
        dict(zip(("customer_id", "email", "segment", "version"), profile, strict=True)) for profile in latest.values()
    ]


def bad(sent: Iterable[Sent]) -> list[Sent]:
    found = [one for one in sent if one.reason]
    assert {one.reason for one in found} == {"no_key", "unreadable", "invalid"}
    return found


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    customers = [f"K{number}" for number in draw.sample(range(1000, 9999), CUSTOMERS)]
    # Of a customer no two profiles have the same version, and a later one may have a lower.
    versions = {customer: draw.sample(range(1, 50), LOTS) for customer in customers}

    def fields(customer: str, version: int) -> dict[str, object]:
        email = f"{draw.choice(('ann', 'bo', 'zoë'))}{draw.randrange(99)}@post.example"
        made: dict[str, object] = {"customer_id": customer, "email": draw.choice((email, email, None))}
        return made | {"segment": draw.choice(("consumer", "business")), "version": version}

    def message(customer: str | None, value: bytes | None) -> Message:
        headers = (("trace", draw.randbytes(6)), ("trace", draw.randbytes(6)), ("source", b"crm"))
        key = None if customer is None else customer.encode()
        place = draw.randrange(PARTITIONS) if customer is None else int(customer[1:]) % PARTITIONS
        return Message(key, value, headers, partition=place)

    def good(customer: str, version: int, **more: object) -> Sent:
        made = fields(customer, version)
        email, segment = made["email"], str(made["segment"])
        if email is None and draw.random() < 0.5:
            del made["email"]
        ascii_only = bool(more) or draw.random() < 0.5
        value = json.dumps(made | {"channel": "web"} | more, ensure_ascii=ascii_only).encode()
        return Sent(
            message(customer, value), profile=(customer, None if email is None else str(email), segment, version)
        )

    def rotten(customer: str) -> list[Sent]:
        made = fields(customer, 99)
        whole = json.dumps(made).encode()
        unreadable = [b"\xff\xfe\x00" + whole, whole[:-7], b"", None, b"[1, 2]", b"null", whole + whole]
        invalid: list[dict[str, object]] = [
            {name: value for name, value in made.items() if name != "version"},
            {name: value for name, value in made.items() if name != "segment"},
            {name: value for name, value in made.items() if name != "customer_id"},
            made | {"version": str(made["version"])},
            made | {"version": 1.5},
            made | {"version": 0},
            made | {"segment": "shiny"},
            made | {"email": 7},
            made | {"customer_id": f"{customer}0"},
        ]
        # No headers at all, and a key that is no text.
        odd = dataclasses.replace(message(customer, whole), key=b"\xff" + customer.encode(), headers=())
        return [
            Sent(odd, "invalid"),
            Sent(message(customer, json.dumps(made | {"version": True}).encode()), "invalid"),
            *(Sent(message(customer, value), "unreadable") for value in draw.sample(unreadable, 5)),
            *(Sent(message(customer, json.dumps(value).encode()), "invalid") for value in draw.sample(invalid, 6)),
            Sent(message(None, whole), "no_key"),
            Sent(message(None, b"\xff"), "no_key"),
        ]

    def disputed(customer: str) -> list[Sent]:
        """Whoever takes one with version 1 writes the good one behind over it."""
        made = fields(customer, 1)
        # Other encodings of good profiles: a reader that guesses or mends them takes them for good ones.
        foreign = json.dumps(made | {"email": "zoë@post.example"}, ensure_ascii=False)
        unreadable = [foreign.encode("utf-16"), foreign.encode("latin-1")]
        # Python's JSON lets these pass...
        unreadable += [json.dumps(made | {"score": float(name)}).encode() for name in ("nan", "inf", "-inf")]
        # ... and these, that PostgreSQL or Python stumbles over later.
        invalid: list[dict[str, object]] = [
            made | {"email": "zo\0@post.example"},
            made | {"email": "zo\ud800@post.example"},
            made | {"customer_id": f"{customer}\ud800"},
            made | {"version": 2**31},
            made | {"version": 10**20},
            made | {"segment": ["business"]},
        ]
        return [
            *(Sent(message(customer, value), "unreadable") for value in unreadable),
            *(Sent(message(customer, json.dumps(value).encode()), "invalid") for value in invalid),
        ]

    lots = []
    for place in range(LOTS):
        lot = [good(customer, versions[customer][place]) for customer in customers]
        lot += rotten(draw.choice(customers))
        draw.shuffle(lot)
        # The last of a partition is bad: whoever doesn't commit what was put aside keeps a lag.
        lot.append(lot.pop(next(number for number, sent in enumerate(lot) if sent.reason)))
        lots.append(tuple(lot))
    odd = [sent for customer in customers[:3] for sent in disputed(customer)]
    draw.shuffle(odd)
    odd += [good(customer, draw.randrange(2, 50), **HARMLESS) for customer in customers[:6]]
    odd += [good(customer, draw.randrange(2, 50)) for customer in customers[6:]]
    return World(tuple(lots), tuple(odd))


def send(lab: Lab, lot: Iterable[Sent]) -> list[Message]:
    return lab.use(Kafka).produce(TOPIC, [one.message for one in lot])


def furnish(world: World, lab: Lab) -> None:
    lab.use(Kafka).create_topics({TOPIC: PARTITIONS, DEAD: 1})
    send(lab, world.sent())


# canary: 7060afc7-4924-4dae-b74b-1a1e394aa796
