"""Users, and what two versions of an app do to them during the rollout."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from harness.engines.postgres import Postgres
from harness.lab import Lab

OLD, NEW = "email", "contact_email"  # the column that version 1, version 2 of the app knows
PHASES = ("before", "expanded", "backfilled", "contracted")
# Who writes when.
WRITERS = {"before": (OLD,), "expanded": (OLD, NEW), "backfilled": (OLD, NEW), "contracted": (NEW,)}
SCHEMA = (
    "CREATE SCHEMA app",
    "CREATE SCHEMA reporting",
    """CREATE TABLE app.users (
        user_id bigint PRIMARY KEY,
        email varchar(120) NOT NULL,
        name text NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )""",
    "CREATE UNIQUE INDEX users_email_key ON app.users (lower(email))",
    """CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.updated_at := clock_timestamp();
        RETURN NEW;
    END
    $$""",
    "CREATE TRIGGER touch BEFORE UPDATE ON app.users FOR EACH ROW EXECUTE FUNCTION app.touch()",
    """CREATE VIEW reporting.contacts AS
        SELECT user_id, email, split_part(email, '@', 2)::text AS domain FROM app.users""",
)

Users = dict[int, tuple[str, str]]


@dataclass(frozen=True)
class Write:
    """One statement of an app: ``add``, ``move`` (another address), ``rename`` or ``delete``."""

    column: str
    kind: str
    user_id: int
    value: str = ""
    name: str = ""

    def sql(self) -> str:
        match self.kind:
            case "add":
                values = f"{self.user_id}, {quoted(self.value)}, {quoted(self.name)}"
                return f"INSERT INTO app.users (user_id, {self.column}, name) VALUES ({values})"
            case "move":
                return f"UPDATE app.users SET {self.column} = {quoted(self.value)} WHERE user_id = {self.user_id}"
            case "rename":
                return f"UPDATE app.users SET name = {quoted(self.name)} WHERE user_id = {self.user_id}"
        return f"DELETE FROM app.users WHERE user_id = {self.user_id}"

    def applied(self, users: Users) -> Users:
        if self.kind == "delete":
            return {user: row for user, row in users.items() if user != self.user_id}
        address, name = users.get(self.user_id, ("", ""))
        return {**users, self.user_id: (self.value or address, self.name or name)}


@dataclass(frozen=True)
class World:
    """The users at first (address and name by id), and the writes of each phase; ``back``: once its step is undone.

    ``during``: writes while the backfill waits for a user that an app has ``held``.
    """

    users: Users
    writes: dict[str, tuple[Write, ...]]
    back: dict[str, tuple[Write, ...]]
    held: int
    during: tuple[Write, ...]

    def after(self, phase: str) -> Users:
        """The users once a phase's writes are done."""
        users = self.users
        for name in PHASES[: PHASES.index(phase) + 1]:
            users = applied(users, self.writes[name])
        return users

    def touched(self, *phases: str) -> set[int]:
        return {write.user_id for phase in phases for write in self.writes[phase]}


def applied(users: Users, writes: Iterable[Write]) -> Users:
    for write in writes:
        users = write.applied(users)
    return users


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def build(seed: int, scale: float = 1.0) -> World:
    draw = random.Random(seed)  # noqa: S311
    number = max(1200, round(3200 * scale))
    ids = draw.sample(range(10_000, 99_999), number + 400)
    fresh = iter(ids[number:])

    def address(user: int) -> str:
        name = draw.choice(("Kim", "o'neill", "ana.maria", "Zoë", "li"))
        return f"{name}.{user}.{draw.randrange(10**6)}@{draw.choice(('mail.example', 'Shop.example', 'x.example'))}"

    users = {user: (address(user), draw.choice(("Kim", "Ana", "D'Arcy", "Li Wei"))) for user in ids[:number]}
    alive = set(users)
    changed: set[int] = set()

    def some(column: str) -> list[Write]:
        """Each kind of write, on users that nobody has written to yet."""
        made = []
        for kind in ("add", "add", "move", "move", "rename", "delete"):
            user = next(fresh) if kind == "add" else draw.choice(sorted(alive - changed))
            changed.add(user)
            made.append(
                Write(
                    column,
                    kind,
                    user,
                    address(user) if kind in ("add", "move") else "",
                    f"Name {draw.randrange(10**6)}" if kind in ("add", "rename") else "",
                )
            )
            if kind == "delete":
                alive.discard(user)
        return made

    writes = {phase: [write for column in WRITERS[phase] for write in some(column)] for phase in PHASES}
    # What one version wrote, the other one changes.
    for phase in ("expanded", "backfilled"):
        added = {write.column: write.user_id for write in writes[phase] if write.kind == "add"}
        writes[phase] += [
            Write(NEW, "move", added[OLD], address(added[OLD])),
            Write(OLD, "move", added[NEW], address(1)),
        ]
    back = {
        phase: [write for column in WRITERS[phase] for write in some(column)]
        for phase in ("backfilled", "expanded", "before")
    }
    # In whatever order a backfill takes them, the first 1,000 are done before the user that is held, and some are not.
    lie, count = ({user: place for place, user in enumerate(order)} for order in (list(users), sorted(users)))
    left = sorted(set(users) & alive - changed)
    third = 0.35 * number
    held = min(left, key=lambda user: max(abs(lie[user] - third), abs(count[user] - third)))
    early = sorted(left, key=lambda user: max(lie[user], count[user]))[:3]
    late = sorted(left, key=lambda user: min(lie[user], count[user]))[-3:]
    during = [
        Write(column, kind, user, address(user) if kind == "move" else "", "Somebody" if kind == "rename" else "")
        for some_users in (early, late)
        for user, column, kind in zip(some_users, (OLD, NEW, NEW), ("move", "move", "rename"), strict=True)
    ]
    world = World(
        users,
        {phase: tuple(made) for phase, made in writes.items()},
        {phase: tuple(made) for phase, made in back.items()},
        held,
        tuple(during),
    )
    addresses = [row[0].lower() for row in applied(world.after("contracted"), sum(world.back.values(), ())).values()]
    assert len(addresses) == len(set(addresses)), "an address is there twice"
    return world


def furnish(world: World, lab: Lab) -> None:
    postgres = lab.use(Postgres)
    postgres.execute(*SCHEMA, user="loader")
    rows = [(user, address, name, "2026-01-05T10:00:00+00") for user, (address, name) in world.users.items()]
    postgres.copy("app.users", ["user_id", "email", "name", "updated_at"], rows)


# canary: 7b7f4a8e-3d0b-4d0e-8e6f-2c8f5d1d9a44
