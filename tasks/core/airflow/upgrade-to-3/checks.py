"""The upgraded DAGs are parsed, and run for past dates, in any order, again, with faults, and killed."""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import AfterCrash, crash_everywhere, must_end_well
from graders.tables import assert_same_rows, canonical_rows, difference
from harness.engines.airflow import Airflow, Dag, Parsed
from harness.engines.postgres import Postgres
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import (
    AUDIT,
    DAILY,
    DAY,
    DAYS,
    LEVELS,
    ORDERS,
    PUBLICATIONS,
    SIX_HOURS,
    WEEKLY,
    World,
    at,
    fill,
    furnish,
)

LOAD, REPORT, STOCK = "shop_orders_load", "shop_sales_report", "shop_stock_levels"
MIGRATION = ["responsibilities/data-migration-strategies"]
AIRFLOW = ["expertise-areas/apache-airflow"]


OPERATION = Operation(
    command=f"airflow dags test {LOAD} {DAYS[0]}T02:00:00+00:00",
    fills=("mart.orders",),
    every=datetime.timedelta(days=1),
    parameters={"logical-date": f"{DAYS[0]}T02:00:00+00:00"},
    topics={
        "the deployment's defaults": "default cfg config deploy catchup",
        "late orders": "late created_at belated",
        "periods": "interval period timetable timezone utc logical",
        "the database as it is": "unchanged schema mart psycopg connection",
    },
)


@dataclass(frozen=True)
class Before:
    """A DAG as Airflow 2 had it. ``tries`` are retries and the seconds between them, by task."""

    edges: frozenset[tuple[str, str]]
    tries: dict[str, tuple[int, float]]
    start: datetime.datetime
    period: datetime.timedelta
    catchup: bool
    max_active_runs: int

    @property
    def order(self) -> set[tuple[str, str]]:
        """All that the edges imply: to say one of these too changes nothing."""
        found = set(self.edges)
        while more := {(a, d) for a, b in found for c, d in found if b == c} - found:
            found |= more
        return found


def chain(*tasks: str) -> set[tuple[str, str]]:
    return set(itertools.pairwise(tasks))


LOAD_TASKS = ("start", "count_source", "load_orders", "reconcile", "finish")
LEVEL_TASKS = ("levels_north", "levels_south", "levels_harbour")
BEFORE = {
    LOAD: Before(
        edges=frozenset(chain(*LOAD_TASKS)),
        tries=dict.fromkeys(LOAD_TASKS, (3, 300)),
        start=at(datetime.date(2026, 1, 1), 2),
        period=DAY,
        catchup=False,
        max_active_runs=1,
    ),
    REPORT: Before(
        edges=frozenset(
            chain("orders_are_there", "daily_report", "pick_weekly")
            | chain("pick_weekly", "weekly_report", "publish")
            | chain("pick_weekly", "no_weekly_report", "publish")
        ),
        tries={
            **dict.fromkeys(("orders_are_there", "pick_weekly", "weekly_report", "no_weekly_report"), (2, 600)),
            "publish": (2, 600),
            "daily_report": (5, 600),
        },
        start=at(datetime.date(2026, 2, 1)),
        period=DAY,
        catchup=True,
        max_active_runs=1,
    ),
    STOCK: Before(
        edges=frozenset(edge for task in LEVEL_TASKS for edge in chain("begin", task, "end")),
        tries=dict.fromkeys(("begin", *LEVEL_TASKS, "end"), (1, 120)),
        start=at(datetime.date(2026, 2, 1)),
        period=SIX_HOURS,
        catchup=False,
        max_active_runs=16,
    ),
}


def run(lab: Lab, dag: str, *moments: datetime.datetime) -> Completed:
    return lab.use(Airflow).run(dag, *moments)


def succeeded(lab: Lab, dag: str, *moments: datetime.datetime) -> None:
    must_end_well(run(lab, dag, *moments), f"{dag} for {', '.join(f'{moment:%Y-%m-%d %H:%M}' for moment in moments)}")


def loads(days: Sequence[datetime.date]) -> list[datetime.datetime]:
    return [at(day, 2) for day in days]


def table(lab: Lab, name: str) -> Table:
    return lab.use(Postgres).table(f"mart.{name}")


# -- what is done ------------------------------------------------------------------------------------------------


@scenario
def parsed(lab: Lab) -> Parsed:
    return lab.use(Airflow).parse()


def dags(found: Parsed) -> dict[str, tuple[Dag, Before]]:
    missing = sorted(set(BEFORE) - set(found.dags))
    assert not missing, f"no DAG {', '.join(missing)}; files that can't be imported: {found.errors}"
    return {dag_id: (found.dags[dag_id], before) for dag_id, before in BEFORE.items()}


@dataclass(frozen=True)
class Backfilled:
    """Shop days loaded one after the other, then again, from the last to the first, when late orders were there."""

    orders: Table
    audit: Table
    again: Table
    audit_again: Table
    recounted: Completed
    recounted_short: Completed


BACKFILL = DAYS[2:5]


@scenario
def backfilled(lab: Lab, world: World) -> Backfilled:
    furnish(world, lab)
    succeeded(lab, LOAD, *loads(BACKFILL))
    first = table(lab, "orders"), table(lab, "load_audit")
    fill(lab, world.late, ())
    succeeded(lab, LOAD, *loads(BACKFILL[::-1]))
    again = table(lab, "orders"), table(lab, "load_audit")
    day = str(world.late_day)
    recounted = lab.run("python", "tools/recount.py", day)
    lab.use(Postgres).execute(
        f"DELETE FROM mart.orders WHERE order_id = (SELECT min(order_id) FROM mart.orders WHERE shop_day = '{day}')"
    )
    lab.note(f"{len(BACKFILL)} past days loaded, then again from the last to the first, with late orders in the source")
    return Backfilled(*first, *again, recounted, lab.run("python", "tools/recount.py", day))


@dataclass(frozen=True)
class Reported:
    daily: Table
    weekly: Table
    publications: Table


# A Friday to the Monday after: a week ends in between.
REPORTED = DAYS[4:8]
MEASURED = tuple(at(DAYS[1]) + SIX_HOURS * number for number in range(1, 4))


@scenario
def reported(lab: Lab, world: World) -> Reported:
    furnish(world, lab)
    succeeded(lab, REPORT, *map(at, REPORTED))
    succeeded(lab, REPORT, at(REPORTED[2]))
    lab.note("reports of four past days, a Sunday's twice")
    return Reported(*(table(lab, name) for name in ("daily_sales", "weekly_sales", "publications")))


@scenario
def measured(lab: Lab, world: World) -> Table:
    furnish(world, lab)
    succeeded(lab, STOCK, *MEASURED[::-1])
    lab.note("stock of three past quarters of a day, from the last on")
    return table(lab, "stock_levels")


def fail_writes(lab: Lab, name: str, times: int) -> None:
    """Writing to a table fails so many times, then works: a sequence counts on when a transaction is rolled back."""
    lab.use(Postgres).execute(
        "CREATE SCHEMA monitoring",
        "CREATE SEQUENCE monitoring.tries",
        f"""CREATE FUNCTION monitoring.hiccup() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
            BEGIN
              IF nextval('monitoring.tries') <= {times} THEN RAISE EXCEPTION 'the disk is full'; END IF;
              RETURN NULL;
            END $$""",
        f"CREATE TRIGGER hiccup BEFORE INSERT OR UPDATE OR DELETE ON mart.{name}"
        " FOR EACH STATEMENT EXECUTE FUNCTION monitoring.hiccup()",
    )


@dataclass(frozen=True)
class Faulty:
    """Runs that must fail, or must not: what came of them."""

    hiccup: Completed
    orders: Table
    short: Completed
    failing_report: Completed
    publications: Table


@scenario
def faults(lab: Lab, world: World) -> Faulty:
    furnish(world, lab)
    database = lab.use(Postgres)
    fail_writes(lab, "orders", times=3)
    hiccup = run(lab, LOAD, at(DAYS[1], 2))
    orders = table(lab, "orders")
    # A row that never arrives in the mart, without any error.
    database.execute(
        """CREATE FUNCTION monitoring.swallow() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN IF NEW.order_id % 7 = 3 THEN RETURN NULL; END IF; RETURN NEW; END $$""",
        "CREATE TRIGGER swallow BEFORE INSERT ON mart.orders FOR EACH ROW EXECUTE FUNCTION monitoring.swallow()",
    )
    short = run(lab, LOAD, at(DAYS[2], 2))
    database.execute("DROP SCHEMA monitoring CASCADE")
    fail_writes(lab, "daily_sales", times=1000)
    report = run(lab, REPORT, at(DAYS[1]))
    lab.note("writing to the mart fails three times, loses rows silently, fails for good")
    return Faulty(hiccup, orders, short, report, table(lab, "publications"))


KILLED = DAYS[2]


@scenario
def killed(lab: Lab, world: World) -> list[AfterCrash[Table]]:
    """The load of a day that was loaded before, with other orders, is killed."""
    furnish(world, lab)
    succeeded(lab, LOAD, at(KILLED, 2))
    database = lab.use(Postgres)
    database.execute("UPDATE app.orders SET amount = amount + 1")
    state = database.save()
    return crash_everywhere(
        lab,
        database,
        prepare=lambda: database.restore(state),
        act=lambda: run(lab, LOAD, at(KILLED, 2)),
        observe=lambda: table(lab, "orders"),
        most=6,
    )


# -- what must come of it ----------------------------------------------------------------------------------------


@check("correctness", clauses=[*MIGRATION, *AIRFLOW])
def every_dag_has_its_tasks_and_edges(parsed: Parsed) -> None:
    for dag_id, (dag, before) in dags(parsed).items():
        tasks, known = set(dag.tasks), set(before.tries)
        assert tasks == known, (
            f"{dag_id}: tasks missing: {sorted(known - tasks)}; not known before: {sorted(tasks - known)}"
        )
        lost, new = before.edges - dag.edges, dag.edges - before.order
        assert not lost and not new, f"{dag_id}: dependencies missing: {sorted(lost)}; not known before: {sorted(new)}"


@check("schema_evolution", clauses=[*MIGRATION, *AIRFLOW])
def nothing_deprecated_is_left(parsed: Parsed) -> None:
    dags(parsed)
    assert not parsed.errors, f"files that can't be imported: {parsed.errors}"
    assert not parsed.deprecations, "Airflow warns: " + "; ".join(parsed.deprecations)


@check("correctness", clauses=[*MIGRATION, *AIRFLOW], weight=2)
def runs_start_when_their_period_is_over(parsed: Parsed) -> None:
    for dag_id, (dag, before) in dags(parsed).items():
        assert dag.runs, f"{dag_id}: the schedule {dag.schedule!r} starts no runs"
        first = dag.runs[0].logical_date
        assert abs(first - before.start) <= before.period, (
            f"{dag_id}: the first run is for {first}, and was for {before.start}"
        )
        for number, run in enumerate(dag.runs):
            logical_date = first + number * before.period
            assert run.logical_date == logical_date and (logical_date - before.start) % before.period == 0 * DAY, (
                f"{dag_id}: a run for {run.logical_date}, where there was none"
            )
            end = logical_date + before.period
            assert (run.starts, run.interval) == (end, (logical_date, end)), (
                f"{dag_id}: the run for {logical_date} starts at {run.starts} and covers {run.interval[0]} to"
                f" {run.interval[1]}; it started at {end} and covered {logical_date} to {end}"
            )


@check("correctness", clauses=MIGRATION)
def catchup_and_limits_are_as_before(parsed: Parsed) -> None:
    for dag_id, (dag, before) in dags(parsed).items():
        assert dag.catchup == before.catchup, f"{dag_id}: catch-up was {before.catchup}, and is {dag.catchup}"
        assert dag.max_active_runs == before.max_active_runs, (
            f"{dag_id}: {before.max_active_runs} runs at a time were allowed, now {dag.max_active_runs}"
        )


@check("durability", clauses=[*AIRFLOW, "constraints/never-lose-data"])
def tasks_are_tried_as_often_as_before(parsed: Parsed) -> None:
    for dag_id, (dag, before) in dags(parsed).items():
        for task_id, tries in before.tries.items():
            if task := dag.tasks.get(task_id):
                found = task.retries, task.retry_delay
                assert found == tries, (
                    f"{dag_id}.{task_id}: {tries[0]} retries with {tries[1]:.0f} s between them, now {found}"
                )


@check("correctness", clauses=MIGRATION, weight=2)
def a_past_day_has_the_same_orders(backfilled: Backfilled, world: World) -> None:
    assert_same_rows(backfilled.orders, world.loaded(BACKFILL, world.orders), ORDERS, why="after loading past days")


@check("quality", clauses=[*MIGRATION, "constraints/always-validate-data-quality"])
def the_audit_still_counts_both_sides(backfilled: Backfilled, world: World) -> None:
    assert_same_rows(backfilled.audit, world.audited(BACKFILL, world.orders), AUDIT, why="after loading past days")


@check(
    "late_data",
    clauses=["constraints/plan-for-late-arriving-data", "constraints/always-implement-idempotent-pipelines"],
)
def days_loaded_again_take_in_late_orders(backfilled: Backfilled, world: World) -> None:
    assert_same_rows(
        backfilled.again,
        world.loaded(BACKFILL, (*world.orders, *world.late)),
        ORDERS,
        why="late orders came, and the days were loaded again, from the last on",
    )


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def reports_of_past_days_are_the_same(reported: Reported, world: World) -> None:
    sunday, monday = REPORTED[2], DAYS[0]
    assert_same_rows(reported.daily, world.daily_sales(REPORTED), DAILY, why="reports of past days")
    weekly = world.weekly_sales(monday, [day for day in REPORTED if day <= sunday])
    assert_same_rows(reported.weekly, weekly, WEEKLY, why="reports of past days, a Sunday among them")


@check("correctness", clauses=MIGRATION)
def publications_are_the_same(reported: Reported) -> None:
    wanted = [{"day": day, "valid_until": day + 2 * DAY, "run_of": at(day)} for day in REPORTED]
    assert_same_rows(reported.publications, wanted, PUBLICATIONS, why="reports of past days")


@check("correctness", clauses=MIGRATION)
def stock_levels_of_the_past_are_the_same(measured: Table, world: World) -> None:
    assert_same_rows(measured, world.levels(MEASURED), LEVELS, why="stock of a past day")


@check("durability", clauses=AIRFLOW)
def a_load_survives_what_its_retries_are_for(faults: Faulty, world: World) -> None:
    must_end_well(faults.hiccup, "writing failed three times, then worked; three retries are allowed")
    assert_same_rows(faults.orders, world.loaded(DAYS[1:2], world.orders), ORDERS, why="after tries that failed")


@check("quality", clauses=["constraints/always-validate-data-quality"])
def a_short_load_still_fails(backfilled: Backfilled, faults: Faulty) -> None:
    assert not faults.short.ok, "orders were lost on their way into the mart, and the run succeeded"


@check("quality", clauses=["responsibilities/data-quality-and-validation"])
def nothing_is_published_after_a_failure(reported: Reported, faults: Faulty) -> None:
    assert not faults.failing_report.ok, "the daily report could not be written, and the run succeeded"
    assert not faults.publications.rows, "the daily report could not be written, and was published"


@check("durability", clauses=["constraints/never-lose-data"])
def a_killed_load_leaves_whole_days(killed: list[AfterCrash[Table]], world: World) -> None:
    old = world.loaded([KILLED], world.orders)
    new = [{**row, "amount": row["amount"] + 1} for row in old]  # type: ignore[operator]
    states = [canonical_rows(rows, ORDERS) for rows in (old, new)]
    for point in killed:
        where = f"killed after statement {point.after} of {point.of}"
        between = canonical_rows(point.between, ORDERS)
        gaps = [difference(between, state, list(ORDERS)) for state in states]
        assert not all(gaps), f"{where}: the day is neither as before nor as after the load: {gaps[1]}"
        assert_same_rows(point.seen, new, ORDERS, why=f"{where}, then run again")


@check("correctness", clauses=MIGRATION)
def the_tool_of_on_call_still_works(backfilled: Backfilled, world: World) -> None:
    count = len(world.of_shop_day(world.late_day, (*world.orders, *world.late)))
    must_end_well(backfilled.recounted, "tools/recount.py for a day that was loaded")
    numbers = re.findall(r"\b\d+\b", backfilled.recounted.stdout.partition(":")[2])
    assert numbers == [str(count)] * 2, (
        f"tools/recount.py said {backfilled.recounted.stdout!r}; {count} orders are there"
    )
    short = backfilled.recounted_short
    assert short.exit_code == 1, f"an order was missing, and tools/recount.py ended so: {short.explain()}"


# canary: 53b497d3-9df4-4aa1-a738-ad74986ed210
