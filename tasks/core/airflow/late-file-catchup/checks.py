"""Files come on time, while a run waits, a day late, days late, and not at all; in the end the oldest are gone."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import must_end_well
from graders.tables import assert_same_rows
from harness.engines.airflow import Airflow, Parsed
from harness.engines.postgres import Postgres
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import ANOTHER, CAUGHT_UP, DAYS, LATE, NEXT, QUIET, VERY_LATE, WAITED_FOR, File, World, create_tables

DAG = "store_sales"
HOUR = 3600.0
LEAST_WAIT, MOST_WAIT, INTERVAL = 2 * HOUR, 3 * HOUR, 0.25 * HOUR
COMES_AFTER = 1.4 * HOUR
OPERATION = Operation(
    command=f"airflow dags test {DAG} {NEXT}T04:00:00+00:00",
    fills=("public.sales",),
    every=datetime.timedelta(days=1),
    parameters={"logical-date": f"{NEXT}T04:00:00+00:00"},
    topics={
        "when a file is complete": "complet whole partial finish atomic",
        "stores that are closed": "closed header empty",
        "deliveries made again": "again resend redeliver chang correct",
        "files that come very late": "late never days old",
    },
)
SALES = {"day": "date", "store": "text", "receipt": "integer", "amount": "decimal(2)"}
TOTALS = {"day": "date", "receipts": "integer", "revenue": "decimal(2)"}
MISSING = {"day": "date", "store": "text"}


@dataclass(frozen=True)
class Seen:
    """How runs ended, for how long the last one's tasks waited at most, and the tables after it."""

    done: Completed
    waited: float
    sales: Table
    totals: Table
    missing: Table


def run(lab: Lab, *days: datetime.date, comes: dict[float, dict[str, str]] | None = None) -> Seen:
    airflow, postgres = lab.use(Airflow), lab.use(Postgres)
    dates = [datetime.datetime.combine(day, datetime.time(4), datetime.UTC) for day in days]
    done = airflow.run(DAG, *dates, arrivals=comes)
    waited = max(airflow.waited(done).values(), default=0.0)
    return Seen(done, waited, *(postgres.table(name) for name in ("sales", "daily_totals", "missing_files")))


@dataclass(frozen=True)
class Story:
    """Runs, by what has happened before each."""

    missing: Seen
    next_day: Seen
    missing_again: Seen
    days_without: Seen
    caught_up: Seen
    done_again: Seen


@scenario
def story(lab: Lab, world: World) -> Story:
    create_tables(lab)

    def deliver(files: Iterable[File]) -> None:
        lab.deliver(world.contents(files))

    deliver(world.of(LATE, without=world.late_files(LATE)))
    missing = run(lab, LATE)
    deliver([*world.late_files(LATE), *world.of(NEXT)])
    next_day = run(lab, NEXT)
    run(lab, VERY_LATE)
    missing_again = run(lab, VERY_LATE)
    deliver(world.of(QUIET, ANOTHER))
    days_without = run(lab, QUIET, ANOTHER)
    deliver(world.of(VERY_LATE, CAUGHT_UP))
    caught_up = run(lab, CAUGHT_UP)
    # A month has passed since the first two days.
    lab.box.clear("data")
    deliver(world.of(VERY_LATE, QUIET, ANOTHER, CAUGHT_UP))
    done_again = run(lab, VERY_LATE)
    lab.note("files were late by a day and by days; failed days were run again, the last when old files were gone")
    return Story(missing, next_day, missing_again, days_without, caught_up, done_again)


@scenario
def waited_for(lab: Lab, world: World) -> Seen:
    """A file comes while the run waits for it."""
    create_tables(lab)
    late = world.late_files(WAITED_FOR)
    lab.deliver(world.contents(world.of(WAITED_FOR, without=late)))
    found = run(lab, WAITED_FOR, comes={COMES_AFTER: world.contents(late)})
    lab.note("a file came while the run waited")
    return found


def must_have_failed(seen: Seen, day: datetime.date) -> Seen:
    assert not seen.done.ok, f"the run of {day} ends well though a file is missing"
    return seen


def assert_loaded(seen: Seen, world: World, files: list[File], when: str) -> None:
    """The days of these files hold what is in the files, no more and no less, and so do their totals."""
    days = {day for day, _ in files}
    rows = [row for row in seen.sales if row["day"] in days]
    assert_same_rows(rows, world.sales(files), SALES, why=f"{when}: public.sales")
    rows = [row for row in seen.totals if row["day"] in days]
    expected = [{**row, "day": datetime.date.fromisoformat(str(row["day"]))} for row in world.totals(files)]
    assert_same_rows(rows, expected, TOTALS, why=f"{when}: public.daily_totals")


def assert_missing(seen: Seen, files: Iterable[File], when: str) -> None:
    known = set(DAYS)
    rows = [row for row in seen.missing if row["day"] in known]
    expected = [{"day": day, "store": store} for day, store in files]
    assert_same_rows(rows, expected, MISSING, why=f"{when}: public.missing_files")


@check("quality", clauses=["constraints/always-validate-data-quality"])
def a_missing_file_fails_its_run_and_is_noted(story: Story, world: World) -> None:
    seen = must_have_failed(story.missing, LATE)
    assert_missing(seen, world.late_files(LATE), f"the run of {LATE} is over")
    again = must_have_failed(story.missing_again, VERY_LATE)
    assert_missing(again, world.late_files(VERY_LATE), f"{VERY_LATE} was run twice before any file came")


@check("durability", clauses=["constraints/never-lose-data"])
def the_other_stores_are_loaded_all_the_same(story: Story, world: World) -> None:
    seen = must_have_failed(story.missing, LATE)
    assert_loaded(seen, world, world.of(LATE, without=world.late_files(LATE)), "files are missing")


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def it_waits_as_long_as_agreed(story: Story) -> None:
    seen = must_have_failed(story.missing, LATE)
    hours = f"{seen.waited / HOUR:.2f} hours"
    assert seen.waited >= LEAST_WAIT - INTERVAL, f"the run gives up after {hours}"
    assert seen.waited <= MOST_WAIT + INTERVAL, f"the run waits for {hours}"


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def a_file_that_comes_while_it_waits_is_loaded(waited_for: Seen, world: World) -> None:
    must_end_well(waited_for.done, f"a file comes after {COMES_AFTER / HOUR} hours")
    assert_loaded(waited_for, world, world.of(WAITED_FOR), "a file came while the run waited")
    assert_missing_none(waited_for, WAITED_FOR)


def assert_missing_none(seen: Seen, day: datetime.date) -> None:
    noted = [row["store"] for row in seen.missing if row["day"] == day]
    assert not noted, f"{noted} of {day} is in public.missing_files though it has come"


@check("late_data", clauses=["constraints/plan-for-late-arriving-data", "constraints/never-lose-data"])
def the_next_run_brings_in_what_came_late(story: Story, world: World) -> None:
    must_have_failed(story.missing, LATE)
    assert_loaded(story.next_day, world, world.of(LATE), "the next day was run")
    assert_missing_none(story.next_day, LATE)


@check("late_data", clauses=["constraints/plan-for-late-arriving-data", "constraints/never-lose-data"])
def what_is_days_late_is_brought_in(story: Story, world: World) -> None:
    must_have_failed(story.missing_again, VERY_LATE)
    assert_loaded(story.caught_up, world, world.of(VERY_LATE), f"the day {CAUGHT_UP} was run")
    assert_missing_none(story.caught_up, VERY_LATE)


@check("quality", clauses=["constraints/always-validate-data-quality"])
def only_its_own_files_fail_a_run(story: Story, world: World) -> None:
    must_have_failed(story.missing, LATE)
    must_end_well(story.next_day.done, f"the run of {NEXT}, whose files are all there")
    must_end_well(story.days_without.done, f"the runs after {VERY_LATE}, of which no file has come yet")
    assert_missing(story.days_without, world.late_files(VERY_LATE), "days later")
    must_end_well(story.caught_up.done, f"the run of {CAUGHT_UP}")


@check("correctness", clauses=["constraints/never-lose-data"])
def in_the_end_every_day_is_whole(story: Story, world: World) -> None:
    must_have_failed(story.missing, LATE)
    assert_loaded(story.caught_up, world, world.of(*DAYS[: DAYS.index(CAUGHT_UP) + 1]), "all files have come")


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def a_failed_day_can_be_run_again(story: Story, world: World) -> None:
    must_have_failed(story.missing_again, VERY_LATE)
    must_end_well(story.done_again.done, f"the run of {VERY_LATE} again, its files having come")
    before, after = story.caught_up, story.done_again
    assert_same_rows(after.sales, before.sales, SALES, why=f"{VERY_LATE} was run again: public.sales")
    assert_same_rows(after.totals, before.totals, TOTALS, why=f"{VERY_LATE} was run again: public.daily_totals")
    for day in (VERY_LATE, LATE, NEXT):
        assert_missing_none(after, day)


@scenario
def parsed(lab: Lab) -> Parsed:
    return lab.use(Airflow).parse()


@check("correctness", clauses=["expertise-areas/apache-airflow"])
def the_schedule_stays_as_it_was(parsed: Parsed, story: Story) -> None:
    must_have_failed(story.missing, LATE)
    assert DAG in parsed.dags, f"there is no DAG {DAG}; there are {sorted(parsed.dags)} {parsed.errors}"
    runs = [run.logical_date for run in parsed.dags[DAG].runs[:2]]
    expected = [datetime.datetime.combine(day, datetime.time(4), datetime.UTC) for day in (LATE, NEXT)]
    assert runs == expected, (
        f"its first runs are for {[str(moment) for moment in runs]}, and were for {LATE} 04:00, {NEXT} 04:00"
    )


# canary: 23cf9560-f05b-4155-b66a-505e8860571c
