"""Events of today's release, and of releases that change something: whether that breaks the contract, and where."""

from __future__ import annotations

import copy
import datetime
import decimal
import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from harness.lab import Lab

LOADER = "consumer/load_orders.py"
EURO = {"EUR": decimal.Decimal("1"), "CHF": decimal.Decimal("1.05"), "GBP": decimal.Decimal("1.17")}
STATUS = {"customer": "cancelled", "fraud": "blocked", "stock": "failed"}
ORDER = {
    "order_id": "text",
    "customer_id": "text",
    "country": "text",
    "channel": "text",
    "is_gift": "boolean",
    "placed_at": "timestamp",
    "items": "integer",
    "total_eur": "decimal(2)",
}

Event = dict[str, Any]
Change = Callable[[Event], object]


@dataclass(frozen=True)
class Line:
    """One line of a file. ``field`` names what breaks the contract in it, ``|`` between two; empty if nothing does."""

    text: str
    field: str = ""


@dataclass(frozen=True)
class Release:
    """What a release of the backend emits. ``kind`` is what its change is an example of."""

    kind: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class World:
    """Releases by what they change. ``dollars`` is a payment in a currency that isn't agreed yet."""

    releases: dict[str, Release]
    dollars: Line

    def of(self, *kinds: str) -> dict[str, Release]:
        return {name: release for name, release in self.releases.items() if release.kind in kinds}

    def orders(self, lines: Iterable[Line]) -> list[dict[str, object]]:
        """What the loader has to make of the good lines: computed here on its own."""
        found = {}
        for line in lines:
            event = {} if line.field else json.loads(line.text)
            if event.get("event_type") == "order_placed":
                moment = datetime.datetime.fromisoformat(event["occurred_at"])
                items = sum(one["quantity"] for one in event["lines"])
                total = (decimal.Decimal(event["total"]) * EURO[event["currency"]]).quantize(
                    decimal.Decimal("0.01"), decimal.ROUND_HALF_UP
                )
                customer = event["customer"]
                names = (event["order_id"], customer["customer_id"], customer["country"], event["channel"])
                made = (*names, event["is_gift"], moment.astimezone(datetime.UTC), items, total)
                found[event["order_id"]] = dict(zip(ORDER, made, strict=True))
        assert found, "no order is expected"
        return list(found.values())


# What goes on as it was, or is added.
TODAY = "today"
ADDED = "added"
# What a JSON Schema can forbid.
MISSING = "missing"
TYPE = "type"
VALUE = "value"
MAJOR = "major"
# What only a program can see.
BEYOND = "beyond"
# What the loader's tables can't hold.
UNFIT = "unfit"
BREAKING = (MISSING, TYPE, VALUE, MAJOR)


class Shop:
    """Emits events as today's release does."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.count = 0

    def amount(self, cents: int) -> str:
        return f"{decimal.Decimal(cents) / 100:.2f}"

    def envelope(self, kind: str) -> Event:
        self.count += 1
        draw = self.draw
        second = datetime.datetime(2026, 4, 1, 6) + datetime.timedelta(seconds=draw.randrange(2_000_000))
        return {
            "event_id": f"{draw.getrandbits(64):016x}",
            "event_type": kind,
            "schema_version": "1.3",
            "occurred_at": f"{second:%Y-%m-%dT%H:%M:%S}Z",
            "order_id": f"{draw.choice('ABN')}-{10_000 + self.count * 7}",
        }

    def placed(self) -> Event:
        draw = self.draw
        lines = [
            {
                "sku": f"SKU-{draw.randrange(100, 999)}",
                "quantity": draw.randrange(1, 6),
                "unit_price": draw.randrange(99, 9_999),
            }
            for _ in range(draw.randrange(1, 4))
        ]
        discount = draw.choice((None, 0, 50))
        total = sum(line["quantity"] * line["unit_price"] for line in lines) - (discount or 0)  # type: ignore[operator]
        for line in lines:
            line["unit_price"] = self.amount(line["unit_price"])  # type: ignore[arg-type]
        event = self.envelope("order_placed") | {
            "customer": {
                "customer_id": f"C{draw.randrange(1000, 9999)}",
                "country": draw.choice(("DE", "CH", "GB", "FR")),
            },
            "currency": draw.choice(tuple(EURO)),
            "channel": draw.choice(("web", "app")),
            "is_gift": draw.random() < 0.5,
            "lines": lines,
            "total": self.amount(total),
        }
        if draw.random() < 0.5:
            event["customer"]["email"] = draw.choice((None, "zoë@shop.example"))
        if discount is not None:
            event["discount"] = self.amount(discount)
        return event

    def paid(self) -> Event:
        draw = self.draw
        rest = {"currency": draw.choice(tuple(EURO)), "amount": self.amount(draw.randrange(1, 99_999))}
        return self.envelope("order_paid") | rest | {"method": draw.choice(("card", "invoice"))}

    def cancelled(self) -> Event:
        return self.envelope("order_cancelled") | {"reason": self.draw.choice(tuple(STATUS))}


def put(**values: Any) -> Change:
    return lambda event: event.update(copy.deepcopy(values))


def put_in(*path: str | int, **values: Any) -> Change:
    """The same, in an object further down."""

    def change(event: Event) -> None:
        inner: Any = event
        for step in path:
            inner = inner[step]
        inner.update(copy.deepcopy(values))

    return change


def drop(*path: str | int) -> Change:
    def change(event: Event) -> None:
        inner: Any = event
        for step in path[:-1]:
            inner = inner[step]
        del inner[path[-1]]

    return change


def rename(old: str, new: str) -> Change:
    return lambda event: event.update({new: event.pop(old)})


def retotal(event: Event) -> None:
    """The total of an order whose lines were changed."""
    cents = sum(line["quantity"] * decimal.Decimal(line["unit_price"]) for line in event["lines"])
    event["total"] = f"{cents - decimal.Decimal(event.get('discount') or 0):.2f}"


def many(event: Event) -> None:
    event["lines"][0]["quantity"] = 12_000
    retotal(event)


def with_lines(number: int, quantity: int, unit_price: str) -> Change:
    """So many lines of the same kind, and their total."""
    line = {"sku": "SKU-1", "quantity": quantity, "unit_price": unit_price}
    return lambda event: (put(lines=[line] * number, discount=None)(event), retotal(event))


PLACED, PAID, CANCELLED = "placed", "paid", "cancelled"

# name: (which event it changes, how)
ADDITIONS: dict[str, tuple[str, Change]] = {
    "a field more": (PLACED, put(loyalty_points=12, warehouse={"id": 4})),
    "a field more in customer": (PLACED, put_in("customer", birthday="1980-01-01")),
    "a field more in a line": (PLACED, put_in("lines", 0, weight_grams=250, tags=["new"])),
    "a field more in a payment": (PAID, put(fee="0.30", amount_net=12.2)),
    "a new type of event": (
        CANCELLED,
        lambda event: (drop("reason")(event), put(event_type="gift_card_sold", total=12)(event)),
    ),
    "a new channel": (PLACED, put(channel="marketplace")),
    "a new way of paying": (PAID, put(method="crypto")),
    "a higher minor version": (PLACED, put(schema_version="1.12")),
    "an offset": (PLACED, put(occurred_at="2026-04-03T23:30:00+02:00")),
    "fractions of a second": (CANCELLED, put(occurred_at="2026-04-03T21:30:00.250Z")),
    "nanoseconds, west of Greenwich": (PAID, put(occurred_at="2026-04-03T18:30:00.250123456-05:00")),
    # A line ends at a line feed; JSON may hold other characters that some take for the end of one.
    "another character that ends lines": (PLACED, put_in("customer", note="leave it\u2028at the door\u0085")),
    "prices that binary numbers miss": (
        PLACED,
        lambda event: (
            event.update(lines=[{"sku": "SKU-1", "quantity": 3, "unit_price": "1.10"}], discount=None),
            retotal(event),
        ),
    ),
    "neither email nor discount": (
        PLACED,
        lambda event: (event.pop("discount", 0), event["customer"].pop("email", 0), retotal(event)),
    ),
    "a discount of null": (PLACED, lambda event: (put(discount=None)(event), retotal(event))),
    "an email of null": (PLACED, put_in("customer", email=None)),
    "an order for nothing": (
        PLACED,
        lambda event: (
            put_in("lines", 0, unit_price="0.00")(event),
            event["lines"].__delitem__(slice(1, None)),
            put(discount="0.00", total="0.00")(event),
        ),
    ),
    "a large order": (PLACED, many),
}
# name: (kind, which event, how, the field that breaks)
BREAKS: dict[str, tuple[str, str, Change, str]] = {
    "customer_id renamed": (
        MISSING,
        PLACED,
        lambda event: rename("customer_id", "client_id")(event["customer"]),
        "customer_id",
    ),
    "customer moved to the top": (MISSING, PLACED, lambda event: event.update(event.pop("customer")), "customer"),
    "no total": (MISSING, PLACED, drop("total"), "total"),
    "no currency": (MISSING, PLACED, drop("currency"), "currency"),
    "no channel": (MISSING, PLACED, drop("channel"), "channel"),
    "no is_gift": (MISSING, PLACED, drop("is_gift"), "is_gift"),
    "no lines": (MISSING, PLACED, drop("lines"), "lines"),
    "no quantity": (MISSING, PLACED, drop("lines", 0, "quantity"), "quantity"),
    "no country": (MISSING, PLACED, drop("customer", "country"), "country"),
    "no event_id": (MISSING, CANCELLED, drop("event_id"), "event_id"),
    "no schema_version": (MISSING, PAID, drop("schema_version"), "schema_version"),
    "no order_id": (MISSING, PAID, drop("order_id"), "order_id"),
    "no occurred_at": (MISSING, PAID, drop("occurred_at"), "occurred_at"),
    "amount renamed": (MISSING, PAID, rename("amount", "paid_amount"), "amount"),
    "no method": (MISSING, PAID, drop("method"), "method"),
    "no reason": (MISSING, CANCELLED, drop("reason"), "reason"),
    "event_type renamed": (MISSING, PLACED, rename("event_type", "type"), "event_type"),
    "a new type without occurred_at": (
        MISSING,
        CANCELLED,
        lambda event: (put(event_type="order_returned")(event), drop("occurred_at")(event)),
        "occurred_at",
    ),
    "no sku": (MISSING, PLACED, drop("lines", 0, "sku"), "sku"),
    "no unit_price": (MISSING, PLACED, drop("lines", 0, "unit_price"), "unit_price"),
    "a payment without currency": (MISSING, PAID, drop("currency"), "currency"),
    "total is a number": (TYPE, PLACED, lambda event: event.update(total=float(event["total"])), "total"),
    "quantity is text": (TYPE, PLACED, put_in("lines", 0, quantity="2"), "quantity"),
    "is_gift is text": (TYPE, PLACED, put(is_gift="false"), "is_gift"),
    "is_gift is a number": (TYPE, PLACED, put(is_gift=0), "is_gift"),
    "occurred_at is a number": (TYPE, CANCELLED, put(occurred_at=1_775_000_000), "occurred_at"),
    "order_id is a number": (TYPE, PAID, put(order_id=4711), "order_id"),
    "lines is an object": (TYPE, PLACED, lambda event: event.update(lines=event["lines"][0]), "lines"),
    "customer is text": (TYPE, PLACED, put(customer="C1234"), "customer"),
    "total is null": (TYPE, PLACED, put(total=None), "total"),
    "channel is null": (TYPE, PLACED, put(channel=None), "channel"),
    "event_id is null": (TYPE, PLACED, put(event_id=None), "event_id"),
    "amount is in cents": (TYPE, PAID, put(amount=1250), "amount"),
    "discount is a number": (TYPE, PLACED, lambda event: (put(discount=0.5)(event), retotal(event)), "discount"),
    "unit_price is a number": (
        TYPE,
        PLACED,
        lambda event: (put_in("lines", 0, unit_price=2.5)(event), retotal(event)),
        "unit_price",
    ),
    "unit_price is null": (TYPE, PLACED, put_in("lines", 0, unit_price=None), "unit_price"),
    "email is an object": (TYPE, PLACED, put_in("customer", email={"value": "zoë@shop.example"}), "email"),
    "customer_id is a number": (TYPE, PLACED, put_in("customer", customer_id=4711), "customer_id"),
    "method is null": (TYPE, PAID, put(method=None), "method"),
    "schema_version is a number": (TYPE, PLACED, put(schema_version=1.3), "schema_version"),
    "quantity is 0": (
        VALUE,
        PLACED,
        lambda event: (put_in("lines", 0, quantity=0)(event), put(discount=None)(event), retotal(event)),
        "quantity",
    ),
    "quantity is 1.5": (
        VALUE,
        PLACED,
        lambda event: (put_in("lines", 0, quantity=1.5)(event), put(total="0.00")(event)),
        "quantity",
    ),
    "lines is empty": (VALUE, PLACED, put(lines=[], discount=None, total="0.00"), "lines"),
    "an empty order_id": (VALUE, PLACED, put(order_id=""), "order_id"),
    "an empty sku": (VALUE, PLACED, put_in("lines", 0, sku=""), "sku"),
    "an empty event_id": (VALUE, PAID, put(event_id=""), "event_id"),
    "an empty customer_id": (VALUE, PLACED, put_in("customer", customer_id=""), "customer_id"),
    "a small country": (VALUE, PLACED, put_in("customer", country="de"), "country"),
    "a long country": (VALUE, PLACED, put_in("customer", country="DEU"), "country"),
    "a currency more": (VALUE, PAID, put(currency="USD"), "currency"),
    "a small currency": (VALUE, PLACED, put(currency="eur"), "currency"),
    "a reason more": (VALUE, CANCELLED, put(reason="weather"), "reason"),
    "an amount with a comma": (VALUE, PAID, put(amount="12,50"), "amount"),
    "an amount of one decimal": (VALUE, PAID, put(amount="12.5"), "amount"),
    "an amount without decimals": (VALUE, PAID, put(amount="1250"), "amount"),
    "a negative amount": (VALUE, PAID, put(amount="-12.50"), "amount"),
    "an amount with its currency": (VALUE, PAID, put(amount="12.50 EUR"), "amount"),
    "a negative discount": (VALUE, PLACED, lambda event: (put(discount="-0.50")(event), retotal(event)), "discount"),
    "a discount of one decimal": (
        VALUE,
        PLACED,
        lambda event: (put(discount="0.5")(event), retotal(event)),
        "discount",
    ),
    "a price of three decimals": (
        VALUE,
        PLACED,
        lambda event: (
            event.update(lines=[{"sku": "SKU-1", "quantity": 10, "unit_price": "1.125"}], discount=None),
            retotal(event),
        ),
        "unit_price",
    ),
    "a blank for the T": (VALUE, PLACED, put(occurred_at="2026-04-03 21:30:00Z"), "occurred_at"),
    "no seconds": (VALUE, CANCELLED, put(occurred_at="2026-04-03T21:30Z"), "occurred_at"),
    "a version of three parts": (VALUE, PAID, put(schema_version="1.3.1"), "schema_version"),
    "a version without its minor": (VALUE, PAID, put(schema_version="1"), "schema_version"),
    "no time zone": (VALUE, PLACED, put(occurred_at="2026-04-03T21:30:00"), "occurred_at"),
    "a day alone": (VALUE, CANCELLED, put(occurred_at="2026-04-03"), "occurred_at"),
    "another way to write types": (VALUE, PLACED, put(event_type="OrderPlaced"), "event_type"),
    "types with a point": (VALUE, PAID, put(event_type="order.paid"), "event_type"),
    "version 2.0": (MAJOR, PLACED, put(schema_version="2.0"), "schema_version"),
    "version 10.1": (MAJOR, PAID, put(schema_version="10.1"), "schema_version"),
    "version 2.0 of a new type": (
        MAJOR,
        CANCELLED,
        put(schema_version="2.0", event_type="order_returned"),
        "schema_version",
    ),
    "a day that doesn't exist": (BEYOND, PLACED, put(occurred_at="2026-02-30T10:00:00Z"), "occurred_at"),
    "an hour that doesn't exist": (BEYOND, CANCELLED, put(occurred_at="2026-04-03T25:00:00Z"), "occurred_at"),
    "a total that is off by a cent": (
        BEYOND,
        PLACED,
        lambda event: event.update(total=f"{decimal.Decimal(event['total']) + decimal.Decimal('0.01'):.2f}"),
        "total",
    ),
    "a cent that binary numbers make less of": (
        BEYOND,
        PLACED,
        lambda event: event.update(
            lines=[{"sku": "SKU-1", "quantity": 1, "unit_price": "0.05"}], discount=None, total="0.06"
        ),
        "total",
    ),
    "a total before the discount": (
        BEYOND,
        PLACED,
        lambda event: (
            put(discount="0.10")(event),
            retotal(event),
            event.update(total=f"{decimal.Decimal(event['total']) + decimal.Decimal('0.10'):.2f}"),
        ),
        "total",
    ),
    "an amount beyond the loader's column": (UNFIT, PAID, put(currency="EUR", amount="99999999999.00"), "amount"),
    "an amount that only in euros is beyond the loader's column": (
        UNFIT,
        PAID,
        put(currency="GBP", amount="9000000000.00"),
        "amount",
    ),
    "a total beyond the loader's column": (UNFIT, PLACED, with_lines(12, 12_000, "99999.99"), "total"),
    "a quantity beyond the loader's column": (UNFIT, PLACED, with_lines(1, 3_000_000_000, "0.01"), "lines|quantity"),
    "quantities whose sum is beyond the loader's column": (
        UNFIT,
        PLACED,
        with_lines(3, 1_000_000_000, "0.01"),
        "lines|quantity",
    ),
}
TORN = ('{"event_id": "7f", "event_type": "order_pl', '["order_placed", "A-1"]', '"order_placed"', "null")


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    shop = Shop(draw)
    make = {PLACED: shop.placed, PAID: shop.paid, CANCELLED: shop.cancelled}
    today = [make[draw.choice(tuple(make))]() for _ in range(max(12, round(12 * scale)))]
    today += [shop.placed(), shop.paid(), shop.cancelled()]
    # Delivered twice, as at-least-once delivery does.
    lines = tuple(Line(json.dumps(event, ensure_ascii=draw.random() < 0.5)) for event in [*today, today[0]])
    releases = {"today's release": Release(TODAY, lines)}
    for name, (which, change) in ADDITIONS.items():
        event = make[which]()
        change(event)
        releases[name] = Release(
            ADDED, (Line(json.dumps(event, ensure_ascii=False)), Line(json.dumps(make[draw.choice(tuple(make))]())))
        )
    for name, (kind, which, change, field) in BREAKS.items():
        event = make[which]()
        change(event)
        both = [Line(json.dumps(event), field), Line(json.dumps(make[draw.choice(tuple(make))]()))]
        draw.shuffle(both)
        releases[name] = Release(kind, tuple(both))
    world = World(releases, Line(json.dumps(shop.paid() | {"currency": "USD"})))
    assert all(any(line.field for line in release.lines) for release in world.of(*BREAKING, BEYOND, UNFIT).values())
    assert not any(line.field for release in world.of(TODAY, ADDED).values() for line in release.lines)
    return world


# -- laying it out ----------------------------------------------------------------------------------------------


def furnish(world: World, lab: Lab) -> None:
    lines = world.releases["today's release"].lines
    lab.deliver({"events/orders.jsonl": "".join(f"{line.text}\n" for line in lines)})


# canary: 63400513-3c16-49ec-b11f-1514c96a4912
