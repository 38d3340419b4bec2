"""Orders in a file, and one that comes late."""

from __future__ import annotations

import random
from dataclasses import dataclass

from harness.lab import Lab


@dataclass(frozen=True)
class World:
    cents: tuple[int, ...]
    late: int

    def expected(self, *, late: bool = False) -> str:
        counted = (*self.cents, *([self.late] if late else []))
        return f"orders,cents\n{len(counted)},{sum(counted)}\n"


def build(seed: int, scale: float = 1.0) -> World:
    rng = random.Random(seed)
    return World(tuple(rng.randrange(1, 10**5) for _ in range(20)), rng.randrange(1, 10**5))


def furnish(world: World, lab: Lab, *, late: bool = False) -> None:
    cents = (*world.cents, *([world.late] if late else []))
    lab.deliver({"orders.csv": "cents\n" + "".join(f"{amount}\n" for amount in cents)})
