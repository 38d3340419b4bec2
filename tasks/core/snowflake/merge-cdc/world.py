"""Change batches of a customers' database; each group of customers shows one peculiarity of such a log."""

from __future__ import annotations

import datetime
import decimal
import json
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.lab import Lab

# Only SEVERAL has more than one change of a customer, so that who can't take it in loses nothing else.
BATCHES = FIRST, SECOND, SEVERAL, MENDED, LATE, LAST, EMPTY = (1, 2, 3, 4, 5, 6, 7)
TEN_DIGITS = 1_000_000_000
FIELDS = ("name", "email", "segment", "credit_limit", "changed_at")
SEGMENTS = ("bronze", "silver", "gold")
FIRST_NAMES = ("Ada", "Björn", "Chloé", "D'Arcy", "Emeka", "Fatima", "Guðrún", "Hana", "Iñigo", "Jun")
LAST_NAMES = ("Okafor", "Lindqvist", "O'Neill", "Moreau", "Sato", "Kowalska", "de la Cruz", "Nguyễn")

Values = dict[str, str | None]


@dataclass(frozen=True)
class Change:
    seq: int
    op: str
    customer: str
    values: Values

    @property
    def line(self) -> str:
        event = {"seq": self.seq, "op": self.op, "customer_id": self.customer, **self.values}
        return json.dumps(event, ensure_ascii=False)


@dataclass(frozen=True)
class World:
    """The batches' changes, line by line; damaged files by batch, with the number of the line; the groups."""

    batches: dict[int, tuple[Change, ...]]
    damaged: dict[int, tuple[str, int]]
    groups: dict[str, frozenset[str]]

    def file(self, batch: int) -> str:
        return "".join(f"{change.line}\n" for change in self.batches[batch])

    def customers(self, groups: Iterable[str], batches: Iterable[int]) -> list[dict[str, object]]:
        """Rows of the groups' customers once these batches are in, in whatever order."""
        latest: dict[str, Change] = {}
        for change in sorted((row for batch in batches for row in self.batches[batch]), key=lambda row: row.seq):
            latest[change.customer] = change
        wanted = self.named(groups)
        return [typed(change) for name, change in latest.items() if name in wanted and change.op != "delete"]

    def named(self, groups: Iterable[str]) -> frozenset[str]:
        return frozenset[str]().union(*(self.groups[group] for group in groups))


def typed(change: Change) -> dict[str, object]:
    limit, moment = change.values["credit_limit"], change.values["changed_at"]
    return {
        "customer_id": change.customer,
        **{name: change.values[name] for name in ("name", "email", "segment")},
        "credit_limit": None if limit is None else decimal.Decimal(limit),
        "changed_at": datetime.datetime.fromisoformat(str(moment)),
        "seq": change.seq,
    }


# -- making it --------------------------------------------------------------------------------------------------------


@dataclass
class Log:
    """Writes the database's log, in the order of which changes get their number, and cuts it into batches."""

    draw: random.Random
    groups: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    drafts: list[tuple[int, float, str, str, Values]] = field(default_factory=list)
    last: dict[str, tuple[int, int]] = field(default_factory=dict)

    def customer(self, group: str) -> str:
        while (name := f"C{self.draw.randrange(10_000, 99_999)}") in frozenset().union(*self.groups.values()):
            pass
        self.groups[group].add(name)
        return name

    def say(self, batch: int, customer: str, op: str, **given: str | None) -> None:
        """A change of a customer, after those that were said of the customer before in this batch."""
        turn = self.last[customer][1] + 1 if self.last.get(customer, (0, 0))[0] == batch else 0
        self.last[customer] = (batch, turn)
        values: Values = dict.fromkeys(FIELDS) if op == "delete" else self.values(batch, customer) | given
        self.drafts.append((batch, turn + self.draw.random(), customer, op, values))

    def values(self, batch: int, customer: str) -> Values:
        moment = datetime.datetime(2026, 3, batch, self.draw.randrange(24), self.draw.randrange(60))
        cents = self.draw.randrange(10_000, 999_999)
        return {
            "name": f"{self.draw.choice(FIRST_NAMES)} {self.draw.choice(LAST_NAMES)}",
            "email": f"{customer.lower()}.{self.draw.randrange(1000)}@shop.example",
            "segment": self.draw.choice(SEGMENTS),
            "credit_limit": f"{cents // 100}.{cents % 100:02}",
            "changed_at": moment.isoformat(),
        }

    def written(self) -> dict[int, list[Change]]:
        """Half-way through SEVERAL the numbers get a digit more, and would be sorted otherwise as text."""
        drafts = sorted(self.drafts, key=lambda draft: draft[:3])
        of_several = [place for place, draft in enumerate(drafts) if draft[0] == SEVERAL]
        short = of_several[len(of_several) // 2]
        numbers = [
            *sorted(self.draw.sample(range(1_048_000, TEN_DIGITS), short)),
            *sorted(self.draw.sample(range(TEN_DIGITS, 9 * TEN_DIGITS), len(drafts) - short)),
        ]
        batches: dict[int, list[Change]] = {batch: [] for batch in BATCHES}
        for seq, (batch, _, customer, op, values) in zip(numbers, drafts, strict=True):
            batches[batch].append(Change(seq, op, customer, values))
        return batches


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    log = Log(draw)
    for number in range(max(3, round(3 * scale))):
        build_ordinary(log, number)
        build_late(log, number)
    batches = log.written()
    for changes in batches.values():
        draw.shuffle(changes)
    for change in batches[LAST]:
        change.values["loyalty_points"] = str(draw.randrange(1000))
    for changes in batches.values():
        backwards(changes)
    world = World(
        {batch: tuple(changes) for batch, changes in batches.items()},
        damage(log, batches[MENDED]),
        {group: frozenset(names) for group, names in log.groups.items()},
    )
    guard(world)
    return world


def backwards(changes: list[Change]) -> None:
    """Lines of a customer stand against the order of their changes in every file; so are their clocks."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, change in enumerate(changes):
        places[change.customer].append(place)
    for own in places.values():
        ordered = sorted((changes[place] for place in own), key=lambda change: -change.seq)
        clocks = sorted(str(change.values["changed_at"]) for change in ordered if change.op != "delete")
        for place, change in zip(own, ordered, strict=True):
            if change.op != "delete":
                change.values["changed_at"] = clocks.pop(0)
            changes[place] = change


def build_ordinary(log: Log, number: int) -> None:
    customer = log.customer("plain")
    log.say(FIRST, customer, "insert")
    if number % 2:
        log.say(SECOND, customer, "update")
    customer = log.customer("plain")
    log.say(SECOND, customer, "insert")
    log.say(MENDED, customer, "update")

    build_several(log)

    for _ in range(2):
        customer = log.customer("deleted")
        log.say(FIRST, customer, "insert")
        log.say(SECOND, customer, "delete")

    customer = log.customer("returned")
    log.say(FIRST, customer, "insert")
    log.say(SECOND, customer, "delete")
    log.say(MENDED, customer, "insert")

    customer = log.customer("nulled")
    log.say(FIRST, customer, "insert")
    lost = ("email", "segment", "credit_limit")[number % 3]
    log.say(SECOND, customer, "update", **{lost: None})

    # What a restarted exporter says.
    customer = log.customer("relabelled")
    log.say(FIRST, customer, "insert")
    log.say(SECOND, customer, "insert")
    log.say(SECOND, log.customer("relabelled"), "update")


def build_several(log: Log) -> None:
    for known, ops in (
        (True, ("update", "update", "update")),
        (False, ("insert", "update", "update")),
        (True, ("update", "delete")),
        (False, ("insert", "update", "delete")),
        (True, ("delete", "insert")),
    ):
        customer = log.customer("several")
        if known:
            log.say(FIRST, customer, "insert")
        for op in ops:
            log.say(SEVERAL, customer, op)


def build_late(log: Log, number: int) -> None:
    """LATE comes after LAST."""
    customer = log.customer("missed")
    log.say(LATE, customer, "insert")
    customer = log.customer("missed")
    log.say(FIRST, customer, "insert")
    log.say(LATE, customer, "update" if number else "delete")

    customer = log.customer("overtaken")
    log.say(FIRST, customer, "insert")
    log.say(LATE, customer, "update")
    log.say(LAST, customer, "update")
    customer = log.customer("overtaken")
    log.say(FIRST, customer, "insert")
    log.say(LATE, customer, "delete")
    log.say(LAST, customer, "insert")

    customer = log.customer("buried")
    log.say(FIRST, customer, "insert")
    log.say(LATE, customer, "update")
    log.say(LAST, customer, "delete")
    # Its deletion is the first that is heard of it.
    customer = log.customer("unborn")
    log.say(LATE, customer, "insert")
    log.say(LAST, customer, "delete")

    log.say(LAST, log.customer("fresh"), "insert")


def damage(log: Log, mended: list[Change]) -> dict[int, tuple[str, int]]:
    """Damaged files by batch, with the number of the line: that of MENDED, and three that are never mended."""
    found = {}
    for batch, kind in ((MENDED, "torn"), (8, "op"), (9, "key"), (10, "seq")):
        lines = [change.line for change in mended]
        if batch != MENDED:
            # Customers of its own: one that gets in is seen.
            lines = [
                Change(9_500_000_000 + 100 * batch + place, "insert", log.customer("refused"), log.values(9, "c")).line
                for place in range(3)
            ]
        place = log.draw.randrange(1, len(lines))
        event = json.loads(lines[place])
        event |= {"op": {"op": "truncate"}, "key": {"customer_id": None}}.get(kind, {})
        if kind == "seq":
            del event["seq"]
        lines[place] = lines[place][:-25] if kind == "torn" else json.dumps(event)
        found[batch] = ("".join(f"{line}\n" for line in lines), place + 1)
    return found


def guard(world: World) -> None:
    """Every group shows what it is there for."""
    gone = {"deleted", "buried", "unborn", "refused"}
    for group, names in world.groups.items():
        rows = world.customers([group], BATCHES)
        assert bool(rows) == (group not in gone), group
        assert names, group
    assert len(world.customers(["missed"], BATCHES)) == len(world.groups["missed"]) - 1
    assert not world.batches[EMPTY]
    for batch, changes in world.batches.items():
        assert (len({change.customer for change in changes}) < len(changes)) == (batch == SEVERAL), batch
    assert len({len(str(change.seq)) for change in world.batches[SEVERAL]}) > 1


def deliver(world: World, lab: Lab, batch: int, *, damaged: bool = False) -> None:
    lab.deliver({f"cdc/customers_{batch}.jsonl": world.damaged[batch][0] if damaged else world.file(batch)})


def furnish(world: World, lab: Lab) -> None:
    for batch in BATCHES:
        deliver(world, lab, batch)


# canary: 95260fd4-e354-472a-acf6-d44a79896d28
