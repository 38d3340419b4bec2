"""Orders of one day, and one that comes late."""

from __future__ import annotations

import datetime
import decimal
import random
from dataclasses import dataclass

from harness.engines.duckdb import DuckDB
from harness.lab import Lab

DAY = "2026-03-01"
COLUMNS = ("order_id", "day", "amount")
TYPES = {"order_id": "text", "day": "date", "amount": "decimal(2)"}
Order = tuple[str, str, str]


@dataclass(frozen=True)
class World:
    orders: tuple[Order, ...]
    late: Order

    def expected(self, *, late: bool = False) -> list[dict[str, object]]:
        return [
            {"order_id": number, "day": datetime.date.fromisoformat(day), "amount": decimal.Decimal(amount)}
            for number, day, amount in (*self.orders, *([self.late] if late else []))
        ]


def build(seed: int, scale: float = 1.0) -> World:
    rng = random.Random(seed)
    orders = tuple((f"O{rng.randrange(10**9)}", DAY, f"{rng.randrange(1, 10**5) / 100:.2f}") for _ in range(20))
    return World(orders, (f"L{rng.randrange(10**9)}", DAY, "1.50"))


def furnish(world: World, lab: Lab) -> None:
    lab.use(DuckDB).execute(
        "CREATE SCHEMA app", "CREATE TABLE app.orders (order_id VARCHAR, day DATE, amount DECIMAL(12,2))"
    )
    deliver(lab, world.orders)


def deliver(lab: Lab, orders: tuple[Order, ...]) -> None:
    lab.use(DuckDB).append("app.orders", COLUMNS, orders)
