"""Reading a day's file of orders: which rows are good, and what is wrong with the others. No database here."""

from __future__ import annotations

import csv
import datetime
import json
import os
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

STATUSES = {"placed", "paid", "shipped", "cancelled", "returned"}
COLUMNS = ("order_id", "customer_id", "city", "ordered_at", "status", "amount")


class Order(NamedTuple):
    order_id: int
    customer_id: str
    city: str
    ordered_at: datetime.datetime
    status: str
    amount: Decimal


class Rejected(NamedTuple):
    reason: str
    record: str


class Day(NamedTuple):
    orders: list[Order]
    rejected: list[Rejected]


def path_of(day: str) -> Path:
    return Path(os.environ["DATA"]) / "orders" / f"orders_{day}.csv"


def read_day(day: str) -> Day:
    """The good and the broken rows of a day's file.

    Raises:
        FileNotFoundError: there is no file.
        ValueError: a column is missing; then nothing in the file can be trusted.
    """
    with path_of(day).open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = sorted(set(COLUMNS) - set(reader.fieldnames or ()))
        if missing:
            raise ValueError(f"{file.name} has no column {', '.join(missing)}")
        return split(reader)


def split(records: Iterable[dict[str, str]]) -> Day:
    good: dict[int, tuple[Order, dict[str, str]]] = {}
    rejected: list[Rejected] = []
    for record in records:
        try:
            order = parse(record)
        except ValueError as error:
            rejected.append(reject(str(error), record))
            continue
        if order.order_id in good:
            rejected.append(reject("a later row of the file has the same order_id", good[order.order_id][1]))
        good[order.order_id] = order, record
    return Day([order for order, _ in good.values()], rejected)


def parse(record: dict[str, str]) -> Order:
    """The order of a row. ValueError says what is wrong with it."""
    value = {column: (record[column] or "").strip() for column in COLUMNS}
    empty = [column for column in COLUMNS if not value[column]]
    if empty:
        raise ValueError(f"no {', '.join(empty)}")
    if not value["order_id"].isascii() or not value["order_id"].isdigit():
        raise ValueError(f"order_id {value['order_id']!r} is no whole number")
    try:
        ordered_at = datetime.datetime.fromisoformat(value["ordered_at"])
    except ValueError:
        raise ValueError(f"ordered_at {value['ordered_at']!r} is no time") from None
    if ordered_at.tzinfo is None:
        ordered_at = ordered_at.replace(tzinfo=datetime.timezone.utc)
    if value["status"] not in STATUSES:
        raise ValueError(f"unknown status {value['status']!r}")
    try:
        amount = Decimal(value["amount"])
    except InvalidOperation:
        raise ValueError(f"amount {value['amount']!r} is no number") from None
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"amount {value['amount']!r} is not 0 or more")
    if amount.as_tuple().exponent < -2:
        raise ValueError(f"amount {value['amount']!r} has more than two decimals")
    return Order(int(value["order_id"]), value["customer_id"], value["city"], ordered_at, value["status"], amount)


def reject(reason: str, record: dict[str, str]) -> Rejected:
    # Cells beyond the header have no name: csv puts them under None.
    return Rejected(reason, json.dumps({str(name): cell for name, cell in record.items()}, ensure_ascii=False))
# canary: 397beb0a-c978-4032-992b-b9ab0fae30ea
