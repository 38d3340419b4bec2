"""Three deliveries of sales, each before a run; every store of a group shows one thing the stream has to get right."""

from __future__ import annotations

import datetime
import decimal
import json
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from harness.lab import Lab

HOUR = datetime.timedelta(hours=1)
GRACE = 2 * HOUR
# Each delivery is there for one run; the last one for the run that follows a kill.
DELIVERIES = ("first", "second", "third")
GROUPS = ("plain", "resent", "continued", "late", "closed", "meanwhile")
TYPES = {"store_id": "text", "hour": "timestamp", "sales": "integer", "revenue": "decimal(2)"}


@dataclass(frozen=True)
class Sale:
    """One sale as its till sent it."""

    event_id: str
    store_id: str
    sold_at: datetime.datetime
    amount: decimal.Decimal

    @property
    def hour(self) -> datetime.datetime:
        return self.sold_at.replace(minute=0, second=0)

    def line(self) -> str:
        sold_at = f"{self.sold_at.isoformat()}Z"
        return json.dumps(
            {"event_id": self.event_id, "store_id": self.store_id, "sold_at": sold_at, "amount": str(self.amount)}
        )


@dataclass(frozen=True)
class World:
    """The sales of each delivery, repetitions among them, and the stores of each group."""

    deliveries: dict[str, tuple[Sale, ...]]
    stores: dict[str, frozenset[str]]

    # -- the truth, from the raw sales -----------------------------------------------------------------------------

    def counted(self, deliveries: Iterable[str]) -> list[Sale]:
        """Every sale that counts, once: of each delivery those whose hour wasn't closed by the deliveries before."""
        newest: datetime.datetime | None = None
        found: dict[str, Sale] = {}
        for delivery in deliveries:
            sales = self.deliveries[delivery]
            for sale in sales:
                if newest is None or sale.sold_at >= newest - GRACE:
                    found.setdefault(sale.event_id, sale)
            newest = max([sale.sold_at for sale in sales] + ([newest] if newest else []))
        return list(found.values())

    def hours(self, group: str, deliveries: Iterable[str]) -> list[dict[str, object]]:
        """The table's rows of the group's stores."""
        totals: defaultdict[tuple[str, datetime.datetime], list[decimal.Decimal]] = defaultdict(list)
        for sale in self.counted(deliveries):
            if sale.store_id in self.stores[group]:
                totals[sale.store_id, sale.hour].append(sale.amount)
        assert totals, f"no hour of the group {group} is expected"
        return [
            {"store_id": store, "hour": hour, "sales": len(amounts), "revenue": sum(amounts)}
            for (store, hour), amounts in totals.items()
        ]


# -- making it --------------------------------------------------------------------------------------------------------


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    day = datetime.datetime(2026, 3, 1) + datetime.timedelta(days=draw.randrange(25))
    noon = day + draw.randrange(12, 15) * HOUR
    numbers = draw.sample(range(100, 1000), 2 * len(GROUPS))
    stores = {group: [f"S{numbers.pop()}", f"S{numbers.pop()}"] for group in GROUPS}
    ids = iter(draw.sample(range(10_000_000, 99_999_999), round(2000 * scale) + 200))

    def sales(group: str, hour: datetime.datetime, minutes: tuple[int, int], count: int) -> list[Sale]:
        """So many sales of each of the group's stores, between two minutes of an hour."""
        return [
            Sale(
                f"{next(ids):x}",
                store,
                hour + datetime.timedelta(seconds=draw.randrange(minutes[0] * 60, minutes[1] * 60)),
                decimal.Decimal(draw.randrange(50, 90_000)).scaleb(-2),
            )
            for store in stores[group]
            for _ in range(count)
        ]

    some = max(round(6 * scale), 2)
    whole = (0, 60)
    first: list[Sale] = []
    for ago in range(4, 0, -1):
        first += sales("plain", noon - ago * HOUR, whole, draw.randrange(some, 2 * some))
    # The newest sale of the first delivery is of 50 minutes past noon: that closes what is older than 10 to 11.
    first += [*sales("plain", noon, (5, 49), some), *sales("plain", noon, (50, 51), 1)]
    first += sales("closed", noon - 4 * HOUR, whole, some) + sales("closed", noon - 3 * HOUR, whole, some)
    first += sales("late", noon - HOUR, whole, some) + sales("continued", noon, (5, 49), some)
    first += sales("meanwhile", noon, (5, 49), some)
    resent = sales("resent", noon, (20, 49), 2 * some)
    first += resent + resent[::3]

    second = [*sales("plain", noon + HOUR, (0, 5), some), *resent[1::2], *sales("resent", noon, (50, 60), some)]
    second += second[-some // 2 :]
    second += sales("continued", noon, (51, 60), some)
    second += sales("late", noon - HOUR, (12, 60), some) + sales("late", noon, (0, 60), some)
    # In time, though the hour that they are of began more than two hours before the newest sale of the first.
    second += sales("late", noon - 2 * HOUR, (52, 60), some)
    # Older than that, and of hours that had ended by then: whether one goes by sales or by hours doesn't matter.
    second += sales("closed", noon - 4 * HOUR, whole, some) + sales("closed", noon - 3 * HOUR, whole, some)

    third = sales("meanwhile", noon, (20, 60), some) + sales("meanwhile", noon + HOUR, (0, 20), some)
    deliveries = {"first": first, "second": second, "third": third}
    for delivery in deliveries.values():
        draw.shuffle(delivery)
    return World(
        {name: tuple(found) for name, found in deliveries.items()},
        {group: frozenset(names) for group, names in stores.items()},
    )


def furnish(world: World, lab: Lab, deliveries: Iterable[str] = DELIVERIES, pieces: int = 3) -> None:
    """Deliver them, each cut into so many files."""
    for delivery in deliveries:
        lines = [sale.line() for sale in world.deliveries[delivery]]
        lab.deliver(
            {
                f"sales/{delivery}-{number:04}.json": "".join(f"{line}\n" for line in lines[number::pieces])
                for number in range(pieces)
            }
        )


# canary: dc77a131-1a35-4a7c-979b-f1ce3f07da98
