"""Runs the project on users as they change from run to run; looks at their versions and at what orders make of them.

A version's times are the clock's, so nothing is expected of them but their order: the clock is read between runs.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import AfterCrash, crash_everywhere, must_end_well
from graders.tables import assert_same_rows, canonical_rows
from harness.engines.dbt import Dbt
from harness.engines.postgres import Postgres
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import LONG_AGO, RUNS, TRACKED, Tracked, World, create_source, fill_users, place

DIMENSION = {
    "user_key": "text",
    "user_id": "text",
    **TRACKED,
    "valid_from": "timestamp",
    "valid_to": "timestamp",
    "is_current": "boolean",
}
FACT = {
    "order_id": "text",
    "user_id": "text",
    "amount": "decimal(2)",
    "ordered_at": "timestamp",
    "user_key": "text",
    "segment": "text",
}
CRASHES = 4
# The segment of the second rows by which users are held twice: nobody else's.
SECOND = "stale"
WEEKS = datetime.timedelta(weeks=3)

Moment = datetime.datetime
# A user's versions by time: what each says, and whether it has ended.
Story = list[tuple[Tracked, bool]]


OPERATION = Operation(
    command="dbt build",
    fills=("analytics.dim_users",),
    every=datetime.timedelta(hours=1),
    topics={
        "a table that is being refreshed": "refresh empty twice replica",
        "users who leave": "delet leav left gone return",
        "updated_at": "updated_at login crm segment",
        "unique keys": "unique primary duplic order_id user_id",
        "late orders": "late ordered_at",
        "runs": "overlap concurr parallel hour",
        "columns": "column schema",
    },
)


@dataclass(frozen=True)
class Version:
    """A row of ``dim_users``."""

    user_key: str
    user_id: str
    tracked: Tracked
    valid_from: Moment
    valid_to: Moment | None
    is_current: bool


@dataclass(frozen=True)
class Order:
    """An order of the grader's, and the version it must get: the user's n-th (from 0), or none."""

    order_id: str
    user_id: str | None
    ordered_at: Moment
    version: int | None


@dataclass(frozen=True)
class Run:
    """How a run ended, and both tables after it."""

    what: str
    done: Completed
    dim: Table
    fact: Table

    @property
    def versions(self) -> dict[str, list[Version]]:
        """The versions by user and time, if the run was a success."""
        must_end_well(self.done, self.what)
        return histories(self.dim)

    @property
    def orders(self) -> Table:
        must_end_well(self.done, self.what)
        return self.fact


@dataclass
class Hours:
    """One warehouse hour after hour: the runs by name, the clock after each, the orders by kind, a state kept."""

    runs: dict[str, Run] = field(default_factory=dict)
    clock: dict[str, Moment] = field(default_factory=dict)
    orders: defaultdict[str, list[Order]] = field(default_factory=lambda: defaultdict(list))
    after_first: str = ""


def histories(dim: Table) -> dict[str, list[Version]]:
    found = defaultdict(list)
    for key, user, *tracked, start, end, current in canonical_rows(dim, DIMENSION):
        if start is None:
            raise SubmissionFault(f"{dim.name}: a version of user {user} has no valid_from")
        found[user].append(Version(key, user, (*tracked,), start, end, current))
    return {user: sorted(versions, key=lambda version: version.valid_from) for user, versions in found.items()}


def stories(dim: Table) -> dict[str, Story]:
    return {
        user: [(version.tracked, version.valid_to is not None) for version in versions]
        for user, versions in histories(dim).items()
    }


def tables(lab: Lab) -> tuple[Table, Table]:
    engine = lab.use(Postgres)
    return engine.table("analytics.dim_users"), engine.table("analytics.fct_orders")


class Orders:
    """Places orders, of which it knows what they must become."""

    def __init__(self, lab: Lab, hours: Hours) -> None:
        self.lab, self.hours, self.number = lab, hours, 100

    def place(self, kind: str, asked: Sequence[tuple[str | None, Moment, int | None]]) -> None:
        made = []
        for user, moment, version in asked:
            self.number += 1
            made.append(Order(f"O{self.number}", user, moment, version))
        self.hours.orders[kind] += made
        place(self.lab, [(order.order_id, order.user_id, 10, order.ordered_at) for order in made])


def version_at(world: World, user: str, run: int) -> int | None:
    """Which of a user's versions holds after a run; before she is seen, the first."""
    versions = world.versions(user)
    if run < versions[0][0]:
        return 0
    return next((n for n, (start, end, _) in enumerate(versions) if start <= run and (end is None or run < end)), None)


@scenario
def hourly(lab: Lab, world: World) -> Hours:
    """Four runs that see news, then a repetition, a full refresh, three states that must not get in, and a last run.

    Only the first run has to succeed for the others to be tried.
    """
    hours, engine = Hours(), lab.use(Postgres)
    orders = Orders(lab, hours)

    def run(name: str, what: str, *, full_refresh: bool = False) -> None:
        done = lab.use(Dbt).build(full_refresh=full_refresh)
        if not hours.runs:
            must_end_well(done, what)
        hours.runs[name] = Run(what, done, *tables(lab))
        clock = engine.query("SELECT clock_timestamp() AT TIME ZONE 'UTC' AS now")
        hours.clock[name] = canonical_rows(clock, {"now": "timestamp"})[0][0]
        lab.note(what)

    create_source(lab)
    fill_users(lab, world.states[1])
    orders.place("early", [(user, LONG_AGO, 0) for user in world.users("plain", "back", "crm")])
    run("1", "the first run")
    hours.after_first = engine.save()
    for number in (2, 3):
        fill_users(lab, world.states[number])
        run(str(number), f"run {number}, after users changed, left, came and came back")
    engine.execute("ALTER TABLE app.users ADD COLUMN phone text DEFAULT 'unknown'")
    fill_users(lab, world.states[4])
    place_orders(world, hours, orders)
    run("4", "run 4, after the source got a column `phone` and orders came")
    run("again", "a run without news")
    run("refresh", "a full refresh", full_refresh=True)

    twice = ", ".join(f"'{user}'" for user in world.users("held twice"))
    engine.execute(
        f"INSERT INTO app.users (user_id, name, email, segment) SELECT user_id, name, email, '{SECOND}' FROM app.users"
        f" WHERE user_id IN ({twice})"
    )
    run("twice", "a run while app.users holds users twice")
    fill_users(lab, world.states[4])
    engine.execute("INSERT INTO app.users (name, segment) VALUES ('Nobody', 'free'), ('No one', 'basic')")
    run("nameless", "a run while app.users holds rows without user_id")
    engine.execute("DELETE FROM app.users")
    run("empty", "a run while app.users is empty")
    fill_users(lab, world.states[4])
    late = [(user, hours.clock[str(n)], version_at(world, user, n)) for user in world.users("plain") for n in (1, 2)]
    late += [(user, hours.clock["1"] - WEEKS, 0) for user in world.users("plain")]
    orders.place("late", late)
    run("last", "the run after app.users was in order again and late orders had come")
    return hours


def place_orders(world: World, hours: Hours, orders: Orders) -> None:
    """Orders of between the runs, of the moment of a run, and of users that aren't there."""
    clock = {number: hours.clock[str(number)] for number in (1, 2, 3)}
    between = [(user, number) for user in world.users("plain", "back") for number in clock]
    orders.place("between", [(user, clock[n], version_at(world, user, n)) for user, n in between])
    orders.place("early", [(user, clock[1], 0) for user in world.users("new")])
    gone = [(user, clock[2], None) for user in world.users("returned")]
    gone += [(user, clock[3], None) for user in world.users("left")]
    orders.place("gone", gone)
    orders.place("unknown", [(None, clock[2], None), ("U1", clock[2], None), ("U1", clock[1], None)])
    seen = histories(hours.runs["3"].dim)
    begun = [(user, seen.get(user, [])) for user in world.users("plain", "back")]
    orders.place("very moment", [(user, found[1].valid_from, 1) for user, found in begun if len(found) > 1])


@scenario
def killed(lab: Lab, world: World, hourly: Hours) -> list[AfterCrash[tuple[Table, Table]]]:
    def prepare() -> None:
        lab.use(Postgres).restore(hourly.after_first)
        fill_users(lab, world.states[2])

    return crash_everywhere(
        lab,
        lab.use(Postgres),
        prepare=prepare,
        act=lambda: lab.use(Dbt).build(),
        observe=lambda: tables(lab),
        most=CRASHES,
    )


# -- what is expected ---------------------------------------------------------------------------------------------


def told(story: Story) -> str:
    return "; then ".join(
        f"({', '.join('NULL' if value is None else str(value) for value in tracked)}){'' if ended else ' (still)'}"
        for tracked, ended in story
    )


def assert_history(
    world: World, found: dict[str, list[Version]], why: str, *groups: str, runs: Sequence[int] = RUNS
) -> None:
    """The users of some groups have the versions that the runs saw, in that order, and only the right ones ended."""
    for user in world.users(*groups):
        wanted = [(tracked, end is not None) for _, end, tracked in world.versions(user, runs)]
        story = [(version.tracked, version.valid_to is not None) for version in found.get(user, [])]
        assert story == wanted, (
            f"{why}: user {user} was seen as {told(wanted)}; dim_users says {told(story) or 'nothing'}"
        )


def assert_orders(hours: Hours, run: str, *kinds: str) -> None:
    """Each order stands once in the fact, with the version that it must get."""
    versions = hours.runs[run].versions
    by_key = {version.user_key: (version, n) for found in versions.values() for n, version in enumerate(found)}
    rows = defaultdict(list)
    for order, user, _, _, key, segment in canonical_rows(hours.runs[run].orders, FACT):
        rows[order].append((user, key, segment))
    for kind in kinds:
        assert hours.orders[kind], f"dim_users had no version that an order ({kind}) could be placed for"
        for order in hours.orders[kind]:
            said = f"order {order.order_id} of user {order.user_id}, placed {order.ordered_at} ({kind})"
            found = rows[order.order_id]
            assert len(found) == 1, f"{said}, stands {len(found)} times in fct_orders"
            user, key, segment = found[0]
            assert user == order.user_id, f"{said}, has the user_id {user}"
            if order.version is None:
                assert (key, segment) == (None, None), f"{said}, when no version held, has {key}, {segment}"
                continue
            version, number = by_key.get(key, (None, -1))
            assert version is not None, f"{said}, has the user_key {key}, which is not in dim_users"
            assert (version.user_id, number) == (order.user_id, order.version), (
                f"{said}, when her version no. {order.version + 1} held, has the key of no. {number + 1} "
                f"of user {version.user_id}"
            )
            assert segment == version.tracked[2], (
                f"{said}, has segment {segment}; her version's is {version.tracked[2]}"
            )


# -- the history --------------------------------------------------------------------------------------------------


@check("correctness", clauses=["responsibilities/design-and-build-etl-elt-pipelines"])
def every_change_that_a_run_sees_is_a_version(hourly: Hours, world: World) -> None:
    assert_history(world, hourly.runs["3"].versions, "after three runs", "plain", "back", "new", runs=(1, 2, 3))


@check("correctness", clauses=["responsibilities/design-and-build-etl-elt-pipelines"])
def a_change_that_leaves_updated_at_alone_is_seen(hourly: Hours, world: World) -> None:
    assert_history(world, hourly.runs["3"].versions, "segments were set by the CRM's job", "crm")


@check("correctness", clauses=["responsibilities/data-warehouse-design"])
def each_of_the_four_columns_counts(hourly: Hours, world: World) -> None:
    assert_history(world, hourly.runs["3"].versions, "users allowed or forbade marketing", "consent")


@check("correctness", clauses=["responsibilities/data-quality-and-validation"])
def a_value_that_appears_or_vanishes_is_a_change(hourly: Hours, world: World) -> None:
    assert_history(world, hourly.runs["3"].versions, "users lost a value and got it back (NULL)", "nulls")


@check("correctness", clauses=["responsibilities/data-warehouse-design"])
def a_login_makes_no_version(hourly: Hours, world: World) -> None:
    assert_history(world, hourly.runs["3"].versions, "users only logged in", "login", runs=(1, 2, 3))


@check("correctness", clauses=["responsibilities/data-warehouse-design"])
def a_user_who_leaves_has_no_version_from_then_on(hourly: Hours, world: World) -> None:
    for name in ("2", "4"):
        runs = range(1, int(name) + 1)
        assert_history(world, hourly.runs[name].versions, f"users had left by run {name}", "left", runs=runs)


@check("correctness", clauses=["responsibilities/data-warehouse-design"])
def a_user_who_returns_begins_anew(hourly: Hours, world: World) -> None:
    found = hourly.runs["3"].versions
    assert_history(world, found, "users were gone in run 2 and back in run 3", "returned", runs=(1, 2, 3))
    for user in world.users("returned"):
        left, back = found[user]
        away = hourly.clock["2"]
        assert left.valid_to and left.valid_to <= away < back.valid_from, (
            f"user {user} was gone at {away}; her versions are {left.valid_from} to {left.valid_to} "
            f"and {back.valid_from} to {back.valid_to}"
        )


@check(
    "correctness",
    clauses=["responsibilities/data-warehouse-design", "data-warehouse-design/slowly-changing-dimensions"],
)
def versions_of_a_user_meet_without_gap_or_overlap(hourly: Hours, world: World) -> None:
    found = hourly.runs["4"].versions
    assert found, "dim_users is empty after four runs"
    stayed = world.users("plain", "back", "crm", "consent", "nulls", "quiet", "new")
    for user in stayed:
        versions = found.get(user, [])
        for version, follower in zip(versions, [*versions[1:], None], strict=False):
            said = f"user {user}, who never left: the version from {version.valid_from}"
            wanted = follower.valid_from if follower else None
            assert version.valid_to == wanted, f"{said} ends {version.valid_to}; the next one begins {wanted}"
            assert wanted is None or wanted > version.valid_from, f"{said} ends {wanted}, before it lasted any time"
    for user in [*stayed, *world.users("left", "returned")]:
        for version in found.get(user, []):
            assert version.is_current is (version.valid_to is None), (
                f"user {user}: the version from {version.valid_from} has is_current = {version.is_current} "
                f"and valid_to = {version.valid_to}"
            )


@check("correctness", clauses=["responsibilities/data-warehouse-design"])
def at_any_time_the_versions_say_what_was_known_then(hourly: Hours, world: World) -> None:
    found = hourly.runs["4"].versions
    for run in RUNS:
        moment = hourly.clock[str(run)]
        for user in world.users("plain", "back", "new"):
            held = [
                version.tracked
                for version in found.get(user, [])
                if version.valid_from <= moment and (version.valid_to is None or moment < version.valid_to)
            ]
            state = world.state(user, run)
            assert held == ([state] if state else []), (
                f"after run {run}, at {moment}, user {user} was known as {state}; what held then says {held}"
            )


@check(
    "correctness",
    clauses=["responsibilities/data-warehouse-design", "data-warehouse-design/slowly-changing-dimensions"],
)
def a_version_keeps_its_key(hourly: Hours) -> None:
    known: dict[tuple[str, Moment], str] = {}
    for name in ("1", "2", "3", "4", "again", "refresh"):
        versions = [version for found in hourly.runs[name].versions.values() for version in found]
        keys = [version.user_key for version in versions]
        assert all(keys), f"after {hourly.runs[name].what} a version has no user_key"
        doubled = sorted({key for key in keys if keys.count(key) > 1})
        assert not doubled, f"user_key {doubled[0]} belongs to {keys.count(doubled[0])} versions"
        for version in versions:
            before = known.setdefault((version.user_id, version.valid_from), version.user_key)
            assert before == version.user_key, (
                f"after {hourly.runs[name].what} the version of user {version.user_id} from {version.valid_from} "
                f"has the user_key {version.user_key}; it was {before}"
            )


# -- the orders ---------------------------------------------------------------------------------------------------


@check("correctness", clauses=["responsibilities/data-warehouse-design"])
def an_order_has_the_version_that_held_when_it_was_placed(hourly: Hours) -> None:
    assert_orders(hourly, "4", "between")


@check("correctness", clauses=["responsibilities/data-warehouse-design"])
def an_order_of_the_very_moment_of_a_run_has_the_new_version(hourly: Hours) -> None:
    assert_orders(hourly, "4", "very moment")


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def an_order_from_before_its_user_was_known_has_her_first_version(hourly: Hours) -> None:
    assert_orders(hourly, "4", "early")


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def an_order_that_comes_runs_later_has_the_version_of_its_time(hourly: Hours) -> None:
    assert_orders(hourly, "last", "late")


@check("durability", clauses=["constraints/never-lose-data"])
def an_order_without_a_known_user_is_kept(hourly: Hours) -> None:
    assert_orders(hourly, "4", "gone", "unknown")


# -- the runs -----------------------------------------------------------------------------------------------------


def assert_unchanged(before: Run, after: Run) -> None:
    why = f"after {after.what}, with nothing new in app"
    assert_same_rows(after.dim, before.dim, DIMENSION, why=why)
    assert_same_rows(after.fact, before.fact, FACT, why=why)


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def a_run_without_news_changes_nothing(hourly: Hours) -> None:
    before, after = hourly.runs["4"], hourly.runs["again"]
    must_end_well(before.done, before.what)
    must_end_well(after.done, after.what)
    assert_unchanged(before, after)


@check("durability", clauses=["constraints/never-lose-data"])
def the_history_survives_a_full_refresh(hourly: Hours) -> None:
    before, after = hourly.runs["again"], hourly.runs["refresh"]
    assert before.versions, f"dim_users is empty after {before.what}"
    for user, versions in before.versions.items():
        story = [version.tracked for version in after.versions.get(user, [])]
        wanted = [version.tracked for version in versions]
        assert story == wanted, f"user {user} had {len(wanted)} versions; after {after.what} she has {len(story)}"


@check("durability", clauses=["constraints/never-lose-data", "constraints/always-implement-idempotent-pipelines"])
def a_killed_run_harms_nobody_and_is_made_good_by_the_next(
    killed: list[AfterCrash[tuple[Table, Table]]], hourly: Hours
) -> None:
    first, second = hourly.runs["1"], hourly.runs["2"]
    dims = stories(first.dim), stories(second.dim)
    facts = by_segment(first.fact), by_segment(second.fact)
    for point in killed:
        where = f"killed after statement {point.after} of {point.of}"
        between, after = point.between, point.seen
        assert stories(between[0]) in dims, (
            f"{where}, dim_users stood neither as before the run nor as after it: {len(between[0])} rows, "
            f"before {len(first.dim)}, after {len(second.dim)}"
        )
        assert by_segment(between[1]) in facts, f"{where}, fct_orders stood neither as before the run nor as after it"
        assert stories(after[0]) == dims[1], (
            f"{where} and started again, dim_users isn't what a run without a kill makes of it: "
            f"{len(after[0])} rows, not {len(second.dim)}"
        )
        assert by_segment(after[1]) == facts[1], (
            f"{where} and started again, fct_orders isn't what a run without a kill makes of it: "
            f"{len(after[1])} rows, not {len(second.fact)}"
        )


def by_segment(fact: Table) -> list[tuple[str, str]]:
    return sorted(canonical_rows(fact, dict.fromkeys(("order_id", "segment"), "text")), key=str)


def assert_kept_out(hourly: Hours, name: str, is_harmed: Callable[[Version], bool]) -> None:
    """The run failed, both tables stayed, and what a later run makes of the history knows nothing of it."""
    run, before = hourly.runs[name], list(hourly.runs.values())[list(hourly.runs).index(name) - 1]
    assert not run.done.ok, f"{run.what} succeeded: nothing stopped it"
    why = f"{run.what} failed, but not before it had changed this"
    assert_same_rows(run.dim, before.dim, DIMENSION, why=why)
    assert_same_rows(run.fact, before.fact, FACT, why=why)
    good = {version.user_key for found in histories(hourly.runs["refresh"].dim).values() for version in found}
    for found in hourly.runs["last"].versions.values():
        for version in found:
            harmed = version.user_key not in good and is_harmed(version)
            assert not harmed, f"{run.what} failed, but a later one shows that it got into the history: {version}"


@check("quality", clauses=["constraints/always-validate-data-quality"])
def a_user_held_twice_never_gets_into_the_history(hourly: Hours) -> None:
    assert_kept_out(hourly, "twice", lambda version: SECOND in version.tracked)


@check("quality", clauses=["constraints/always-validate-data-quality"])
def a_row_without_user_id_never_gets_into_the_history(hourly: Hours) -> None:
    assert_kept_out(hourly, "nameless", lambda version: version.user_id is None)


@check("quality", clauses=["constraints/always-validate-data-quality", "constraints/never-lose-data"])
def an_empty_replica_never_gets_into_the_history(hourly: Hours, world: World) -> None:
    users = set(world.users("quiet"))
    assert_kept_out(hourly, "empty", lambda version: version.user_id in users)


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def a_column_nobody_agreed_on_makes_no_version(hourly: Hours, world: World) -> None:
    assert_history(world, hourly.runs["4"].versions, "app.users had got a column `phone`", "quiet")


# canary: 8d71abaf-cdd6-4252-a92a-7c317be39eda
