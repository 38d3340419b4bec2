"""Runs the marts on a small table, as it changes, and on the whole one, where DuckDB counts the rows."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.tables import assert_same_rows
from harness.engines.duckdb import DuckDB, Measured
from harness.errors import SubmissionFault
from harness.lab import Lab

from .world import COPIES, DAY, PAST_DAY, World, rebuild, stock

MARTS = {
    "sales_28d": {"store_id": "integer", "day": "date", "sales": "integer", "revenue": "decimal(2)"},
    "customers": {
        "customer_id": "integer",
        "first_sale": "timestamp",
        "sales": "integer",
        "revenue": "decimal(2)",
        "last_status": "text",
    },
    "store_running": {"store_id": "integer", "day": "date", "revenue": "decimal(2)", "running_revenue": "decimal(2)"},
    "status_by_month": {"month": "date", "status": "text", "sales": "integer", "share": "float"},
}
# Of the share; what is rounded to four digits is as good.
TOLERANCE = 0.0001
MOST_SCANNED = {"sales_28d": 0.25, "customers": 2.0, "store_running": 2.0, "status_by_month": 2.0}
MOST_PROCESSED = 8.0


OPERATION = Operation(
    command="python measure.py marts",
    fills=(),
    every=datetime.timedelta(days=1),
    topics={
        "the order in which sales are stored": "order stored sorted cluster zone layout sold_at",
        "late and corrected sales": "late correct past change updat",
        "values that are missing": "null walk missing amount customer_id",
        "unique sales": "unique sale_id duplic tie",
        "columns": "column schema rebuil",
    },
)


@dataclass(frozen=True)
class Night:
    """What every mart returned, or why there is nothing."""

    marts: dict[str, Measured | SubmissionFault]
    rows: int

    def mart(self, name: str) -> Measured:
        made = self.marts[name]
        if isinstance(made, SubmissionFault):
            raise made
        return made

    def assert_right(self, name: str, expected: list[dict[str, object]], why: str) -> None:
        assert_same_rows(self.mart(name).table, expected, MARTS[name], tolerance=TOLERANCE, why=f"{name}: {why}")


def sound(night: Night, world: World) -> list[str]:
    """The marts that are right on an ordinary night: what is wrong already isn't told again by other checks."""
    found = []
    for name in MARTS:
        with contextlib.suppress(AssertionError, SubmissionFault):
            night.assert_right(name, world.expected(name), "")
            found.append(name)
    assert found, "no mart is right"
    return found


def run(lab: Lab, rows: int, day: datetime.date = DAY) -> Night:
    marts: dict[str, Measured | SubmissionFault] = {}
    for name in MARTS:
        sql = lab.submission.files.get(f"marts/{name}.sql")
        if sql is None:
            marts[name] = SubmissionFault(f"there is no marts/{name}.sql")
            continue
        try:
            text = sql.decode("utf-8", "replace")
            marts[name] = lab.use(DuckDB).measure(text, name, {"day": f"DATE '{day}'"})
        except SubmissionFault as fault:
            marts[name] = fault
    return Night(marts, rows)


@scenario
def night(lab: Lab, world: World) -> Night:
    stock(world.sales, lab)
    return run(lab, len(world.sales))


@scenario
def repeated(lab: Lab, world: World) -> Night:
    """A past night, once more."""
    stock(world.sales, lab)
    lab.note(f"the marts were run for {PAST_DAY}")
    return run(lab, len(world.sales), PAST_DAY)


@scenario
def rebuilt(lab: Lab, world: World) -> Night:
    stock(world.sales, lab)
    rebuild(lab)
    lab.note("sales was rebuilt: a new column, columns and rows in another order")
    return run(lab, len(world.sales))


@scenario
def belated(lab: Lab, world: World) -> Night:
    sales = world.sales + world.late
    stock(sales, lab)
    lab.note(f"{len(world.late)} sales of past days came late")
    return run(lab, len(sales))


@scenario
def full(lab: Lab, world: World) -> Night:
    stock(world.sales, lab, COPIES)
    lab.note(f"the marts were run on {len(world.sales) * COPIES} sales")
    return run(lab, len(world.sales) * COPIES)


@check("correctness", clauses=["responsibilities/data-warehouse-design"])
def sales_28d_returns_what_it_did(night: Night, world: World) -> None:
    night.assert_right("sales_28d", world.expected("sales_28d"), f"as of {DAY}")


@check("correctness", clauses=["responsibilities/data-warehouse-design"])
def customers_returns_what_it_did(night: Night, world: World) -> None:
    night.assert_right("customers", world.expected("customers"), f"as of {DAY}")


@check("correctness", clauses=["responsibilities/data-warehouse-design"])
def store_running_returns_what_it_did(night: Night, world: World) -> None:
    night.assert_right("store_running", world.expected("store_running"), f"as of {DAY}")


@check("correctness", clauses=["responsibilities/data-warehouse-design"])
def status_by_month_returns_what_it_did(night: Night, world: World) -> None:
    night.assert_right("status_by_month", world.expected("status_by_month"), f"as of {DAY}")


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def a_past_night_is_repeated_as_of_its_day(repeated: Night, night: Night, world: World) -> None:
    for name in sound(night, world):
        repeated.assert_right(name, world.expected(name, PAST_DAY), f"run for the past day {PAST_DAY}")


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def a_table_that_was_rebuilt_gives_the_same(rebuilt: Night, night: Night, world: World) -> None:
    for name in sound(night, world):
        rebuilt.assert_right(name, world.expected(name), "sales has a new column, its columns and rows another order")


@check("late_data", clauses=["constraints/plan-for-late-arriving-data", "constraints/never-lose-data"])
def sales_that_come_late_are_in(belated: Night, night: Night, world: World) -> None:
    for name in sound(night, world):
        belated.assert_right(name, world.expected(name, late=True), "sales of past days came late")


@check("scale", clauses=["constraints/test-with-production-like-volumes"])
def the_whole_table_gives_the_right_rows(full: Night, night: Night, world: World) -> None:
    for name in sound(night, world):
        full.assert_right(name, world.expected(name, copies=COPIES), f"with {full.rows} rows in sales")


def assert_within(night: Night, names: list[str], count: Callable[[Measured], int], most: dict[str, float]) -> None:
    over = {name: count(night.mart(name)) for name in names if count(night.mart(name)) > most[name] * night.rows}
    said = [f"{name} takes {rows} rows, {rows / night.rows:.2f} N of {most[name]:g} N" for name, rows in over.items()]
    assert not over, "; ".join(said)


@check("scale", clauses=["responsibilities/cost-optimization-for-data-processing"])
def a_report_of_28_days_scans_a_quarter_at_most(full: Night) -> None:
    assert_within(full, ["sales_28d"], lambda mart: mart.scanned, MOST_SCANNED)


@check("scale", clauses=["responsibilities/cost-optimization-for-data-processing"])
def no_mart_scans_the_table_more_than_twice(full: Night) -> None:
    others = [name for name in MARTS if name != "sales_28d"]
    assert_within(full, others, lambda mart: mart.scanned, MOST_SCANNED)


@check(
    "scale",
    clauses=["responsibilities/performance-optimization", "collaboration-protocol/optimize-query-patterns"],
)
def the_work_grows_with_the_rows_alone(full: Night) -> None:
    assert_within(full, list(MARTS), lambda mart: mart.processed, dict.fromkeys(MARTS, MOST_PROCESSED))


# canary: 5d0c8a0e-0f5e-4b6f-9a55-6f6c1f0a7b1d
