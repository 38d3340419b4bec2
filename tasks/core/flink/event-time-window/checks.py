"""Runs the job beside the depots' deliveries, kills it between the second and the third, and starts it again."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.tables import assert_same_rows, canonical_rows
from harness.engines.flink import Flink
from harness.lab import Lab
from harness.service import Service
from harness.tables import Table

from .world import World, deliver, open_depots, remove

COUNT = {"window_start": "timestamp", "lane": "text", "scans": "integer"}
LATE = {"scan_id": "text", "lane": "text", "scanned_at": "timestamp"}
# Seconds: until rows of a job just started are seen, of one that runs, and of what should be there by then.
START_TIME, RUN_TIME, LAST_TIME = 90.0, 45.0, 25.0
OPERATION = Operation(
    command="python job.py",
    fills=("counts",),
    every=None,
    stopped_after=90.0,
    topics={
        "late scans": "late out-of-order disorder delay two-minute",
        "quiet depots": "quiet idle silent closed depot",
        "files": "file complete remov",
        "broken lines": "broken malformed invalid json",
        "time": "utc clock scanned_at",
    },
)


@dataclass(frozen=True)
class State:
    counts: Table
    late: Table
    broken: Table


@dataclass(frozen=True)
class Watched:
    """What the lake held after the first delivery, when the job was killed, and in the end."""

    early: State
    killed: State
    last: State


def state(lab: Lab) -> State:
    return State(timed(lab, "counts", "window_start"), timed(lab, "late", "scanned_at"), lab.use(Flink).rows("broken"))


def timed(lab: Lab, name: str, column: str) -> Table:
    """JSON knows no times: the column's are read from its text."""
    table = lab.use(Flink).rows(name)
    if column not in table.columns:
        return table
    place = table.columns.index(column)
    rows = tuple((*row[:place], moment(row[place]), *row[place + 1 :]) for row in table.rows)
    return Table(table.name, table.columns, rows)


def moment(value: object) -> object:
    """As it is if it is no time: the comparison then says so."""
    try:
        return datetime.datetime.fromisoformat(str(value).removesuffix("Z"))
    except ValueError:
        return value


def newest(lab: Lab) -> datetime.datetime | None:
    """The start of the newest window that was published."""
    counts = timed(lab, "counts", "window_start")
    moments = canonical_rows(counts, {"window_start": "timestamp"}) if counts.rows else []
    return max((moment for (moment,) in moments), default=None)


@scenario
def watched(lab: Lab, world: World) -> Watched:
    open_depots(lab)

    def published(job: Service, number: int, seconds: float) -> State:
        """The lake once it has what must stand in it after the delivery, or some time later."""
        deliver(world, lab, number)
        window = world.published[number]
        if job.until(lambda: (seen := newest(lab)) is not None and seen >= window, seconds):
            # One checkpoint's rows don't become visible at one moment.
            job.until(lambda: is_complete(state(lab), world, number), LAST_TIME)
        return state(lab)

    with lab.use(Flink).job("python", "job.py") as job:
        early = published(job, 0, START_TIME)
        killed = published(job, 1, RUN_TIME)
    lab.note(
        "the job was killed between the second and the third delivery, whose files were removed, and started again"
    )
    for number in (0, 1):
        remove(world, lab, number)
    with lab.use(Flink).job("python", "job.py") as job:
        published(job, 2, START_TIME)
        published(job, 3, RUN_TIME)
        return Watched(early, killed, published(job, 4, RUN_TIME))


def is_complete(seen: State, world: World, number: int) -> bool:
    """Whether there are as many rows as there must be after a delivery; which ones is for the checks to tell."""
    until = world.published[number]
    counts = sum(len(world.counts(group, until)) for group in world.lanes)
    last = until == world.published[-1]
    whole = len(seen.late) >= len(world.late) and len(seen.broken) >= len(world.broken)
    return len(seen.counts) >= counts and (whole or not last)


def assert_counts(table: Table, world: World, group: str, until: datetime.datetime, why: str) -> None:
    """The group's lanes have their counts up to that window. That each stands once is another matter."""
    rows = {row for row in of_lanes(table, world.lanes[group]) if row[0] <= until}
    found = Table(table.name, tuple(COUNT), tuple(rows))
    assert_same_rows(found, world.counts(group, until), COUNT, why=why)


def of_lanes(table: Table, lanes: tuple[str, ...]) -> list[tuple]:
    return [row for row in canonical_rows(table, COUNT) if row[1] in lanes]


def late_rows(seen: State) -> list[tuple]:
    return canonical_rows(seen.late, LATE) if seen.late.rows else []


@check("correctness", clauses=["expertise-areas/apache-flink", "responsibilities/batch-and-stream-processing"])
def scans_count_in_the_window_of_their_own_time(watched: Watched, world: World) -> None:
    for seen, number in ((watched.early, 0), (watched.killed, 1), (watched.last, 4)):
        assert_counts(seen.counts, world, "plain", world.published[number], f"after delivery {number + 1}")


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def a_scan_two_minutes_out_of_order_counts(watched: Watched, world: World) -> None:
    why = "scans up to two minutes behind younger ones"
    assert_counts(watched.killed.counts, world, "disordered", world.published[1], why)


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def a_scan_counts_while_its_window_is_open(watched: Watched, world: World) -> None:
    why = "scans more than two minutes behind younger ones, whose window wasn't over"
    assert_counts(watched.last.counts, world, "open", world.published[-1], why)
    stray = [row for row in late_rows(watched.last) if row[1] in world.lanes["open"]]
    assert not stray, f"{len(stray)} of them are among the late ones, too, e.g. {stray[0]}"


@check("late_data", clauses=["constraints/plan-for-late-arriving-data", "constraints/never-lose-data"])
def a_scan_of_a_window_that_is_over_is_kept_aside(watched: Watched, world: World) -> None:
    counted = of_lanes(watched.last.counts, world.lanes["late"])
    assert not counted, f"windows that were over got a count from late scans, e.g. {counted[0]}"
    rows = tuple(row for row in late_rows(watched.last) if row[1] in world.lanes["late"])
    expected = [scan | {"scanned_at": datetime.datetime.fromisoformat(scan["scanned_at"])} for scan in world.late]
    assert_same_rows(Table("late", tuple(LATE), rows), expected, LATE, why="scans of windows that were over")


@check("correctness", clauses=["expertise-areas/apache-flink"])
def a_quiet_depot_is_counted_when_it_sends(watched: Watched, world: World) -> None:
    why = "the depot south sent once, and was quiet before and after"
    assert_counts(watched.last.counts, world, "south", world.published[-1], why)


@check("durability", clauses=["constraints/never-lose-data"])
def an_open_window_survives_a_kill(watched: Watched, world: World) -> None:
    why = "a window with scans before and after the kill"
    assert_counts(watched.last.counts, world, "interrupted", world.published[-1], why)


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def each_count_and_each_late_scan_stands_once(watched: Watched) -> None:
    counts = [row[:2] for row in canonical_rows(watched.last.counts, COUNT)]
    assert counts, "there are no counts"
    doubled = {key for key in counts if counts.count(key) > 1}
    assert not doubled, f"{len(doubled)} windows of a lane stand in the counts several times, e.g. {min(doubled)}"
    late = [row[0] for row in late_rows(watched.last)]
    assert len(late) == len(set(late)), f"{len(late) - len(set(late))} late scans stand there twice"
    gone = set(canonical_rows(watched.killed.counts, COUNT)) - set(canonical_rows(watched.last.counts, COUNT))
    assert not gone, f"{len(gone)} counts that stood there are gone or changed, e.g. {min(gone)}"


@check("quality", clauses=["constraints/always-validate-data-quality", "constraints/never-lose-data"])
def broken_lines_are_kept_as_they_came(watched: Watched, world: World) -> None:
    expected = [{"line": line} for line in world.broken]
    assert_same_rows(watched.last.broken, expected, {"line": "text"}, why="lines that are no sound scan")


# canary: 5f1c5a7e-2d0b-4b6b-9a43-9a4dca1e7d60
