"""The load is run for days in every order, again, with corrected, broken, changed and missing files, and killed."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import AfterCrash, crash_everywhere, must_end_well
from graders.tables import assert_same_rows, canonical_rows, difference
from harness.engines.airflow import Airflow, Parsed
from harness.engines.postgres import Postgres
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import (
    AFTER_WIDE,
    CORRECTED,
    DAYS,
    DIRTY,
    EMPTIED,
    HOUR,
    KILLED,
    TYPES,
    WIDE,
    File,
    World,
    create_tables,
    deliver,
    furnish,
    rows,
)

DAG = "daily_orders_load"
IDEMPOTENT = ["constraints/always-implement-idempotent-pipelines"]
QUALITY = ["constraints/always-validate-data-quality"]
LEAST_TRIES = 3


OPERATION = Operation(
    command=f"airflow dags test {DAG} {DIRTY}T{HOUR:02}:00:00+00:00",
    fills=("public.orders",),
    every=datetime.timedelta(days=1),
    parameters={"logical-date": f"{DIRTY}T{HOUR:02}:00:00+00:00"},
    reasons="public.orders_rejected.reason",
    topics={
        "when a file is complete": "complet whole atomic renam partial finish",
        "orders of other days": "late offline past earlier previous ordered_at belong day",
        "deliveries made again": "redeliver again correct replac resend resent overwrit",
        "orders that come twice": "duplic twice repeat last unique",
        "columns": "column header schema",
        "time zones": "utc zone timezone",
        "size": "memory size thousand",
    },
)


def at(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(HOUR), datetime.UTC)


def load(lab: Lab, *days: datetime.date) -> Completed:
    return lab.use(Airflow).run(DAG, *map(at, days))


def loaded(lab: Lab, *days: datetime.date) -> None:
    must_end_well(load(lab, *days), f"{DAG} for {', '.join(map(str, days))}")


def orders(lab: Lab) -> Table:
    return lab.use(Postgres).table("orders")


def rejected(lab: Lab) -> Table:
    return lab.use(Postgres).table("orders_rejected")


def of_day(table: Table, *days: datetime.date) -> Table:
    position = table.columns.index("file_day")
    return Table(table.name, table.columns, tuple(row for row in table.rows if row[position] in days))


# -- what is done ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loaded:
    """Ten days, one after the other. ``state`` is the database after them."""

    orders: Table
    state: str


@scenario
def ten_days(lab: Lab, world: World) -> Loaded:
    furnish(world, lab)
    loaded(lab, *DAYS)
    return Loaded(orders(lab), lab.use(Postgres).save())


def after_ten_days(lab: Lab, ten_days: Loaded, files: Iterable[File]) -> None:
    """A fresh lab in which the ten days are loaded, with these files delivered."""
    lab.use(Postgres).restore(ten_days.state)
    deliver(lab, files)


@scenario
def backwards_with_gaps(lab: Lab, world: World) -> tuple[list[datetime.date], Table, Table]:
    """The days from the last to the first, every third one left out; then those. What was there after either."""
    furnish(world, lab)
    gaps = list(DAYS[1::3])
    first = [day for day in reversed(DAYS) if day not in gaps]
    loaded(lab, *first)
    between = orders(lab)
    loaded(lab, *reversed(gaps))
    lab.note("ten days loaded from the last to the first, three of them only afterwards")
    return first, between, orders(lab)


@scenario
def one_day_again(lab: Lab, world: World, ten_days: Loaded) -> Table:
    after_ten_days(lab, ten_days, world.files.values())
    loaded(lab, KILLED)
    lab.note(f"{KILLED} loaded again")
    return orders(lab)


@scenario
def corrected_deliveries(lab: Lab, world: World, ten_days: Loaded) -> Table:
    after_ten_days(lab, ten_days, world.corrected(CORRECTED, EMPTIED).values())
    loaded(lab, CORRECTED, EMPTIED)
    lab.note(f"{CORRECTED} delivered again with other rows, {EMPTIED} with none")
    return orders(lab)


@scenario
def killed(lab: Lab, world: World, ten_days: Loaded) -> list[AfterCrash[Table]]:
    files = list(world.corrected(KILLED).values())

    def prepare() -> None:
        lab.fresh()
        after_ten_days(lab, ten_days, files)

    return crash_everywhere(
        lab,
        lab.use(Postgres),
        prepare=prepare,
        act=lambda: load(lab, KILLED),
        observe=lambda: orders(lab),
        most=6,
    )


@scenario
def missing_file(lab: Lab, world: World, ten_days: Loaded) -> tuple[Completed, Table]:
    after_ten_days(lab, ten_days, [file for day, file in world.files.items() if day != KILLED])
    done = load(lab, KILLED)
    lab.note(f"{KILLED} loaded again without its file")
    return done, orders(lab)


@dataclass(frozen=True)
class Dirty:
    """What was there after a day with broken rows, after loading it again, and after it was delivered mended."""

    orders: Table
    rejected: Table
    rejected_again: Table
    rejected_mended: Table


@scenario
def broken_rows(lab: Lab, world: World) -> Dirty:
    create_tables(lab)
    deliver(lab, world.files.values())
    loaded(lab, DIRTY)
    first = orders(lab), rejected(lab)
    loaded(lab, DIRTY)
    again = rejected(lab)
    deliver(lab, world.corrected(DIRTY).values())
    loaded(lab, DIRTY)
    lab.note("a file with broken rows; loaded twice, then delivered mended")
    return Dirty(*first, again, rejected(lab))


@scenario
def new_columns(lab: Lab, world: World) -> Table:
    create_tables(lab)
    deliver(lab, world.files.values())
    loaded(lab, DAYS[-1], WIDE, AFTER_WIDE)
    lab.note("two new columns, the others in another order; the day after, as before")
    return orders(lab)


@scenario
def hiccup(lab: Lab, world: World) -> tuple[Completed, Table]:
    """Writing to ``orders`` fails twice, then works: a sequence counts on when a transaction is rolled back."""
    furnish(world, lab)
    lab.use(Postgres).execute(
        "CREATE SCHEMA monitoring",
        "CREATE SEQUENCE monitoring.tries",
        f"""CREATE FUNCTION monitoring.hiccup() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
            BEGIN
              IF nextval('monitoring.tries') < {LEAST_TRIES} THEN
                RAISE EXCEPTION 'terminating connection due to administrator command' USING ERRCODE = '57P01';
              END IF;
              RETURN NULL;
            END $$""",
        "CREATE TRIGGER hiccup BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.orders"
        " FOR EACH STATEMENT EXECUTE FUNCTION monitoring.hiccup()",
    )
    done = load(lab, DAYS[0])
    lab.note(f"the first {LEAST_TRIES - 1} tries to write to the table fail")
    return done, orders(lab)


@scenario
def parsed(lab: Lab) -> tuple[Parsed, list[str]]:
    """The folder parsed, with no file and no table there; and the statements that the database got meanwhile."""
    database = lab.use(Postgres)
    database.count()
    found = lab.use(Airflow).parse()
    statements = database.stop_counting()
    assert DAG in found.dags, f"there is no DAG {DAG!r}; found {sorted(found.dags)}; errors: {found.errors}"
    return found, statements


# -- what must come of it ----------------------------------------------------------------------------------------


@check("correctness", clauses=["responsibilities/design-and-build-etl-elt-pipelines"], weight=2)
def every_day_is_loaded_from_its_own_file(ten_days: Loaded, world: World) -> None:
    assert_same_rows(ten_days.orders, rows(world.files, DAYS), TYPES, why="after ten days in order")


@check("correctness", clauses=["responsibilities/batch-and-stream-processing"])
def days_may_be_backfilled_in_any_order(
    backwards_with_gaps: tuple[list[datetime.date], Table, Table], world: World
) -> None:
    first, between, after = backwards_with_gaps
    assert_same_rows(between, rows(world.files, first), TYPES, why="after seven of ten days, from the last on")
    assert_same_rows(after, rows(world.files, DAYS), TYPES, why="after the three days that were left out")


@check("correctness", clauses=["expertise-areas/apache-airflow", "etl-pipeline-standards/airflow-dag-structure"])
def it_runs_every_day_at_four_for_that_day(parsed: tuple[Parsed, list[str]]) -> None:
    dag = parsed[0].dags[DAG]
    assert dag.runs, f"the schedule {dag.schedule!r} starts no runs"
    for run in dag.runs:
        assert run.logical_date == run.starts and run.starts.time() == datetime.time(HOUR), (
            f"the schedule {dag.schedule!r} starts a run at {run.starts} for the logical date {run.logical_date}"
        )
    moments = [run.starts for run in dag.runs]
    assert moments == [moments[0] + datetime.timedelta(days=number) for number in range(len(moments))], (
        f"the schedule {dag.schedule!r} does not start a run every day: {', '.join(map(str, moments))}"
    )
    assert not dag.catchup, "catch-up is on"


@check("scale", clauses=["responsibilities/performance-optimization"])
def parsing_touches_no_database(parsed: tuple[Parsed, list[str]]) -> None:
    found, statements = parsed
    assert not found.errors, f"files that can't be imported: {found.errors}"
    assert not statements, f"parsing the folder sent {len(statements)} statements to the database"


@check("idempotency", clauses=IDEMPOTENT, weight=2)
def a_day_loaded_again_stays_the_same(one_day_again: Table, ten_days: Loaded, world: World) -> None:
    assert_same_rows(
        of_day(one_day_again, KILLED), of_day(ten_days.orders, KILLED), TYPES, why=f"{KILLED} was loaded again"
    )
    assert of_day(one_day_again, KILLED).rows, f"there are no orders of {KILLED}"


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def late_orders_stay_with_the_file_that_brought_them(one_day_again: Table, world: World) -> None:
    """Loading a day again leaves alone what other files brought, also orders made on that day or the one before."""
    before = KILLED - datetime.timedelta(days=1)
    for made_on in (before, KILLED):
        assert_same_rows(
            from_other_files(one_day_again, made_on),
            from_other_files(rows(world.files, DAYS), made_on),
            TYPES,
            why=f"{KILLED} was loaded again; orders made on {made_on} that came with other files",
        )


@check("idempotency", clauses=[*IDEMPOTENT, "constraints/never-lose-data"], weight=2)
def a_corrected_file_replaces_its_day(corrected_deliveries: Table, world: World) -> None:
    wanted = world.corrections[CORRECTED].rows
    assert_same_rows(of_day(corrected_deliveries, CORRECTED), wanted, TYPES, why=f"{CORRECTED} was delivered again")


@check("idempotency", clauses=IDEMPOTENT)
def a_file_with_only_a_header_empties_its_day(corrected_deliveries: Table) -> None:
    left = of_day(corrected_deliveries, EMPTIED)
    assert not left.rows, f"{len(left)} orders of {EMPTIED} are left; the file that was loaded last has none"
    assert corrected_deliveries.rows, "the table is empty"


@check("durability", clauses=["constraints/never-lose-data"], weight=2)
def a_killed_load_is_made_good_by_the_next(killed: list[AfterCrash[Table]], world: World) -> None:
    wanted = rows(world.corrected(KILLED), [KILLED])
    for point in killed:
        assert_same_rows(
            of_day(point.seen, KILLED),
            wanted,
            TYPES,
            why=f"killed after statement {point.after} of {point.of}, then run again",
        )


@check("durability", clauses=["constraints/never-lose-data"], weight=2)
def no_half_loaded_day_is_ever_seen(killed: list[AfterCrash[Table]], world: World) -> None:
    old = canonical_rows(rows(world.files, [KILLED]), TYPES)
    new = canonical_rows(rows(world.corrected(KILLED), [KILLED]), TYPES)
    for point in killed:
        seen = canonical_rows(of_day(point.between, KILLED), TYPES)
        to_old, to_new = difference(seen, old, list(TYPES)), difference(seen, new, list(TYPES))
        assert not to_old or not to_new, (
            f"after statement {point.after} of {point.of} the day {KILLED} has {len(seen)} rows: neither the {len(old)}"
            f" of before nor the {len(new)} of after. Against those of after: {to_new}"
        )


@check("durability", clauses=["responsibilities/data-integration-across-sources"])
def a_missing_file_fails_the_run_and_takes_nothing_away(
    missing_file: tuple[Completed, Table], ten_days: Loaded
) -> None:
    done, left = missing_file
    assert not done.ok, "the run succeeded although there is no file"
    assert not done.timed_out, "the run still waited for the file after three minutes"
    assert_same_rows(left, ten_days.orders, TYPES, why="the file is missing, but what was loaded before must stay")


@check("durability", clauses=["expertise-areas/apache-airflow"])
def a_hiccup_of_the_database_is_survived(
    hiccup: tuple[Completed, Table], parsed: tuple[Parsed, list[str]], world: World
) -> None:
    done, found = hiccup
    must_end_well(done, f"writing failed {LEAST_TRIES - 1} times, then worked")
    assert_same_rows(found, rows(world.files, DAYS[:1]), TYPES, why="after tries that failed")
    hasty = [
        task.id
        for task in parsed[0].dags[DAG].tasks.values()
        if task.type != "EmptyOperator" and (task.retries < LEAST_TRIES - 1 or task.retry_delay < 60)
    ]
    assert not hasty, f"fewer than {LEAST_TRIES} tries, or no minutes between them: {', '.join(hasty)}"


@check("quality", clauses=QUALITY)
def broken_rows_keep_no_others_out(broken_rows: Dirty, world: World) -> None:
    assert_same_rows(broken_rows.orders, world.files[DIRTY].rows, TYPES, why="a file with broken rows was loaded")


@check("quality", clauses=[*QUALITY, "constraints/never-lose-data"])
def broken_rows_are_kept_with_a_reason(broken_rows: Dirty, world: World) -> None:
    expect_rejected(broken_rows.rejected, world.files[DIRTY], "after the load")


@check("idempotency", clauses=[*IDEMPOTENT, *QUALITY])
def rejected_rows_follow_the_last_delivery(broken_rows: Dirty, world: World) -> None:
    expect_rejected(broken_rows.rejected_again, world.files[DIRTY], "after loading the day again")
    left = broken_rows.rejected_mended
    assert not left.rows, f"{len(left)} rejected rows are left after the day was delivered mended"


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def new_and_moved_columns_are_no_trouble(new_columns: Table, world: World) -> None:
    wanted = rows(world.files, (DAYS[-1], WIDE, AFTER_WIDE))
    assert_same_rows(new_columns, wanted, TYPES, why="after a file with new columns, and one without")


def expect_rejected(found: Table, file: File, when: str) -> None:
    """Each broken line has a row that names its day, a reason, and whatever ids the line had."""
    left = [dict(row) for row in found]
    for row in left:
        assert row["file_day"] == file.day, f"{when}: a rejected row says file_day {row['file_day']}, not {file.day}"
        assert (row["reason"] or "").strip(), f"{when}: a rejected row has no reason: {row['record']}"
    for line in sorted(file.rejected, key=lambda line: not (line.customer_id and line.order_id)):
        marks = [line.customer_id, line.order_id]
        mine = next((row for row in left if all(mark in (row["record"] or "") for mark in marks)), None)
        assert mine, f"{when}: orders_rejected ({len(found)} rows) lacks the row {line.values} ({line.flaw})"
        left.remove(mine)
    assert not left, f"{when}: {len(left)} rows in orders_rejected were not broken, or are there twice: {left[:3]}"


def from_other_files(found: Iterable[Mapping[str, Any]], made_on: datetime.date) -> list[Mapping[str, Any]]:
    return [row for row in found if row["file_day"] != KILLED and row["ordered_at"].date() == made_on]


# canary: 397beb0a-c978-4032-992b-b9ab0fae30ea
