from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graders.perturbations import AfterCrash, crash_everywhere, crash_points, each, must_end_well, twice
from harness.engines import CrashingEngine
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed

WELL, BADLY = Completed(0), Completed(1, stderr="no such table")


@pytest.mark.parametrize(
    ("statuses", "most", "points"),
    [
        ("", 16, [0]),
        ("I", 16, [0, 1]),
        ("TTTI", 16, [0, 1, 2, 3, 4]),
        ("TTTI", 4, [0, 4]),
        ("TTITTITTI", 4, [0, 3, 6, 9]),
        ("TTTTTT", 4, [0]),
        ("IIIIII", 3, [0, 3, 6]),
        ("TI" * 10, 3, [0, 10, 20]),
    ],
)
def test_crash_points(statuses: str, most: int, points: list[int]) -> None:
    assert crash_points(list(statuses), most) == points


@pytest.mark.parametrize(
    ("statuses", "within", "points"),
    [
        ("TTTTI", 1, [0, 1, 5]),
        ("TTTTI", 2, [0, 1, 4, 5]),
        ("TTTTI", 9, [0, 1, 2, 3, 4, 5]),
        ("IIIIIII", 3, [0, 4, 5, 6, 7]),
    ],
)
def test_crash_points_in_the_midst_of_transactions(statuses: str, within: int, points: list[int]) -> None:
    assert crash_points(list(statuses), 2, within) == points


@given(st.text("ITE", max_size=80), st.integers(2, 20))
def test_crash_points_are_few_and_hold_the_first_and_the_last_commit(statuses: str, most: int) -> None:
    points = crash_points(list(statuses), most)
    assert points == sorted(set(points))
    assert len(points) <= most
    assert points[0] == 0
    commits = [number for number, status in enumerate(statuses, 1) if status == "I"]
    assert not commits or commits[-1] in points
    assert len(statuses) < most or set(points) <= {0, *commits}


@dataclass
class Database:
    """Rows and an engine that stops a load after some of its statements; a load inserts its rows one by one."""

    inserts: list[str]
    clears: bool
    rows: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    last: int | None = None
    finished: int = 0

    def fresh(self) -> None:
        self.rows = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def count(self) -> None:
        self.last, self.finished = None, 0

    def crash(self, after: int) -> None:
        self.last, self.finished = after, 0

    def stop_counting(self) -> list[str]:
        self.last = None
        return ["I"] * self.finished

    def load(self) -> Completed:
        statements: list[Any] = [self.rows.clear] if self.clears else []
        statements += [lambda row=row: self.rows.append(row) for row in self.inserts]
        for statement in statements:
            if self.last is not None and self.finished >= self.last:
                return Completed(None, killed="killed")
            statement()
            self.finished += 1
        return WELL


def crashes(database: Database, within: int = 0) -> list[AfterCrash[list[str]]]:
    return crash_everywhere(
        cast(Lab, database),
        cast(CrashingEngine, database),
        prepare=database.fresh,
        act=database.load,
        observe=lambda: list(database.rows),
        within=within,
    )


def killed_everywhere(database: Database) -> list[tuple[list[str], list[str]]]:
    points = crashes(database)
    assert [point.after for point in points] == list(range(len(points)))
    return [(point.between, point.seen) for point in points]


def test_a_load_that_starts_anew_survives_every_kill() -> None:
    database = Database(["a", "b"], clears=True)
    seen = killed_everywhere(database)
    assert [between for between, _ in seen] == [[], [], ["a"], ["a", "b"]]
    assert all(after == ["a", "b"] for _, after in seen)
    assert database.notes == ["killed after statement 0, 1, 2, 3 of 3, then run again"]


def test_a_load_that_appends_does_not() -> None:
    assert [after for _, after in killed_everywhere(Database(["a", "b"], clears=False))] == [
        ["a", "b"],
        ["a", "a", "b"],
        ["a", "b", "a", "b"],
    ]


def test_a_kill_of_a_run_with_other_portions_is_tried_again() -> None:
    """The sixth run, the last to be killed, gets all its rows at once: a second statement never comes."""

    class Stream(Database):
        runs = 0

        def load(self) -> Completed:
            self.runs += 1
            self.inserts = ["ab"] if self.runs == 6 else ["a", "b"]
            return super().load()

    database = Stream([], clears=False)
    points = crashes(database, within=1)
    assert database.runs == 1 + 2 * 3 + 1
    assert points[-1].between == ["a", "b"]


def test_a_load_that_sends_fewer_statements_when_it_is_to_be_killed_fails() -> None:
    class Timid(Database):
        def load(self) -> Completed:
            self.inserts = ["a", "b"] if self.last is None else ["ab"]
            return super().load()

    with pytest.raises(SubmissionFault, match=r"it sent 2 statements .* only 1: it can't be killed after statement 2"):
        crashes(Timid([], clears=False))


def test_no_kill_waits_for_the_run_after_one_that_ends_the_scenario() -> None:
    class Stuck(Database):
        def load(self) -> Completed:
            if self.last is not None:
                raise SubmissionFault("nothing moves")
            return super().load()

    database = Stuck(["a"], clears=False)
    with pytest.raises(SubmissionFault, match="nothing moves"):
        crashes(database)
    assert database.last is None


def test_a_load_that_sends_nothing_fails() -> None:
    with pytest.raises(SubmissionFault, match="no statement"):
        killed_everywhere(Database([], clears=False))


def test_must_end_well() -> None:
    assert must_end_well(WELL, "the load") is WELL
    with pytest.raises(SubmissionFault, match="the load: exit code 1\nno such table"):
        must_end_well(BADLY, "the load")
    with pytest.raises(SubmissionFault, match="was ended: timeout"):
        must_end_well(Completed(None, killed="timeout"), "the load")


def test_twice_sees_the_state_after_each_run() -> None:
    database = Database(["a"], clears=False)
    seen = twice(cast(Lab, database), database.load, lambda: list(database.rows), "the load")
    assert seen == (["a"], ["a", "a"])
    with pytest.raises(SubmissionFault, match="the load: exit code 1"):
        twice(cast(Lab, database), lambda: BADLY, lambda: None, "the load")


def test_each_stops_at_the_first_step_that_fails() -> None:
    done: list[int] = []
    with pytest.raises(SubmissionFault, match="day 2"):
        each(lambda step: done.append(step) or (BADLY if step == 2 else WELL), [1, 2, 3], "day")
    assert done == [1, 2]
