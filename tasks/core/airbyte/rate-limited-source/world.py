"""A carrier's shipments at two moments, and its depots; each group shows one thing the source has to bear."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.engines.airbyte import CATALOG, Airbyte
from harness.engines.api import Api, Listing, Login
from harness.lab import Lab

SHIPMENTS, DEPOTS, LOGIN = "/v1/shipments", "/v1/depots", "/oauth/token"
PAGE = 20
STATUSES = ("announced", "in_transit", "delivered", "returned")
CITIES = ("Graz", "Köln", "Łódź", "Lyon", "Brno", "Trento")
START = datetime.datetime(2025, 10, 1, tzinfo=datetime.UTC)
MONTHS = (31, 30, 31, 31, 28)  # days: October to February
END_OF_FIRST = datetime.datetime(2026, 2, 28, 18, tzinfo=datetime.UTC)
FIRST, LATER = "first", "later"
CLIENT = "warehouse-sync"

Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """``rows``: what is listed at each moment; ``groups``: shipments by the last that happened to them.

    ``start``: what is configured; there are shipments before it.
    """

    rows: dict[str, tuple[Row, ...]]
    groups: dict[str, frozenset[str]]
    depots: tuple[Row, ...]
    secret: str
    start: str

    def since(self, at: datetime.datetime) -> int:
        """How many shipments were last updated then or later."""
        return sum(1 for row in self.rows[LATER] if row["updated_at"] >= written(at))

    def shipments(self, moment: str, *groups: str) -> list[Row]:
        """What must have come in by that moment; of these groups, or of all."""
        wanted = frozenset().union(*(self.groups[group] for group in groups)) if groups else None
        found = [
            row
            for row in self.rows[moment]
            if row["updated_at"] >= self.start and (wanted is None or row["shipment_id"] in wanted)
        ]
        assert found, f"no shipment of {groups or 'any group'} is expected"
        return found


class Carrier:
    """Makes shipments, and remembers them by group."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.rows: dict[str, Row] = {}
        self.groups: dict[str, set[str]] = {}

    def shipment(self, group: str, at: datetime.datetime, **more: Any) -> Row:
        while (number := f"sh-{self.draw.randrange(100_000, 999_999)}") in self.rows:
            pass
        row = {
            "shipment_id": number,
            "order_id": f"o-{self.draw.randrange(100_000, 999_999)}",
            "depot_id": f"d-{self.draw.randrange(1, 31):02}",
            "status": self.draw.choice(STATUSES),
            "weight_kg": self.draw.randrange(4, 900) / 20,
            "updated_at": written(at),
        }
        return self.put(group, row | more)

    def put(self, group: str, row: Row) -> Row:
        for numbers in self.groups.values():
            numbers.discard(row["shipment_id"])
        self.groups.setdefault(group, set()).add(row["shipment_id"])
        self.rows[row["shipment_id"]] = row
        return row

    def change(self, group: str, number: str, at: datetime.datetime) -> Row:
        old = self.rows[number]
        status = self.draw.choice([status for status in STATUSES if status != old["status"]])
        return self.put(group, old | {"status": status, "updated_at": written(at)})


def written(at: datetime.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    carrier = Carrier(draw)
    month = START
    for days in MONTHS:
        following = month + datetime.timedelta(days=days)
        for _ in range(round(34 * scale)):
            carrier.shipment("plain", month + datetime.timedelta(seconds=draw.randrange(days * 86_400 - 90_000)))
        # The last second and the first one of a day, of a week, of a month: no window may leave them out.
        for day in (1, 7, 10, 14, 15, days - 1):
            midnight = month + datetime.timedelta(days=day)
            carrier.shipment("closing", midnight - datetime.timedelta(seconds=1))
            carrier.shipment("closing", midnight)
        if following < END_OF_FIRST:
            carrier.shipment("closing", following - datetime.timedelta(seconds=1))
            carrier.shipment("closing", following)
        month = following
    carrier.shipment("newest", END_OF_FIRST)
    rows = {FIRST: tuple(dict(row) for row in carrier.rows.values())}

    afterwards = later(draw)
    for number in draw.sample(sorted(carrier.groups["plain"]), 9):
        carrier.change("changed", number, next(afterwards))
    for _ in range(8):
        carrier.shipment("new", next(afterwards))
    for minutes in (20, 65, 110):
        carrier.shipment("late", END_OF_FIRST - datetime.timedelta(minutes=minutes, seconds=draw.randrange(60)))
    for _ in range(5):
        carrier.shipment("with a new field", next(afterwards), carrier_service=draw.choice(("express", "standard")))
    rows[LATER] = tuple(carrier.rows.values())

    depots = tuple({"depot_id": f"d-{number:02}", "city": draw.choice(CITIES)} for number in range(1, 31))
    groups = {name: frozenset(numbers) for name, numbers in carrier.groups.items()}
    start = START + datetime.timedelta(days=draw.choice((7, 10, 14)))
    world = World(rows, groups, depots, f"cs_{draw.getrandbits(128):032x}", written(start))
    assert max(row["updated_at"] for row in rows[FIRST]) == written(END_OF_FIRST)
    assert all(row["updated_at"] < written(END_OF_FIRST) for row in world.shipments(LATER, "late"))
    return world


def later(draw: random.Random) -> Iterator[datetime.datetime]:
    at = END_OF_FIRST + datetime.timedelta(minutes=40)
    while True:
        at += datetime.timedelta(seconds=draw.randrange(5, 60))
        yield at


def furnish(world: World, lab: Lab, moment: str = FIRST, *, lifetime: int = 900) -> None:
    """The API as it is at that moment, with tokens of that lifetime; the configuration, and a catalog to try."""
    api, airbyte = lab.use(Api), lab.use(Airbyte)
    listings = {
        SHIPMENTS: Listing(
            world.rows[moment], "shipments", PAGE, "shipment_id", "updated_at", "updated_from", "updated_to"
        ),
        DEPOTS: Listing(world.depots, "depots", PAGE, "depot_id"),
    }
    api.serve(listings, login=Login(LOGIN, CLIENT, world.secret, lifetime))
    airbyte.configure(configuration(world, api.url))
    airbyte.deliver(
        **{
            CATALOG: {
                "streams": [configured("shipments", "shipment_id", "updated_at"), configured("depots", "depot_id")]
            }
        }
    )


def configuration(world: World, url: str) -> dict[str, str]:
    return {"base_url": url, "client_id": CLIENT, "client_secret": world.secret, "start_date": world.start}


def configured(name: str, key: str, cursor: str = "") -> Row:
    modes = ["full_refresh", "incremental"] if cursor else ["full_refresh"]
    stream: Row = {"name": name, "json_schema": {"type": "object"}, "supported_sync_modes": modes}
    stream |= {"source_defined_primary_key": [[key]]} | ({"default_cursor_field": [cursor]} if cursor else {})
    return {
        "stream": stream,
        "sync_mode": modes[-1],
        "destination_sync_mode": "append_dedup" if cursor else "overwrite",
        "primary_key": [[key]],
        "cursor_field": [cursor] if cursor else [],
    }


# canary: 253dda02-ace4-471b-8196-d012a6ab46e3
