"""Users as four runs find them, and orders; each group of users shows one peculiarity."""

from __future__ import annotations

import datetime
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from harness.engines.postgres import Postgres
from harness.lab import Lab

COLUMNS = ("user_id", "name", "email", "segment", "accepts_marketing", "last_login_at", "updated_at")
ORDER = ("order_id", "user_id", "amount", "ordered_at")
TRACKED = {"name": "text", "email": "text", "segment": "text", "accepts_marketing": "boolean"}

# What is in app.users before each run that sees something new.
RUNS = (1, 2, 3, 4)
FIRST_DAY = datetime.datetime(2025, 4, 1)
LONG_AGO = datetime.datetime(2025, 3, 30, 12)
SEGMENTS = ("free", "basic", "premium", "business")
FIRST_NAMES = ("Ada", "Björn", "Chloé", "D'Arcy", "Emeka", "Fatima", "Guðrún", "Hana", "Iñigo", "Jun")
LAST_NAMES = ("Okafor", "Lindqvist", "O'Neill", "Moreau", "Sato", "Kowalska", "de la Cruz", "Nguyễn")

Tracked = tuple[str | None, str | None, str | None, bool | None]


@dataclass(frozen=True)
class User:
    """One row of ``app.users``."""

    user_id: str
    name: str | None
    email: str | None
    segment: str | None
    accepts_marketing: bool | None
    last_login_at: datetime.datetime
    updated_at: datetime.datetime

    @property
    def tracked(self) -> Tracked:
        return self.name, self.email, self.segment, self.accepts_marketing

    @property
    def row(self) -> tuple[object, ...]:
        return tuple(getattr(self, column) for column in COLUMNS)


@dataclass(frozen=True)
class World:
    """The rows of ``app.users`` by run, who shows what, and how many orders of each kind there are."""

    states: dict[int, tuple[User, ...]]
    groups: dict[str, tuple[str, ...]]

    def state(self, user: str, run: int) -> Tracked | None:
        """What a run sees of a user; None if she isn't there."""
        return next((row.tracked for row in self.states[run] if row.user_id == user), None)

    def users(self, *groups: str) -> list[str]:
        return [user for group in groups for user in self.groups[group]]

    def versions(self, user: str, runs: Iterable[int] = RUNS) -> list[tuple[int, int | None, Tracked]]:
        """A user's versions: the run that first saw it, the run that ended it, and what it says."""
        found: list[tuple[int, int | None, Tracked]] = []
        before: Tracked | None = None
        for run in runs:
            now = self.state(user, run)
            if now == before:
                continue
            if before is not None:
                found[-1] = (found[-1][0], run, before)
            if now is not None:
                found.append((run, None, now))
            before = now
        return found


class Backend:
    """The shop's users, as they change between runs."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.states: dict[int, list[User]] = {run: [] for run in RUNS}
        self.groups: defaultdict[str, list[str]] = defaultdict(list)

    def user(self, group: str) -> User:
        draw = self.draw
        known = [user for users in self.groups.values() for user in users]
        while (user := f"U{draw.randrange(10_000, 99_999)}") in known:
            pass
        self.groups[group].append(user)
        name = f"{draw.choice(FIRST_NAMES)} {draw.choice(LAST_NAMES)}"
        moment = self.moment(0)
        consent = draw.choice([True, False])
        return User(user, name, f"{user.lower()}@shop.example", draw.choice(SEGMENTS), consent, moment, moment)

    def moment(self, day: int) -> datetime.datetime:
        return FIRST_DAY + datetime.timedelta(days=day, seconds=self.draw.randrange(86_400))

    def saved(self, user: User, run: int, **changes: object) -> User:
        """The user after she saved her profile; ``updated_at`` moves."""
        return replace(user, updated_at=self.moment(run), **changes)  # type: ignore[arg-type]

    def other_segment(self, user: User) -> str:
        return self.draw.choice([segment for segment in SEGMENTS if segment != user.segment])

    def seen(self, *by_run: User | None) -> None:
        """What each of the four runs sees of a user."""
        for run, user in zip(RUNS, by_run, strict=True):
            if user is not None:
                self.states[run].append(user)


def build(seed: int, scale: float = 1.0) -> World:
    backend = Backend(random.Random(seed))  # noqa: S311
    for number in range(max(4, round(4 * scale))):
        present(backend, number)
        changing(backend, number)
        leaving(backend, number)
    for users in backend.states.values():
        backend.draw.shuffle(users)
    world = World(
        {run: tuple(users) for run, users in backend.states.items()},
        {group: tuple(users) for group, users in backend.groups.items()},
    )
    guard(world)
    return world


def present(backend: Backend, number: int) -> None:
    """Users about whom nothing changes that matters."""
    for _ in range(8):
        user = backend.user("quiet")
        backend.seen(user, user, user, user)
    user = backend.user("held twice")
    backend.seen(user, user, user, user)
    first = backend.user("login")
    logins = [first]
    for run in (2, 3, 4):
        moment = backend.moment(run)
        logins.append(replace(logins[-1], last_login_at=moment, updated_at=moment))
    backend.seen(*logins)


def changing(backend: Backend, number: int) -> None:
    saved, other = backend.saved, backend.other_segment
    first = backend.user("plain")
    second = saved(first, 2, **[{"name": f"{first.name} jr."}, {"email": f"x.{first.email}"}][number % 2])
    third = saved(second, 3, segment=other(second), email=f"y.{first.email}")
    backend.seen(first, second, third, saved(third, 4, name=f"{first.name} sr.") if number % 2 else third)

    # As before, after two changes.
    first = backend.user("back")
    second = saved(first, 2, segment=other(first))
    third = saved(first, 3)
    backend.seen(first, second, third, third)

    # The CRM's job: only the segment, and updated_at stays.
    first = backend.user("crm")
    second = replace(first, segment=other(first))
    third = replace(second, segment=other(second)) if number % 2 else second
    backend.seen(first, second, third, third)

    first = backend.user("consent")
    second = saved(first, 2, accepts_marketing=not first.accepts_marketing)
    third = saved(second, 3, accepts_marketing=first.accepts_marketing) if number % 2 else second
    backend.seen(first, second, third, third)

    first = backend.user("nulls")
    column = list(TRACKED)[number % 4]
    if column == "accepts_marketing":
        first = replace(first, accepts_marketing=False)
    without = saved(first, 2, **{column: None})
    again = saved(without, 3, **{column: getattr(first, column)})
    backend.seen(first, without, again, again)


def leaving(backend: Backend, number: int) -> None:
    saved, other = backend.saved, backend.other_segment
    user = backend.user("new")
    backend.seen(None, user, user, saved(user, 4, segment=other(user)) if number % 2 else user)

    user = backend.user("left")
    changed = saved(user, 2, segment=other(user))
    backend.seen(user, *([None, None, None] if number % 2 else [changed, None, None]))

    user = backend.user("returned")
    again = user if number % 2 else saved(user, 3, segment=other(user))
    backend.seen(user, None, again, again)


def guard(world: World) -> None:
    """Every group shows what it is there for."""
    for group, least in {
        "plain": 3,
        "back": 3,
        "crm": 2,
        "consent": 2,
        "nulls": 3,
        "returned": 2,
        "new": 1,
        "left": 1,
        "quiet": 1,
        "login": 1,
        "held twice": 1,
    }.items():
        assert len(world.users(group)) >= 4, group
        assert all(len(world.versions(user)) >= least for user in world.users(group)), group
    assert all(len(world.versions(user)) == 1 for user in world.users("quiet", "login", "held twice"))
    assert all(world.state(user, 4) is None for user in world.users("left"))
    assert len({user for state in world.states.values() for user in state}) > 60


# -- laying it out ----------------------------------------------------------------------------------------------


def furnish(world: World, lab: Lab) -> None:
    create_source(lab, rights="ALL")
    fill_users(lab, world.states[1])
    place(lab, [(f"O{number}", row.user_id, 10 + number, LONG_AGO) for number, row in enumerate(world.states[1], 100)])


def create_source(lab: Lab, rights: str = "SELECT") -> None:
    lab.use(Postgres).execute(
        "CREATE SCHEMA app",
        "CREATE TABLE app.users (user_id text, name text, email text, segment text, accepts_marketing boolean,"
        " last_login_at timestamp, updated_at timestamp)",
        "CREATE TABLE app.orders (order_id text PRIMARY KEY, user_id text, amount numeric(12,2), ordered_at timestamp)",
        "GRANT USAGE ON SCHEMA app TO loader",
        f"GRANT {rights} ON ALL TABLES IN SCHEMA app TO loader",
    )


def fill_users(lab: Lab, users: Iterable[User]) -> None:
    """The replica holds these users and no others."""
    lab.use(Postgres).execute("DELETE FROM app.users")
    lab.use(Postgres).copy("app.users", COLUMNS, [user.row for user in users])


def place(lab: Lab, orders: Sequence[tuple[str, str | None, int, datetime.datetime]]) -> None:
    lab.use(Postgres).copy("app.orders", ORDER, orders)


# canary: 8d71abaf-cdd6-4252-a92a-7c317be39eda
