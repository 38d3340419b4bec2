"""Orders of one day, and one that comes late."""

from __future__ import annotations

import random
from dataclasses import dataclass

from harness.engines.postgres import Postgres
from harness.lab import Lab

DAY = "2026-03-01"
COLUMNS = ("order_id", "day", "amount")
TYPES = {"order_id": "text", "day": "date", "amount": "decimal(2)"}


@dataclass(frozen=True)
class World:
    orders: tuple[tuple[str, str, str], ...]
    late: tuple[str, str, str]

    def expected(self, *, late: bool = False) -> list[dict[str, object]]:
        import datetime
        import decimal

        return [
            {"order_id": number, "day": datetime.date.fromisoformat(day), "amount": decimal.Decimal(amount)}
            for number, day, amount in (*self.orders, *([self.late] if late else []))
        ]


def build(seed: int, scale: float = 1.0) -> World:
    rng = random.Random(seed)
    orders = tuple((f"O{rng.randrange(10**9)}", DAY, f"{rng.randrange(1, 10**5) / 100:.2f}") for _ in range(20))
    return World(orders, (f"L{rng.randrange(10**9)}", DAY, "1.50"))


def furnish(world: World, lab: Lab) -> None:
    lab.use(Postgres).execute(
        "CREATE SCHEMA app",
        "CREATE TABLE app.orders (order_id text, day date, amount numeric(12,2))",
        "GRANT USAGE ON SCHEMA app TO loader",
        "GRANT SELECT ON app.orders TO loader",
    )
    # The submission's own, as where a ticket is about a database that is there already.
    lab.use(Postgres).execute("CREATE TABLE public.inbox (LIKE app.orders)", user="loader")
    deliver(lab, world.orders)


def deliver(lab: Lab, orders: tuple[tuple[str, str, str], ...]) -> None:
    lab.use(Postgres).copy("app.orders", COLUMNS, orders)
    lab.use(Postgres).copy("public.inbox", COLUMNS, orders)
