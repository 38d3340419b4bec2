"""Rolls the change out while two versions of the app write, takes it back, repeats and kills its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graders.apps import written_by_an_app
from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import AfterCrash, crash_everywhere, must_end_well
from graders.tables import assert_same_rows
from graders.transactions import horizon, largest_transaction
from harness.engines.postgres import Postgres
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import NEW, OLD, PHASES, WRITERS, Users, World, Write, applied, furnish

STEPS = {"expand": "expanded", "backfill": "backfilled", "contract": "contracted"}
MOST_USERS = 1000  # a transaction
CRASHES = 3
SHOWN = 3
OPERATION = Operation(
    command="psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 -f expand.sql",
    fills=("app.users",),
    every=None,
    topics={
        "long addresses": "120 long length character varchar",
        "who else reads the column": "depend view reporting consumer reader",
        "addresses that are missing": "null missing empty",
        "writes during the steps": "concurr writ lock version rollout",
        "one user for an address": "unique duplic case lower",
    },
)
USER = {"user_id": "integer", "address": "text", "name": "text"}
CONTACT = {"user_id": "integer", "email": "text", "domain": "text"}
COLUMNS = """
    SELECT column_name, data_type, is_nullable FROM information_schema.columns
    WHERE table_schema = 'app' AND table_name = 'users'
"""
COLUMN = {"column_name": "text", "data_type": "text", "is_nullable": "text"}


@dataclass(frozen=True)
class Phase:
    """What was seen at the end of a phase: how the step and the apps' writes ended, and the tables.

    ``taken``: how writes ended that would give an address to a second user. ``said``: the errors that the apps saw.
    ``file``: what the table is stored in. ``largest``: most users that one transaction wrote in the step. ``moved``:
    users with a new ``updated_at`` after the step.
    """

    step: Completed | None
    writes: tuple[tuple[Write, bool], ...]
    taken: tuple[tuple[Write, bool], ...]
    said: str
    users: Table
    contacts: Table
    columns: Table
    triggers: list[str]
    file: int
    largest: int
    moved: frozenset[int]


def users(lab: Lab) -> Table:
    return lab.use(Postgres).table("app.users")


def without_stamps(lab: Lab) -> list[dict[str, object]]:
    """The users but for ``updated_at``, which one check looks at."""
    return [{name: value for name, value in row.items() if name != "updated_at"} for row in users(lab)]


def stamps(table: Table) -> dict[object, object]:
    return {row["user_id"]: row["updated_at"] for row in table}


def file_of(lab: Lab) -> int:
    return int(lab.use(Postgres).query("SELECT pg_relation_filenode('app.users') AS file").column("file")[0])


def go(lab: Lab, world: World, phase: str, writes: Sequence[Write], step: str | None) -> Phase:
    """Run a step if there is one, then let the apps write, then look."""
    postgres = lab.use(Postgres)
    before = stamps(users(lab)) if step else {}
    since = horizon(postgres)
    done = postgres.script(f"{step}.sql") if step else None
    largest, after = largest_transaction(postgres, "app.users", since), stamps(users(lab))
    moved = frozenset(int(str(user)) for user, stamp in before.items() if after.get(user) != stamp)
    held = next(statement for statement in writes if statement.kind == "move")
    twins = [Write(column, "add", 1 + place, held.value.upper(), "Twin") for place, column in enumerate(WRITERS[phase])]
    succeeded, said = written_by_an_app(lab, [made.sql() for made in (*writes, *twins)])
    triggers = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'app.users'::regclass AND NOT tgisinternal"
    return Phase(
        done,
        tuple(zip(writes, succeeded, strict=False)),
        tuple(zip(twins, succeeded[len(writes) :], strict=True)),
        said,
        users(lab),
        postgres.table("reporting.contacts"),
        postgres.query(COLUMNS),
        [str(name) for name in postgres.query(triggers).column("tgname")],
        file_of(lab),
        largest,
        moved,
    )


@dataclass(frozen=True)
class Rollout:
    """The phases in order, and the databases before each step and after the last phase."""

    phases: dict[str, Phase]
    saved: dict[str, str]


@scenario
def rollout(lab: Lab, world: World) -> Rollout:
    furnish(world, lab)
    phases, saved = {"before": go(lab, world, "before", world.writes["before"], None)}, {}
    for step, phase in STEPS.items():
        saved[step] = lab.use(Postgres).save()
        phases[phase] = go(lab, world, phase, world.writes[phase], step)
        if not phases[phase].step.ok:  # type: ignore[union-attr]
            break
    saved["end"] = lab.use(Postgres).save()
    lab.note("both versions of the app wrote after every step")
    return Rollout(phases, saved)


@scenario
def undone(lab: Lab, world: World, rollout: Rollout) -> dict[str, Phase]:
    """The way back, with the apps writing after every step."""
    lab.use(Postgres).restore(rollout.saved["end"])
    found = {}
    for step, phase in (("undo_contract", "backfilled"), ("undo_backfill", "expanded"), ("undo_expand", "before")):
        found[phase] = go(lab, world, phase, world.back[phase], step)
    lab.note("the three steps were undone")
    return found


@scenario
def repeated(lab: Lab, world: World) -> list[tuple[str, Completed, Table, Table]]:
    """Every file twice, there and back."""
    furnish(world, lab)
    found = []
    for step in (*STEPS, "undo_contract", "undo_backfill", "undo_expand"):
        must_end_well(lab.use(Postgres).script(f"{step}.sql"), f"{step}.sql")
        first = users(lab)
        found.append((step, lab.use(Postgres).script(f"{step}.sql"), first, users(lab)))
    lab.note("every file was run twice")
    return found


@scenario
def killed(lab: Lab, rollout: Rollout) -> dict[str, list[AfterCrash[tuple[list[dict[str, object]], Table]]]]:
    """Each step killed on its way, and run again."""
    postgres = lab.use(Postgres)
    return {
        step: crash_everywhere(
            lab,
            postgres,
            prepare=lambda step=step: postgres.restore(rollout.saved[step]),  # type: ignore[misc]
            act=lambda step=step: postgres.script(f"{step}.sql"),  # type: ignore[misc]
            observe=lambda: (without_stamps(lab), postgres.query(COLUMNS)),
            most=CRASHES,
        )
        for step in STEPS
    }


@dataclass(frozen=True)
class Meanwhile:
    """The users before and after a backfill during which apps wrote."""

    before: Table
    done: Completed
    after: Table


@scenario
def meanwhile(lab: Lab, world: World, rollout: Rollout) -> Meanwhile:
    assert "backfill" in rollout.saved, "the rollout ended before the backfill"
    postgres = lab.use(Postgres)
    postgres.restore(rollout.saved["backfill"])
    before = users(lab)
    hold = f"SELECT FROM app.users WHERE user_id = {world.held} FOR UPDATE"
    with postgres.open_transaction(hold, meanwhile=[write.sql() for write in world.during]):
        done = postgres.script("backfill.sql")
    lab.note("both versions of the app wrote during the backfill")
    return Meanwhile(before, done, users(lab))


def phase_of(rollout: Rollout, name: str) -> Phase:
    """A phase that was reached, and whose step ended well."""
    assert name in rollout.phases, f"the rollout ended before it was {name}"
    phase = rollout.phases[name]
    if phase.step is not None:
        must_end_well(phase.step, f"the step before {name!r}")
    return phase


def assert_written(phase: Phase, column: str, when: str) -> None:
    failed = [made for made, succeeded in phase.writes if made.column == column and not succeeded]
    version = 1 if column == OLD else 2
    assert not failed, f"{when}, version {version} of the app fails with {failed[0].sql()}: {phase.said[:500]}"


def assert_addresses(table: Table, column: str, expected: Users, when: str, only: set[int] | None = None) -> None:
    wanted = {user: row for user, row in expected.items() if only is None or user in only}
    found = [
        {"user_id": row["user_id"], "address": row[column], "name": row["name"]}
        for row in table
        if only is None or row["user_id"] in only
    ]
    rows = [{"user_id": user, "address": address, "name": name} for user, (address, name) in wanted.items()]
    assert rows, "no user is expected"
    assert_same_rows(found, rows, USER, why=f"{when}: {column} in app.users")


@check("correctness", clauses=["collaboration-protocol/coordinate-schema-changes"])
def version_1_works_until_the_contract(rollout: Rollout, world: World) -> None:
    phase_of(rollout, "expanded")
    for name in ("expanded", "backfilled"):
        phase = phase_of(rollout, name)
        assert_written(phase, OLD, name)
        own = {made.user_id for made in world.writes[name] if made.column == OLD}
        assert_addresses(phase.users, OLD, world.after(name), name, own - overwritten(world, name, NEW))


@check("correctness", clauses=["collaboration-protocol/coordinate-schema-changes"])
def version_2_works_from_the_expansion_on(rollout: Rollout, world: World) -> None:
    for name in ("expanded", "backfilled", "contracted"):
        phase = phase_of(rollout, name)
        assert_written(phase, NEW, name)
        own = {made.user_id for made in world.writes[name] if made.column == NEW}
        assert_addresses(phase.users, NEW, world.after(name), name, own - overwritten(world, name, OLD))


def overwritten(world: World, phase: str, column: str) -> set[int]:
    """Users whose last write in a phase is that version's."""
    last = {made.user_id: made.column for made in world.writes[phase]}
    return {user for user, by in last.items() if by == column}


@check("correctness", clauses=["collaboration-protocol/coordinate-schema-changes"])
def version_2_reads_what_version_1_writes(rollout: Rollout, world: World) -> None:
    for name in ("expanded", "backfilled"):
        phase = phase_of(rollout, name)
        assert_addresses(phase.users, NEW, world.after(name), name, overwritten(world, name, OLD))


@check("correctness", clauses=["collaboration-protocol/coordinate-schema-changes"])
def version_1_reads_what_version_2_writes(rollout: Rollout, world: World) -> None:
    for name in ("expanded", "backfilled"):
        phase = phase_of(rollout, name)
        assert_addresses(phase.users, OLD, world.after(name), name, overwritten(world, name, NEW))


@check("durability", clauses=["constraints/never-lose-data", "collaboration-protocol/plan-data-migrations"])
def every_user_is_carried_over(rollout: Rollout, world: World) -> None:
    untouched = set(world.users) - world.touched(*PHASES)
    for name in ("backfilled", "contracted"):
        phase = phase_of(rollout, name)
        assert_addresses(phase.users, NEW, world.after(name), name, untouched)


@check("quality", clauses=["constraints/always-validate-data-quality"])
def an_address_belongs_to_one_user(rollout: Rollout) -> None:
    for name in ("expanded", "backfilled", "contracted"):
        phase = phase_of(rollout, name)
        passed = [made.column for made, succeeded in phase.taken if succeeded]
        assert not passed, f"{name}: an address that a user has can be given to another one through {passed[0]}"


@check("quality", clauses=["constraints/always-validate-data-quality"])
def an_address_is_needed_once_it_is_backfilled(rollout: Rollout) -> None:
    for name in ("backfilled", "contracted"):
        nullable = {row["column_name"]: row["is_nullable"] for row in phase_of(rollout, name).columns}
        assert nullable.get(NEW) == "NO", f"{name}: {NEW} can be NULL"


@check("quality", clauses=["collaboration-protocol/plan-data-migrations"])
def nothing_happens_to_a_user(rollout: Rollout) -> None:
    for name in ("expanded", "backfilled", "contracted"):
        moved = phase_of(rollout, name).moved
        assert not moved, f"{name}: the step gave {len(moved)} users a new updated_at"


@check("correctness", clauses=["constraints/never-lose-data"])
def what_an_app_changes_gets_a_new_updated_at(rollout: Rollout, world: World) -> None:
    found = [phase_of(rollout, name) for name in PHASES]
    for name, before, after in zip(PHASES[1:], found, found[1:], strict=False):
        old, new = stamps(before.users), stamps(after.users)
        changed = {made.user_id for made in world.writes[name] if made.kind in ("move", "rename")}
        same = [user for user in changed if user in old and new.get(user) == old[user]]
        assert not same, (
            f"{name}: updated_at of users {sorted(same)[:SHOWN]} stays as it was though an app changed them"
        )


@check("durability", clauses=["constraints/never-lose-data", "collaboration-protocol/plan-data-migrations"])
def what_an_app_changes_during_the_backfill_counts(meanwhile: Meanwhile, world: World) -> None:
    said = "apps wrote during the backfill"
    must_end_well(meanwhile.done, said)
    written = {write.user_id for write in world.during}
    expected = {user: row for user, row in applied(world.after("expanded"), world.during).items() if user in written}
    for column in (OLD, NEW):
        assert_addresses(meanwhile.after, column, expected, said, written)
    old, new = stamps(meanwhile.before), stamps(meanwhile.after)
    same = [user for user in written if new.get(user) == old[user]]
    assert not same, f"{said}: updated_at of users {sorted(same)[:SHOWN]} stays as it was though an app changed them"


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def after_the_contract_nothing_old_is_left(rollout: Rollout) -> None:
    phase = phase_of(rollout, "contracted")
    expected = [
        {"column_name": "user_id", "data_type": "bigint", "is_nullable": "NO"},
        {"column_name": NEW, "data_type": "text", "is_nullable": "NO"},
        {"column_name": "name", "data_type": "text", "is_nullable": "NO"},
        {"column_name": "updated_at", "data_type": "timestamp with time zone", "is_nullable": "NO"},
    ]
    names = {str(name) for name in phase.columns.column("column_name")}
    wanted = {str(column["column_name"]) for column in expected}
    assert names == wanted, f"app.users has the columns {', '.join(sorted(names))}"
    types = {row["column_name"]: row["data_type"] for row in phase.columns}
    assert types[NEW] == "text", f"{NEW} is {types[NEW]}"
    assert len(phase.triggers) <= 1, f"app.users has the triggers {', '.join(phase.triggers)}"


@check("schema_evolution", clauses=["collaboration-protocol/coordinate-schema-changes"])
def reporting_reads_the_same_at_every_step(rollout: Rollout, world: World) -> None:
    # The step is named in each: which users are right depends on the apps' writes, which other checks look at.
    untouched = set(world.users) - world.touched(*PHASES)
    expected = [
        {"user_id": user, "email": address, "domain": address.split("@")[1]}
        for user, (address, _) in world.users.items()
        if user in untouched
    ]
    for name in ("expanded", "backfilled", "contracted"):
        rows = [row for row in phase_of(rollout, name).contacts if row["user_id"] in untouched]
        assert_same_rows(rows, expected, CONTACT, why=f"{name}: reporting.contacts")


@check("durability", clauses=["constraints/never-lose-data", "collaboration-protocol/plan-data-migrations"])
def the_way_back_loses_nothing(rollout: Rollout, undone: dict[str, Phase], world: World) -> None:
    phase_of(rollout, "contracted")
    expected = world.after("contracted")
    for name, phase in undone.items():
        assert phase.step
        must_end_well(phase.step, f"the way back to {name!r}")
        expected = applied(expected, world.back[name])
        for column in WRITERS[name]:
            assert_written(phase, column, f"back at {name!r}")
        assert not phase.moved, f"the way back to {name!r} gave {len(phase.moved)} users a new updated_at"
        assert not [made for made, succeeded in phase.taken if succeeded], (
            f"back at {name!r}, an address can be given twice"
        )
    # Before the very first step there is no other column.
    assert_addresses(undone["before"].users, OLD, expected, "all undone")
    origin, back = rollout.phases["before"], undone["before"]
    assert_same_rows(back.columns, list(origin.columns), COLUMN, why="all undone: the columns of app.users")
    assert back.triggers == origin.triggers, f"all undone, app.users has the triggers {', '.join(back.triggers)}"


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def a_file_can_be_run_again(repeated: list[tuple[str, Completed, Table, Table]]) -> None:
    for step, done, first, second in repeated:
        must_end_well(done, f"{step}.sql, a second time")
        assert first.columns == second.columns, f"{step}.sql, run twice, leaves {', '.join(second.columns)}"
        assert sorted(first.rows, key=str) == sorted(second.rows, key=str), f"{step}.sql, run twice, changes users"


@check("durability", clauses=["constraints/never-lose-data", "constraints/always-implement-idempotent-pipelines"])
def a_killed_step_is_completed_by_the_next_run(
    killed: dict[str, list[AfterCrash[tuple[list[dict[str, object]], Table]]]],
) -> None:
    for step, points in killed.items():
        whole, columns = points[0].seen
        for point in points:
            said = f"{step}.sql, killed after statement {point.after} of {point.of} and run again"
            assert sorted(point.seen[1].rows) == sorted(columns.rows), f"{said}: the columns of app.users differ"
            assert sorted(point.seen[0], key=str) == sorted(whole, key=str), f"{said}: users differ"


@check("scale", clauses=["constraints/test-with-production-like-volumes"])
def the_table_is_not_rewritten(rollout: Rollout) -> None:
    for before, after in (("before", "expanded"), ("backfilled", "contracted")):
        phase = phase_of(rollout, after)
        assert phase.file == rollout.phases[before].file, f"{after}: the step wrote the whole table anew"
        assert phase.largest == 0, f"{after}: the step wrote {phase.largest} users in a transaction"


@check("scale", clauses=["constraints/test-with-production-like-volumes", "collaboration-protocol/plan-scalability"])
def the_backfill_goes_in_small_transactions(rollout: Rollout) -> None:
    phase = phase_of(rollout, "backfilled")
    assert phase.file == rollout.phases["expanded"].file, "the backfill wrote the whole table anew"
    assert phase.largest <= MOST_USERS, f"a transaction wrote {phase.largest} users"


# canary: 7b7f4a8e-3d0b-4d0e-8e6f-2c8f5d1d9a44
