"""Changes of users in five nightly batches; each group of users shows one peculiarity of the feed."""

from __future__ import annotations

import datetime
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from harness.engines.postgres import Postgres
from harness.lab import Lab

BATCHES = (1, 2, 3, 4, 5)
EMPTY_BATCH = 99
COLUMNS = ("change_id", "batch_id", "user_id", "name", "email", "segment", "changed_at")
VERSION = {"user_id": "text", "name": "text", "email": "text", "segment": "text", "valid_from": "timestamp"}

FIRST_DAY = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
SEGMENTS = ("free", "basic", "premium", "business")
FIRST_NAMES = ("Ada", "Björn", "Chloé", "D'Arcy", "Emeka", "Fatima", "Guðrún", "Hana", "Iñigo", "Jun")
LAST_NAMES = ("Okafor", "Lindqvist", "O'Neill", "Moreau", "Sato", "Kowalska", "de la Cruz", "Nguyễn")

# What stands between two names that are pasted together.
MARKS = ("|", "", "||", ",", " ", "-", "~", ";")

Attributes = tuple[str | None, str | None, str | None]


@dataclass(frozen=True)
class Change:
    """One row of ``app.user_changes``."""

    change_id: int
    batch_id: int
    user_id: str | None
    name: str | None
    email: str | None
    segment: str | None
    changed_at: datetime.datetime | None

    @property
    def attributes(self) -> Attributes:
        return self.name, self.email, self.segment

    @property
    def row(self) -> tuple[object, ...]:
        return tuple(getattr(self, column) for column in COLUMNS)


@dataclass(frozen=True)
class World:
    """All changes, and which users show what."""

    changes: tuple[Change, ...]
    groups: dict[str, frozenset[str]]

    def batch(self, number: int) -> list[Change]:
        return [change for change in self.changes if change.batch_id == number]

    def unusable(self, batches: Iterable[int]) -> dict[int, int]:
        """Batch by ``change_id`` of the rows that name no user or no time."""
        wanted = set(batches)
        return {
            change.change_id: change.batch_id
            for change in self.changes
            if change.batch_id in wanted and (change.user_id is None or change.changed_at is None)
        }

    def states(self, user: str, batches: Iterable[int]) -> list[tuple[datetime.datetime, Attributes]]:
        """What is known of a user, by time: the row written last counts where several speak of one moment."""
        wanted = set(batches)
        known: dict[datetime.datetime, Attributes] = {}
        for change in sorted(self.changes, key=lambda change: change.change_id):
            if change.user_id == user and change.batch_id in wanted and change.changed_at is not None:
                known[change.changed_at] = change.attributes
        return sorted(known.items(), key=lambda item: item[0])

    def versions(self, *groups: str, batches: Iterable[int] = BATCHES) -> list[dict[str, object]]:
        """The versions that the users of some groups have once the batches are in."""
        found: list[dict[str, object]] = []
        for user in sorted(set().union(*(self.groups[group] for group in groups))):
            before: Attributes | None = None
            for moment, attributes in self.states(user, batches):
                if attributes != before:
                    found.append(dict(zip(VERSION, (user, *attributes, moment), strict=True)))
                before = attributes
        assert found, f"no version is expected of {groups}"
        return found


class Feed:
    """Writes rows as the backend would: by the batch, with a running ``change_id``."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.drafts: list[tuple[int, int, str | None, Attributes, datetime.datetime | None]] = []
        self.groups: defaultdict[str, set[str]] = defaultdict(set)

    def user(self, group: str) -> tuple[str, Attributes]:
        while (user := f"U{self.draw.randrange(10_000, 99_999)}") in set().union(*self.groups.values()):
            pass
        self.groups[group].add(user)
        name = f"{self.draw.choice(FIRST_NAMES)} {self.draw.choice(LAST_NAMES)}"
        return user, (name, f"{user.lower()}@shop.example", self.draw.choice(SEGMENTS))

    def moment(self, day: int, part: int = 0) -> datetime.datetime:
        """A moment of a day; a higher part of it (0 to 3) is later."""
        seconds = part * 21_600 + self.draw.randrange(21_600)
        return FIRST_DAY + datetime.timedelta(days=day, seconds=seconds, milliseconds=self.draw.randrange(1000))

    def say(
        self, batch: int, user: str | None, attributes: Attributes, moment: datetime.datetime | None, late: int = 0
    ) -> None:
        """``late`` puts a row behind others of its batch in the order of writing."""
        self.drafts.append((batch, late, user, attributes, moment))

    def world(self) -> World:
        order = list(self.drafts)
        self.draw.shuffle(order)
        order.sort(key=lambda draft: (draft[0], draft[1]))
        changes = [
            Change(100 + 3 * number, batch, user, *attributes, moment)
            for number, (batch, _, user, attributes, moment) in enumerate(order)
        ]
        self.draw.shuffle(changes)
        return World(tuple(changes), {group: frozenset(users) for group, users in self.groups.items()})


def other(draw: random.Random, attributes: Attributes, *unlike: Attributes) -> Attributes:
    """The same user with another name, address or segment, and unlike further states."""
    while (changed := _other(draw, attributes)) in unlike:
        pass
    return changed


def _other(draw: random.Random, attributes: Attributes) -> Attributes:
    name, email, segment = attributes
    match draw.randrange(3):
        case 0:
            return f"{name} {draw.choice(LAST_NAMES)}", email, segment
        case 1:
            return name, f"{draw.randrange(1000)}.{email}", segment
    return moved(draw, attributes)


def moved(draw: random.Random, attributes: Attributes) -> Attributes:
    """The same user in another segment."""
    return attributes[0], attributes[1], draw.choice([option for option in SEGMENTS if option != attributes[2]])


def without(attributes: Attributes, position: int) -> Attributes:
    return with_value(attributes, position, None)


def with_value(attributes: Attributes, position: int, value: str | None) -> Attributes:
    changed = list(attributes)
    changed[position] = value
    return changed[0], changed[1], changed[2]


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    feed = Feed(draw)
    for number in range(max(6, round(6 * scale))):
        build_plain(feed, number)
        build_peculiar(feed, number)
    for batch in (1, 2, 4):
        user, attributes = feed.user("unusable")
        feed.say(batch, None, attributes, feed.moment(batch))
        feed.say(batch, user, attributes, None)
    user, attributes = feed.user("unusable")
    feed.say(2, None, attributes, None)
    world = feed.world()
    guard(world)
    return world


def build_plain(feed: Feed, number: int) -> None:
    draw = feed.draw
    # At most one real change a batch; every second user returns to what it was before.
    user, first = feed.user("plain")
    second = other(draw, first)
    third = first if number % 2 else other(draw, second, first)
    fourth = other(draw, third, first, second)
    for batch, attributes in zip((1, 2, 3, 4), (first, second, third, fourth), strict=True):
        feed.say(batch, user, attributes, feed.moment(batch))
    if number % 3:
        feed.say(5, user, other(draw, fourth, first, second), feed.moment(5))
    # Known only from a batch that may come late, and from the one after it.
    user, first = feed.user("new")
    feed.say(3, user, first, feed.moment(3))
    feed.say(4, user, other(draw, first), feed.moment(4))


def build_peculiar(feed: Feed, number: int) -> None:
    draw = feed.draw
    user, whole = feed.user("nulls")
    position = number % 3
    lacking = without(whole, position)
    for batch, attributes in enumerate(
        (whole, lacking, whole, lacking) if number % 2 else (lacking, whole, lacking), 1
    ):
        feed.say(batch, user, attributes, feed.moment(batch))

    user, first = feed.user("repeats")
    first = without(first, number % 3 % 2) if number % 2 else first
    second = without(moved(draw, first), 1)
    for batch, attributes in zip(BATCHES, (first, first, first, second, second), strict=True):
        feed.say(batch, user, attributes, feed.moment(batch))
    feed.say(2, user, first, feed.moment(2, 3))

    user, first = feed.user("several")
    second = other(draw, first)
    feed.say(1, user, first, feed.moment(1, 0))
    feed.say(1, user, second, feed.moment(1, 2))
    third = other(draw, second)
    feed.say(2, user, third, feed.moment(2, 0))
    feed.say(2, user, second if number % 2 else other(draw, third), feed.moment(2, 2))

    user, first = feed.user("corrected")
    feed.say(1, user, first, feed.moment(1))
    moment, again = feed.moment(2), feed.moment(3)
    wrong = other(draw, first)
    feed.say(2, user, wrong, moment)
    feed.say(2, user, first if number % 3 == 2 else other(draw, wrong), moment, late=1)
    mistaken = other(draw, wrong)
    feed.say(3, user, mistaken, again)
    feed.say(4, user, other(draw, mistaken), again)

    # A row of day 2, or of before all others, that comes with day 4.
    user, first = feed.user("offline")
    feed.say(1, user, first, feed.moment(1, 2))
    feed.say(3, user, (last := other(draw, first)), feed.moment(3))
    feed.say(4, user, other(draw, last, first), feed.moment(2 if number % 2 else 0))

    # Batch 3 says something new, batch 4 the same as was known before it.
    user, first = feed.user("confirmed")
    feed.say(1, user, first, feed.moment(1))
    feed.say(3, user, other(draw, first), feed.moment(3))
    feed.say(4, user, first, feed.moment(4))

    # Batch 4 repeats what batch 3 said first.
    user, first = feed.user("earlier")
    second = other(draw, first)
    feed.say(1, user, first, feed.moment(1))
    feed.say(3, user, second, feed.moment(3))
    feed.say(4, user, second, feed.moment(4))

    build_pasted(feed, number)

    user, first = feed.user("saved_again")
    feed.say(1, user, first, feed.moment(1))
    feed.say(5, user, first, feed.moment(5))


def build_pasted(feed: Feed, number: int) -> None:
    """Other values, which give the same text where they are put one behind the other."""
    user, (name, email, segment) = feed.user("pasted")
    mark = MARKS[number % len(MARKS)]
    states: list[Attributes] = [
        (f"{name}{mark}{email}", f"{number}", segment),
        (name, f"{email}{mark}{number}", segment),
        (name, "", segment),
        ("", name, segment),
    ]
    for batch, attributes in enumerate(states, 1):
        feed.say(batch, user, attributes, feed.moment(batch))
    # The name was put into the field for the address.
    user, (name, _, segment) = feed.user("pasted")
    feed.say(1, user, (None, name, segment), feed.moment(1))
    feed.say(2, user, (name, None, segment), feed.moment(2))

    user, whole = feed.user("emptied")
    position = number % 3
    for batch, value in enumerate((None, "", None), 1):
        feed.say(batch, user, with_value(whole, position, value), feed.moment(batch))


def guard(world: World) -> None:
    """Every group shows what it is there for."""
    for group in world.groups:
        assert group == "unusable" or len(world.versions(group)) >= len(world.groups[group]), group
    repeats = world.groups["repeats"]
    assert len(world.versions("repeats")) == 2 * len(repeats)
    assert len(world.versions("nulls")) == sum(3 + number % 2 for number in range(len(world.groups["nulls"])))
    for group in ("plain", "several", "offline", "confirmed", "pasted", "emptied"):
        assert len(world.versions(group)) >= 3 * len(world.groups[group]), group
    assert len(world.unusable(BATCHES)) == 7
    assert len({change.change_id for change in world.changes}) == len(world.changes)


# -- laying it out ----------------------------------------------------------------------------------------------


def furnish(world: World, lab: Lab) -> None:
    create_source(lab)
    for number in BATCHES:
        deliver(world, lab, number)


def create_source(lab: Lab) -> None:
    lab.use(Postgres).execute(
        "CREATE SCHEMA app",
        "CREATE TABLE app.user_changes (change_id bigint PRIMARY KEY, batch_id integer NOT NULL, user_id text,"
        " name text, email text, segment text, changed_at timestamptz)",
        "GRANT USAGE ON SCHEMA app TO loader",
        "GRANT SELECT ON app.user_changes TO loader",
    )


def deliver(world: World, lab: Lab, number: int) -> None:
    """The backend writes a batch."""
    lab.use(Postgres).copy("app.user_changes", COLUMNS, [change.row for change in world.batch(number)])


# canary: 48584d07-9657-49eb-bb50-d14c4c0e1b3f
