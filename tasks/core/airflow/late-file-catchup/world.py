"""Four stores' files for some days in March."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from harness.engines.postgres import Postgres
from harness.lab import Lab

STORES = ("graz", "linz", "wels", "wien")
FIRST = datetime.date(2026, 3, 2)
# 13 days lie between the third and the last but one: the furthest that a run looks back.
DAYS = tuple(FIRST + datetime.timedelta(days=number) for number in (0, 1, 2, 3, 9, 15, 16))
# In turn: two files come a day late; none comes until the last moment; a store sells nothing; one comes while the run
# waits.
LATE, NEXT, VERY_LATE, QUIET, ANOTHER, CAUGHT_UP, WAITED_FOR = DAYS
TABLES = (
    "CREATE TABLE public.sales (day date, store text, receipt bigint, amount numeric(10, 2))",
    "CREATE TABLE public.daily_totals (day date, receipts bigint, revenue numeric(12, 2))",
    "CREATE TABLE public.missing_files (day date, store text)",
)

File = tuple[datetime.date, str]


@dataclass(frozen=True)
class World:
    """The receipts and amounts of each file, and the stores that are late on some days."""

    files: Mapping[File, tuple[tuple[int, Decimal], ...]]
    late: Mapping[datetime.date, tuple[str, ...]]

    def of(self, *days: datetime.date, without: Iterable[File] = ()) -> list[File]:
        return [file for file in self.files if file[0] in days and file not in set(without)]

    def late_files(self, day: datetime.date) -> list[File]:
        return [(day, store) for store in self.late[day]]

    def sales(self, files: Iterable[File]) -> list[dict[str, object]]:
        return [
            {"day": day, "store": store, "receipt": receipt, "amount": amount}
            for day, store in files
            for receipt, amount in self.files[day, store]
        ]

    def totals(self, files: Iterable[File]) -> list[dict[str, object]]:
        rows = self.sales(files)
        return [
            {"day": day, "receipts": len(amounts), "revenue": sum(amounts)}
            for day in sorted({str(row["day"]) for row in rows})
            for amounts in [[row["amount"] for row in rows if str(row["day"]) == day]]
        ]

    def contents(self, files: Iterable[File]) -> dict[str, str]:
        """Files as the stores put them."""
        return {
            f"drop/{day}/{store}.csv": "receipt,amount\n"
            + "".join(f"{receipt},{amount}\n" for receipt, amount in self.files[day, store])
            for day, store in files
        }


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    numbers = iter(range(draw.randrange(10**6, 10**7), 10**9))
    files = {
        (day, store): tuple(
            (next(numbers), Decimal(draw.randrange(50, 30_000)).scaleb(-2))
            for _ in range(round(draw.randrange(4, 9) * scale))
        )
        for day in DAYS
        for store in STORES
    }
    late = {LATE: tuple(draw.sample(STORES, 2)), VERY_LATE: STORES, WAITED_FOR: (draw.choice(STORES),)}
    files[QUIET, draw.choice(STORES)] = ()
    return World(files, late)


def furnish(world: World, lab: Lab) -> None:
    """What the agent sees: all files but those that never came."""
    create_tables(lab)
    lab.deliver(world.contents(world.of(*DAYS, without=world.late_files(VERY_LATE))))


def create_tables(lab: Lab) -> None:
    lab.use(Postgres).execute(*TABLES, user="loader")


# canary: 23cf9560-f05b-4155-b66a-505e8860571c
