"""Two designs of pipelines; of each decision the seed says whether it is a sound or a flawed one, and where it stands.

``decisions.toml`` has the words.
"""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass
from pathlib import Path

from harness.lab import Lab

SEVERITY = {
    "loses-events": "high",
    "cannot-replay": "high",
    "not-rerunnable": "high",
    "ambiguous-latest": "high",
    "drops-late-rows": "high",
    "wrong-order": "high",
    "breaks-on-new-column": "high",
    "no-quality-gate": "high",
    "exposes-personal-data": "high",
    "secret-in-the-open": "high",
    "misses-its-promise": "medium",
    "does-not-scale": "medium",
    "nobody-is-told": "medium",
    "wastes-money": "low",
}
KINDS = tuple(SEVERITY)
# Of each pair at least one is planted in one of the designs, so that every dimension has something to find.
DIMENSIONS = {
    "durability": ("loses-events", "cannot-replay"),
    "idempotency": ("not-rerunnable", "ambiguous-latest"),
    "late_data": ("drops-late-rows", "wrong-order"),
    "schema_evolution": ("breaks-on-new-column",),
    "quality": ("no-quality-gate", "nobody-is-told"),
    "security": ("exposes-personal-data", "secret-in-the-open"),
    "scale": ("misses-its-promise", "does-not-scale", "wastes-money"),
}


@dataclass(frozen=True)
class Facts:
    """The numbers of a design."""

    name: str
    key: str
    late_days: int
    outage_days: int
    gigabytes: int
    growth: int

    def fill(self, text: str) -> str:
        """A decision's text with this design's numbers."""
        return text.format(
            name=self.name,
            key=self.key,
            kept_days=self.outage_days + 4,
            kept_gigabytes=(self.outage_days + 4) * self.gigabytes,
            few_hours=24 * (self.outage_days - 1),
            late_days_and_two=self.late_days + 2,
            late_days_and_one=self.late_days + 1,
            late_days_less_two=self.late_days - 2,
            gigabytes=self.gigabytes,
            eighth=self.gigabytes // 8,
            rate=self.gigabytes // 3,
            growth=self.growth,
        )


@dataclass(frozen=True)
class Flaw:
    """One planted flaw: ``section`` holds the decision, ``text`` is that section's."""

    design: str
    kind: str
    section: str
    text: str


@dataclass(frozen=True)
class World:
    """The designs by name as Markdown, and what is wrong with them."""

    designs: dict[str, str]
    flaws: tuple[Flaw, ...]

    def of(self, *kinds: str) -> list[Flaw]:
        return [flaw for flaw in self.flaws if flaw.kind in kinds]

    def section(self, design: str, number: str) -> str:
        """The text of a section; empty if there is none of that number."""
        for part in self.designs[design].split("\n## ")[1:]:
            if part.partition(".")[0] == number:
                return part
        return ""


DECISIONS = tomllib.loads(Path(__file__).with_name("decisions.toml").read_text(encoding="utf-8"))
CONTEXT = {
    "orders": (
        "Orders from tills and web shop to the warehouse",
        "Shops' tills and the web shop send each change of an order to a topic; a nightly export of the backend "
        "completes it. Controlling reads the fact and its marts.",
    ),
    "clicks": (
        "Clicks from the apps to the warehouse",
        "Apps and the web site send clicks and changes of sessions to a topic; partners deliver files every night. "
        "Marketing reads the fact and its marts.",
    ),
}


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    planted = plant(draw)
    designs, flaws = {}, []
    for name in CONTEXT:
        text, found = design(draw, name, planted[name])
        designs[name] = text
        flaws += found
    world = World(designs, tuple(flaws))
    for flaw in world.flaws:
        assert flaw.text in world.section(flaw.design, flaw.section), flaw
    assert all(world.of(*kinds) for kinds in DIMENSIONS.values())
    return world


def plant(draw: random.Random) -> dict[str, set[str]]:
    """Five to seven kinds a design, so that every dimension has one somewhere."""
    while True:
        planted = {name: set(draw.sample(KINDS, draw.randrange(5, 8))) for name in CONTEXT}
        if all(set(kinds) & (planted["orders"] | planted["clicks"]) for kinds in DIMENSIONS.values()):
            return planted


def design(draw: random.Random, name: str, planted: set[str]) -> tuple[str, list[Flaw]]:
    facts = Facts(
        name=name,
        key={"orders": "order_id", "clicks": "session_id"}[name],
        late_days=draw.randrange(4, 8),
        outage_days=draw.randrange(3, 6),
        gigabytes=8 * draw.randrange(12, 30),
        growth=draw.choice((40, 50, 60)),
    )
    title, purpose = CONTEXT[name]
    given = (
        f"{purpose} Phones and tills that were offline deliver their data up to {facts.late_days} days late. Outages "
        f"over a long weekend are planned for: it can take {facts.outage_days} days until somebody has mended the "
        "pipeline. Messages have at least one more copy on another broker."
    )
    order = list(KINDS)
    draw.shuffle(order)
    parts, flaws = [f"# {title}\n\nDesign for review.", f"## 1. What is given\n\n{given}"], []
    for number, kind in enumerate(order, 2):
        decision = DECISIONS[kind]
        text = facts.fill(draw.choice(decision["flawed" if kind in planted else "sound"]))
        parts.append(f"## {number}. {decision['heading']}\n\n{text}")
        if kind in planted:
            flaws.append(Flaw(name, kind, str(number), text))
    return "\n\n".join(parts) + "\n", flaws


# -- laying it out ----------------------------------------------------------------------------------------------


def furnish(world: World, lab: Lab) -> None:
    lab.deliver({f"designs/{name}.md": text for name, text in world.designs.items()})


# canary: 8f464c80-26aa-4d7a-8cac-696b0bf01228
