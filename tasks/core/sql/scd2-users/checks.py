"""Loads batches in order, again, late, killed, after a clean-up and with a new column; looks at the versions."""

from __future__ import annotations

import datetime
import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import AfterCrash, crash_everywhere, must_end_well
from graders.tables import assert_same_rows, canonical_rows
from harness.engines.postgres import Postgres
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import BATCHES, EMPTY_BATCH, VERSION, World, create_source, deliver

INTERVAL = {"user_id": "text", "valid_from": "timestamp", "valid_to": "timestamp", "is_current": "boolean"}
WHOLE = {**VERSION, "valid_to": "timestamp", "is_current": "boolean"}
REJECTED = {"change_id": "integer", "batch_id": "integer"}


OPERATION = Operation(
    command="psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 -v batch_id=1 -f load.sql",
    fills=("public.dim_users",),
    every=datetime.timedelta(days=1),
    parameters={"batch_id": "1"},
    reasons="public.rejected_user_changes.reason",
    topics={
        "late batches": "late order batch offline delay",
        "corrections": "correct change_id same higher",
        "rows that never change": "never immutable append once unique",
        "missing values": "null missing none",
        "deletions": "delet clear",
        "columns": "column attribut schema",
        "time zones": "utc zone timezone",
    },
)


@dataclass(frozen=True)
class Loaded:
    """The dimension after each batch in order, and a database to go on from: after batch 3 and after batch 4."""

    after: dict[int, Table]
    saved: dict[int, str]
    rejected: Table | None


@dataclass(frozen=True)
class Late:
    """The dimension before and after batch 3 came, behind batch 4."""

    before: Table
    after: Table


def load(lab: Lab, batch: int) -> Completed:
    return lab.use(Postgres).script("load.sql", {"batch_id": str(batch)})


def load_well(lab: Lab, batch: int) -> None:
    must_end_well(load(lab, batch), f"loading batch {batch}")


def dimension(lab: Lab) -> Table:
    return lab.use(Postgres).table("dim_users")


def exists(lab: Lab, name: str) -> bool:
    return len(lab.use(Postgres).query(f"SELECT 1 WHERE to_regclass('public.{name}') IS NOT NULL")) == 1


def rejected_rows(lab: Lab) -> Table | None:
    return lab.use(Postgres).table("rejected_user_changes") if exists(lab, "rejected_user_changes") else None


@scenario
def in_order(lab: Lab, world: World) -> Loaded:
    create_source(lab)
    after, saved = {}, {}
    for number in BATCHES:
        deliver(world, lab, number)
        load_well(lab, number)
        after[number] = dimension(lab)
        if number in (3, 4, 5):
            saved[number] = lab.use(Postgres).save()
    return Loaded(after, saved, rejected_rows(lab))


@scenario
def repeated(lab: Lab, in_order: Loaded) -> list[tuple[int, Table, Table | None]]:
    """The newest batch loaded again, then an old one."""
    lab.use(Postgres).restore(in_order.saved[5])
    seen = []
    for number in (5, 2):
        load_well(lab, number)
        seen.append((number, dimension(lab), rejected_rows(lab)))
    lab.note("batches 5 and 2 were loaded again after all five")
    return seen


@scenario
def empty_batch(lab: Lab, in_order: Loaded) -> tuple[Completed, Table]:
    lab.use(Postgres).restore(in_order.saved[5])
    done = load(lab, EMPTY_BATCH)
    lab.note("a batch without rows was loaded")
    return done, dimension(lab)


@scenario
def late_batch(lab: Lab, world: World) -> Late:
    create_source(lab)
    for number in (1, 2, 4):
        deliver(world, lab, number)
        load_well(lab, number)
    before = dimension(lab)
    deliver(world, lab, 3)
    load_well(lab, 3)
    lab.note("batch 3 came after batch 4")
    return Late(before, dimension(lab))


@scenario
def cleared_out(lab: Lab, world: World, in_order: Loaded) -> Table:
    """The backend clears out what was loaded long ago, then the next batch comes."""
    lab.use(Postgres).restore(in_order.saved[4])
    lab.use(Postgres).execute("DELETE FROM app.user_changes WHERE batch_id <= 3")
    deliver(world, lab, 5)
    load_well(lab, 5)
    lab.note("batches 1 to 3 were cleared out of the source before batch 5 was loaded")
    return dimension(lab)


@scenario
def new_column(lab: Lab, world: World, in_order: Loaded) -> Table:
    lab.use(Postgres).restore(in_order.saved[4])
    lab.use(Postgres).execute("ALTER TABLE app.user_changes ADD COLUMN locale text")
    deliver(world, lab, 5)
    lab.use(Postgres).execute(
        "UPDATE app.user_changes SET locale = (ARRAY['de', 'en', 'fr'])[1 + change_id % 3] WHERE batch_id = 5"
    )
    load_well(lab, 5)
    lab.note("the source got a column `locale` before batch 5 was loaded")
    return dimension(lab)


@scenario
def killed(lab: Lab, world: World, in_order: Loaded) -> list[AfterCrash[Table]]:
    engine = lab.use(Postgres)

    def prepare() -> None:
        engine.restore(in_order.saved[3])
        deliver(world, lab, 4)

    return crash_everywhere(lab, engine, prepare=prepare, act=lambda: load(lab, 4), observe=lambda: dimension(lab))


def of_groups(world: World, table: Table, *groups: str) -> Table:
    """The rows of some groups' users."""
    position = [column.lower() for column in table.columns].index("user_id") if table.columns else 0
    users = set().union(*(world.groups[group] for group in groups))
    return Table(table.name, table.columns, tuple(row for row in table.rows if row[position] in users))


def assert_versions(world: World, table: Table, why: str, *groups: str, batches: tuple[int, ...] = BATCHES) -> None:
    canonical_rows(table, VERSION)  # the columns are there
    expected = world.versions(*groups, batches=batches)
    assert_same_rows(of_groups(world, table, *groups), expected, VERSION, why=why)


def histories(table: Table) -> Iterator[tuple[str, list[tuple[datetime.datetime, datetime.datetime | None, bool]]]]:
    """Each user's versions by time."""
    found = defaultdict(list)
    for user, start, end, current in canonical_rows(table, INTERVAL):
        found[user].append((start, end, current))
    for user, versions in found.items():
        yield user, sorted(versions, key=lambda version: (str(version[0]), str(version[1])))


@check("correctness", clauses=["responsibilities/design-and-build-etl-elt-pipelines"])
def every_change_opens_a_version_at_its_time(in_order: Loaded, world: World) -> None:
    assert_versions(world, in_order.after[5], "after five batches in order", "plain", "new")


@check(
    "correctness",
    clauses=["responsibilities/data-warehouse-design", "data-warehouse-design/slowly-changing-dimensions"],
)
def versions_of_a_user_meet_without_gap_or_overlap(in_order: Loaded) -> None:
    assert len(in_order.after[5]), "dim_users is empty after five batches"
    for user, versions in histories(in_order.after[5]):
        for (start, end, current), follower in zip(versions, [*versions[1:], None], strict=True):
            wanted = follower[0] if follower else None
            said = f"user {user}: the version from {start}"
            assert end == wanted, f"{said} ends at {end}, but the next one begins at {wanted}"
            assert end is None or end > start, f"{said} ends at {end}, before it lasted any time"
            assert current is (follower is None), f"{said} has is_current = {current}, and valid_to {end}"


@check("correctness", clauses=["responsibilities/data-quality-and-validation"])
def a_value_that_appears_or_vanishes_is_a_change(in_order: Loaded, world: World) -> None:
    assert_versions(world, in_order.after[5], "users who got or lost a value (NULL)", "nulls", "emptied")


@check("correctness", clauses=["responsibilities/data-quality-and-validation"])
def a_value_that_moves_to_another_column_is_a_change(in_order: Loaded, world: World) -> None:
    why = "users whose values are others, though put one behind the other they give the same text"
    assert_versions(world, in_order.after[5], why, "pasted")


@check("correctness", clauses=["responsibilities/data-warehouse-design"])
def a_row_that_repeats_what_is_known_makes_no_version(in_order: Loaded, world: World) -> None:
    assert_versions(world, in_order.after[5], "users saved again without a change", "repeats")


@check("correctness", clauses=["responsibilities/design-and-build-etl-elt-pipelines"])
def every_change_within_a_batch_is_a_version(in_order: Loaded, world: World) -> None:
    assert_versions(world, in_order.after[5], "users who changed several times within a batch", "several")


@check("correctness", clauses=["responsibilities/data-quality-and-validation"])
def of_two_rows_at_one_moment_the_correction_counts(in_order: Loaded, world: World) -> None:
    assert_versions(world, in_order.after[5], "users with two rows of one changed_at", "corrected")


@check(
    "correctness",
    clauses=["responsibilities/data-warehouse-design", "data-warehouse-design/slowly-changing-dimensions"],
)
def a_version_keeps_its_key(
    in_order: Loaded, repeated: list[tuple[int, Table, Table | None]], late_batch: Late
) -> None:
    types = {"user_key": "integer", **VERSION}
    tables = [in_order.after[3], in_order.after[5], *(table for _, table, _ in repeated)]
    for earlier, later in [*itertools.pairwise(tables), (late_batch.before, late_batch.after)]:
        rows = canonical_rows(later, types)
        keys = [row[0] for row in rows]
        assert None not in keys, "a version has no user_key"
        doubled = sorted({key for key in keys if keys.count(key) > 1})
        assert not doubled, f"user_key {doubled[0]} belongs to {keys.count(doubled[0])} versions"
        now = {row[1:]: row[0] for row in rows}
        for key, *version in canonical_rows(earlier, types):
            kept = now.get(tuple(version), key)
            assert kept == key, f"user {version[0]}'s version from {version[-1]} had the user_key {key}, now {kept}"


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def loading_a_batch_again_changes_nothing(in_order: Loaded, repeated: list[tuple[int, Table, Table | None]]) -> None:
    for number, table, rejected in repeated:
        why = f"batch {number}, loaded before, was loaded again after batch 5"
        assert_same_rows(table, in_order.after[5], WHOLE, why=why)
        if rejected and in_order.rejected:
            assert_same_rows(rejected, in_order.rejected, REJECTED, why=why)


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def a_batch_without_rows_changes_nothing(in_order: Loaded, empty_batch: tuple[Completed, Table]) -> None:
    done, table = empty_batch
    must_end_well(done, "loading a batch without rows")
    assert_same_rows(table, in_order.after[5], WHOLE, why="a batch without rows was loaded")


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def a_row_from_an_earlier_day_takes_its_place(in_order: Loaded, world: World) -> None:
    assert_versions(world, in_order.after[5], "users with a row that came two or more days late", "offline")


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def a_batch_behind_its_successor_gives_the_same_history(late_batch: Late, world: World) -> None:
    why = "batches came in the order 1, 2, 4, 3"
    assert_versions(world, late_batch.after, why, "plain", "new", "earlier", "corrected", batches=(1, 2, 3, 4))


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def a_late_change_ends_where_a_later_row_says_otherwise(late_batch: Late, world: World) -> None:
    """Looks at who was what when, not at how many versions say so."""
    rows = canonical_rows(late_batch.after, VERSION | {"valid_to": "timestamp"})
    for user in sorted(world.groups["confirmed"]):
        for moment, attributes in world.states(user, (1, 2, 3, 4)):
            at = moment.replace(tzinfo=None)
            found = [row[1:4] for row in rows if row[0] == user and row[4] <= at and (row[5] is None or at < row[5])]
            assert found == [attributes], (
                f"batches came in the order 1, 2, 4, 3: at {at} user {user} was {attributes}, "
                f"as its row of that moment says, but the dimension says {found}"
            )


@check("durability", clauses=["constraints/never-lose-data"])
def what_was_loaded_outlives_the_source(cleared_out: Table, world: World) -> None:
    why = "batches 1 to 3 had been cleared out of app.user_changes when batch 5 was loaded"
    assert_versions(world, cleared_out, why, "plain", "new")


@check("durability", clauses=["constraints/never-lose-data", "constraints/always-implement-idempotent-pipelines"])
def a_killed_load_is_made_good_by_the_next(killed: list[AfterCrash[Table]], in_order: Loaded) -> None:
    for point in killed:
        why = f"killed after statement {point.after} of {point.of} and started again"
        assert_same_rows(point.seen, in_order.after[4], WHOLE, why=why)


@check("durability", clauses=["responsibilities/design-and-build-etl-elt-pipelines"])
def readers_never_see_a_load_half_done(killed: list[AfterCrash[Table]], in_order: Loaded) -> None:
    states = [sorted(canonical_rows(in_order.after[number], WHOLE), key=repr) for number in (3, 4)]
    for point in killed:
        seen = sorted(canonical_rows(point.between, WHOLE), key=repr)
        if seen not in states:
            before, after = (len(set(map(repr, seen)) ^ set(map(repr, state))) for state in states)
            raise AssertionError(
                f"after statement {point.after} of {point.of} dim_users stood neither as before the load nor as after "
                f"it: {before} rows differ from before, {after} from after"
            )


@check("quality", clauses=["constraints/always-validate-data-quality", "constraints/never-lose-data"])
def rows_without_user_or_time_are_kept_aside(in_order: Loaded, world: World) -> None:
    rejected = in_order.rejected
    assert rejected is not None, "there is no table public.rejected_user_changes after five batches"
    expected = [{"change_id": change, "batch_id": batch} for change, batch in world.unusable(BATCHES).items()]
    assert_same_rows(rejected, expected, REJECTED, why="rows without user_id or changed_at")
    reasons = [reason for (reason,) in canonical_rows(rejected, {"reason": "text"})]
    assert all(reason and reason.strip() for reason in reasons), "a rejected row has no reason"
    stray = [row for row in canonical_rows(in_order.after[5], VERSION) if row[0] is None or row[4] is None]
    assert not stray, f"{len(stray)} versions have no user_id or no valid_from"


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def a_column_nobody_agreed_on_is_no_change(new_column: Table, world: World) -> None:
    why = "app.user_changes had got a column `locale`"
    assert_versions(world, new_column, why, "plain", "saved_again")


# canary: 48584d07-9657-49eb-bb50-d14c4c0e1b3f
