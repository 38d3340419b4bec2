"""Goes through the runbook's sections in fresh boxes, by night, twice, beside other runs, and after runs that died."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import crash_points, must_end_well
from graders.runbook import YES, script_below
from graders.tables import assert_same_rows
from harness.engines.postgres import Postgres
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import DAYS, NEW, STORES, Sales, World, daily, deliver, furnish, monthly

CRASHES = 4
# What the night does (crontab).
NIGHT = f"""
for c in take load close; do bash shop.sh $c --day {NEW} || exit 1; done; bash shop.sh month --month {NEW[:7]}
"""
OPERATION = Operation(
    command=f"bash shop.sh take --day {NEW}",
    fills=("raw.sales",),
    every=datetime.timedelta(days=1),
    topics={
        "deliveries": "deliver manifest complete store",
        "runs at the same time": "run lock process machine alive",
        "late receipts": "late receipt correct",
    },
)
SALE = {"day": "text", "store": "text", "receipt": "integer", "amount": "decimal(2)"}
DAILY = {"day": "text", "store": "text", "receipts": "integer", "revenue": "decimal(2)"}
MONTHLY = {"month": "text", "store": "text", "receipts": "integer", "revenue": "decimal(2)"}
FAULTS = {
    "a row of the day is missing": (
        "DELETE FROM raw.sales WHERE receipt = (SELECT min(receipt) FROM raw.sales WHERE day = '{day}')"
    ),
    "rows of the day are doubled": "INSERT INTO raw.sales SELECT * FROM raw.sales WHERE day = '{day}'",
    "a figure of the day is off": "UPDATE marts.daily SET revenue = 1 WHERE day = '{day}' AND store = 'store-2'",
    "a store's figures are missing": "DELETE FROM marts.daily WHERE day = '{day}' AND store = 'store-3'",
    "a row was never loaded": (
        "WITH gone AS (DELETE FROM raw.sales WHERE receipt = (SELECT min(receipt) FROM raw.sales WHERE day = '{day}')"
        " RETURNING store, amount),"
        " less AS (UPDATE marts.daily d SET receipts = receipts - 1, revenue = revenue - amount"
        " FROM gone WHERE d.day = '{day}' AND d.store = gone.store)"
        " UPDATE marts.monthly m SET receipts = receipts - 1, revenue = revenue - amount"
        " FROM gone WHERE m.month = '{month}' AND m.store = gone.store"
    ),
    # Their number is right, and so is every sum of them.
    "a row of the day has another amount than was delivered": (
        "WITH changed AS (UPDATE raw.sales SET amount = amount + 10 WHERE receipt = (SELECT min(receipt)"
        " FROM raw.sales WHERE day = '{day}') RETURNING store),"
        " more AS (UPDATE marts.daily d SET revenue = revenue + 10"
        " FROM changed WHERE d.day = '{day}' AND d.store = changed.store)"
        " UPDATE marts.monthly m SET revenue = revenue + 10"
        " FROM changed WHERE m.month = '{month}' AND m.store = changed.store"
    ),
    "the month is off": "UPDATE marts.monthly SET receipts = 1 WHERE month = '{month}' AND store = 'store-1'",
}


@dataclass(frozen=True)
class Seen:
    """The tables; ``lock``: whether one is held."""

    sales: Table
    daily: Table
    monthly: Table
    lock: bool

    @property
    def rows(self) -> tuple[object, ...]:
        """To tell whether anything has changed."""
        return *(sorted(table.rows, key=repr) for table in (self.sales, self.daily, self.monthly)), self.lock


def look(lab: Lab) -> Seen:
    postgres = lab.use(Postgres)
    return Seen(
        postgres.query("SELECT day::text, store, receipt, amount FROM raw.sales", "raw.sales"),
        postgres.query("SELECT day::text, store, receipts, revenue FROM marts.daily", "marts.daily"),
        postgres.query("SELECT month, store, receipts, revenue FROM marts.monthly", "marts.monthly"),
        postgres.query("SELECT count(*) > 0 AS held FROM ops.lock").column("held") == [True],
    )


def go_through(lab: Lab, section: str, day: str) -> Completed:
    """Copy a section's commands into a shell, as whoever is on call does."""
    text = lab.submission.files.get("RUNBOOK.md", b"").decode("utf-8", errors="replace")
    return lab.run("bash", "-c", script_below(text, section), variables={"DAY": day}, stdin=YES)


@dataclass(frozen=True)
class Twice:
    """A section that was gone through twice."""

    first: Completed
    once: Seen
    again: Seen


def twice(lab: Lab, section: str, day: str) -> Twice:
    first = go_through(lab, section, day)
    once = look(lab)
    go_through(lab, section, day)
    lab.note(f"the section {section!r} was gone through twice")
    return Twice(first, once, look(lab))


@scenario
def by_hand(lab: Lab, world: World) -> Twice:
    furnish(world, lab, missed=world.missed)
    return twice(lab, "Manual run", world.missed)


@scenario
def backfilled(lab: Lab, world: World) -> Twice:
    furnish(world, lab)
    deliver(lab, world.again, world.corrected)
    return twice(lab, "Backfill", world.again)


@dataclass(frozen=True)
class Recovered:
    """A night that died, and what the recovery made of it."""

    died: str
    done: Completed
    seen: Seen


@scenario
def recovered(lab: Lab, world: World) -> list[Recovered]:
    postgres, found = lab.use(Postgres), []
    furnish(world, lab)
    postgres.count()
    must_end_well(lab.run("bash", "-c", NIGHT), "the night's run")
    statuses = postgres.stop_counting()
    for after in [*crash_points(statuses, CRASHES), len(statuses) // 3]:
        lab.fresh()
        furnish(world, lab)
        postgres.crash(after)
        lab.run("bash", "-c", NIGHT)
        postgres.stop_counting()
        done = go_through(lab, "Recovery", NEW)
        found.append(Recovered(f"after statement {after} of {len(statuses)}", done, look(lab)))
    lab.fresh()
    furnish(world, lab)
    lab.box.put("work", {f"landing/{NEW}/{STORES[0]}.csv": b"day,store,rec"})
    found.append(Recovered("while it copied the delivery", go_through(lab, "Recovery", NEW), look(lab)))
    lab.note(f"the night died {', '.join(one.died for one in found)}, and was recovered")
    return found


@scenario
def beside_a_run(lab: Lab, world: World) -> dict[str, tuple[Completed, Seen, Seen]]:
    """Sections while a run is at work, on the same day and on another."""
    found = {}
    for section, day, at_work in (("Manual run", NEW, NEW), ("Backfill", world.again, NEW)):
        lab.fresh()
        furnish(world, lab)
        sale = world.sales[at_work][0]
        lab.use(Postgres).execute(
            f"INSERT INTO ops.lock VALUES ('{at_work}', '2026-04-04 03:30+00')",
            f"INSERT INTO ops.days VALUES ('{at_work}', 'taken')",
            f"INSERT INTO raw.sales VALUES ('{sale.day}', '{sale.store}', {sale.receipt}, {sale.amount})",
            user="loader",
        )
        before = look(lab)
        found[section] = go_through(lab, section, day), before, look(lab)
    lab.note("a run was at work while a section was gone through")
    return found


@scenario
def doubted(lab: Lab, world: World) -> tuple[Completed, dict[str, Completed]]:
    """The section Check for a day that is right, and with each fault."""
    furnish(world, lab)
    day = DAYS[-2]
    right, saved, wrong = go_through(lab, "Check", day), lab.use(Postgres).save(), {}
    for name, statement in FAULTS.items():
        lab.use(Postgres).restore(saved)
        lab.use(Postgres).execute(statement.format(day=day, month=day[:7]), user="loader")
        wrong[name] = go_through(lab, "Check", day)
    lab.use(Postgres).restore(saved)
    wrong["the day isn't loaded"] = go_through(lab, "Check", NEW)
    lab.note("figures were falsified, and the section 'Check' was gone through")
    return right, wrong


def assert_right(seen: Seen, sales: Sales, closed: Iterable[str], day: str, when: str) -> None:
    """A day's rows and figures, and those of its month, which are of the days that are closed."""
    rows = [vars(sale) for sale in sales[day]]
    assert_same_rows([row for row in seen.sales if row["day"] == day], rows, SALE, why=f"{when}: raw.sales")
    found = [row for row in seen.daily if row["day"] == day]
    assert_same_rows(found, daily(sales, [day]), DAILY, why=f"{when}: marts.daily")
    expected = monthly(sales, [other for other in closed if other[:7] == day[:7]])
    found = [row for row in seen.monthly if row["month"] == day[:7]]
    assert_same_rows(found, expected, MONTHLY, why=f"{when}: marts.monthly")


def assert_others_untouched(seen: Seen, world: World, day: str, when: str) -> None:
    others = [other for other in DAYS[:-1] if other != day]
    rows = [vars(sale) for other in others for sale in world.sales[other]]
    assert_same_rows([row for row in seen.sales if row["day"] in others], rows, SALE, why=f"{when}: other days")
    found = [row for row in seen.daily if row["day"] in others]
    assert_same_rows(found, daily(world.sales, others), DAILY, why=f"{when}: figures of other days")
    expected = monthly(world.sales, [other for other in others if other[:7] != day[:7]])
    found = [row for row in seen.monthly if row["month"] != day[:7]]
    assert_same_rows(found, expected, MONTHLY, why=f"{when}: figures of the other month")


@check("correctness", clauses=["responsibilities/documentation-of-data-flows", "deliverable-format/runbook"])
def a_manual_run_loads_the_day(by_hand: Twice, world: World) -> None:
    must_end_well(by_hand.first, "Manual run")
    assert_right(by_hand.once, world.sales, DAYS[:-1], world.missed, "Manual run")
    assert not by_hand.once.lock, "Manual run: a lock is left behind"


@check("late_data", clauses=["constraints/plan-for-late-arriving-data", "deliverable-format/runbook"])
def a_backfill_brings_the_new_figures(backfilled: Twice, world: World) -> None:
    must_end_well(backfilled.first, "Backfill")
    assert_right(backfilled.once, world.with_correction(), DAYS[:-1], world.again, "Backfill")


@check("durability", clauses=["constraints/never-lose-data", "deliverable-format/runbook"])
def a_run_that_died_is_recovered(recovered: list[Recovered], world: World) -> None:
    for one in recovered:
        said = f"Recovery of a run that died {one.died}"
        must_end_well(one.done, said)
        assert_right(one.seen, world.sales, DAYS, NEW, said)
        assert not one.seen.lock, f"{said}: a lock is left behind"


@check("durability", clauses=["constraints/never-lose-data"])
def other_days_keep_their_rows(by_hand: Twice, backfilled: Twice, recovered: list[Recovered], world: World) -> None:
    must_end_well(by_hand.first, "Manual run")
    for name, seen, day in (
        ("Manual run", by_hand.again, world.missed),
        ("Backfill", backfilled.again, world.again),
        *(("Recovery", one.seen, NEW) for one in recovered),
    ):
        assert_others_untouched(seen, world, day, name)


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def a_section_done_again_does_no_harm(by_hand: Twice, backfilled: Twice, world: World) -> None:
    must_end_well(by_hand.first, "Manual run")
    assert by_hand.again.rows == by_hand.once.rows, "Manual run, gone through twice, changes rows"
    assert backfilled.again.rows == backfilled.once.rows, "Backfill, gone through twice, changes rows"


@check("durability", clauses=["constraints/never-lose-data"])
def a_run_at_work_is_left_alone(beside_a_run: dict[str, tuple[Completed, Seen, Seen]]) -> None:
    for section, (done, before, after) in beside_a_run.items():
        if done.ok:
            raise SubmissionFault(f"{section} goes through though a run is at work")
        assert after.rows == before.rows, f"{section} changes something though a run is at work"


@check("quality", clauses=["constraints/always-validate-data-quality"])
def the_check_tells_right_from_wrong(doubted: tuple[Completed, dict[str, Completed]]) -> None:
    right, wrong = doubted
    must_end_well(right, "Check, for a day that is right")
    unseen = [name for name, done in wrong.items() if done.ok]
    assert not unseen, f"Check ends with 0 although {', and although '.join(unseen)}"


# canary: 956379b1-c369-4051-b4f6-f77cfd4b90b1
