"""Loads batches: in order, damaged and mended, late, empty, some again, and one that is killed at each statement."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import AfterCrash, crash_everywhere, must_end_well
from graders.tables import assert_same_rows, canonical_rows, rows_with
from harness.engines.snowflake import Snowflake
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.submission import SubmissionError, SubmissionLimits
from harness.tables import Table

from .world import EMPTY, FIRST, LAST, LATE, MENDED, SECOND, SEVERAL, World, deliver

CUSTOMERS = {
    "customer_id": "text",
    "name": "text",
    "email": "text",
    "segment": "text",
    "credit_limit": "decimal(2)",
    "changed_at": "timestamp",
    "seq": "integer",
}
LOADED = {"batch": "integer", "changes": "integer"}
TABLES = {"customers": CUSTOMERS, "loaded_batches": LOADED}
IN_ORDER = (FIRST, SECOND, SEVERAL, MENDED, LAST)
ACCOUNT = SubmissionLimits(files=400, file_bytes=64_000_000, total_bytes=64_000_000)

OPERATION = Operation(
    command=f"python load_batch.py --batch {FIRST}",
    fills=("public.customers",),
    every=None,
    parameters={"batch": str(FIRST)},
    topics={
        "when a file is complete": "complet whole finish partial",
        "what orders changes": "seq order clock later",
        "deletions": "delet tombston truncat",
        "what a change carries": "whole row full image null",
        "runs": "overlap concurr parallel once",
    },
)


@dataclass(frozen=True)
class Refused:
    """How the run of a damaged file ended, and the tables after it."""

    done: Completed
    tables: Mapping[str, Table]


@dataclass(frozen=True)
class Week:
    """The tables after the first two batches, after those in order, after the late one, after all, after some again."""

    second: Mapping[str, Table]
    last: Mapping[str, Table]
    late: Mapping[str, Table]
    end: Mapping[str, Table]
    again: Mapping[str, Table]
    refused: Mapping[int, Refused]
    ended: Mapping[str, Completed]


def load(lab: Lab, batch: int) -> Completed:
    limit = lab.task.manifest.limits.run_time
    return lab.use(Snowflake).run("load_batch.py", "--batch", str(batch), timeout=limit)


def look(lab: Lab) -> dict[str, Table]:
    return {name: lab.use(Snowflake).table(name) for name in TABLES}


@scenario
def week(lab: Lab, world: World) -> Week:
    ended: dict[str, Completed] = {}
    refused: dict[int, Refused] = {}

    def run(batch: int) -> None:
        deliver(world, lab, batch)
        must_end_well(load(lab, batch), f"batch {batch}")

    def refuse(batch: int) -> None:
        deliver(world, lab, batch, damaged=True)
        refused[batch] = Refused(load(lab, batch), look(lab))

    run(FIRST)
    run(SECOND)
    second = look(lab)
    refuse(MENDED)
    deliver(world, lab, SEVERAL)
    ended[f"{SEVERAL}"] = load(lab, SEVERAL)
    run(MENDED)
    run(LAST)
    last = look(lab)
    run(LATE)
    late = look(lab)
    for batch in world.damaged:
        if batch != MENDED:
            refuse(batch)
    deliver(world, lab, EMPTY)
    ended[f"{EMPTY}"] = load(lab, EMPTY)
    end = look(lab)
    for batch in (SECOND, LAST):
        ended[f"{batch} again"] = load(lab, batch)
    lab.note(f"batch {LATE} was loaded after batch {LAST}; batches {SECOND} and {LAST} again after all others")
    return Week(second, last, late, end, look(lab), refused, ended)


Rows = dict[str, list[tuple[object, ...]]]


@scenario
def killed(lab: Lab, world: World) -> list[AfterCrash[Rows]]:
    """The second batch is killed on its way; what the tables hold, nothing where there is none."""
    deliver(world, lab, FIRST)
    must_end_well(load(lab, FIRST), f"batch {FIRST}")
    try:
        account = lab.box.collect("work", ACCOUNT)
    except SubmissionError as error:
        raise SubmissionFault(f"after batch {FIRST}, {error}") from None
    snowflake = lab.use(Snowflake)
    saved = snowflake.save()

    def prepare() -> None:
        lab.fresh()
        lab.box.put("work", account)
        snowflake.restore(saved)
        deliver(world, lab, SECOND)

    def observe() -> Rows:
        found: Rows = {}
        for name, types in TABLES.items():
            try:
                found[name] = canonical_rows(lab.use(Snowflake).table(name), types)
            except SubmissionFault:
                found[name] = []
        return found

    return crash_everywhere(lab, snowflake, prepare=prepare, act=lambda: load(lab, SECOND), observe=observe, most=11)


def assert_customers(
    tables: Mapping[str, Table], world: World, why: str, groups: Iterable[str], batches: Iterable[int]
) -> None:
    groups = tuple(groups)
    found = rows_with(tables["customers"], "customer_id", world.named(groups), CUSTOMERS)
    assert_same_rows(found, world.customers(groups, batches), CUSTOMERS, why=why)


def assert_gone(tables: Mapping[str, Table], world: World, why: str, *groups: str) -> None:
    assert len(tables["customers"]), "there is no customer at all"
    found = rows_with(tables["customers"], "customer_id", world.named(groups), CUSTOMERS)
    assert_same_rows(found, [], CUSTOMERS, why=why)


@check("correctness", clauses=["expertise-areas/snowflake", "responsibilities/data-integration-across-sources"])
def every_customer_stands_as_last_changed(week: Week, world: World) -> None:
    assert_customers(week.second, world, f"batches {FIRST} and {SECOND} are in", ["plain"], [FIRST, SECOND])
    assert_customers(week.last, world, "four batches are in", ["plain", "fresh"], IN_ORDER)


@check("correctness", clauses=["expertise-areas/snowflake"])
def of_several_changes_in_a_batch_the_last_counts(week: Week, world: World) -> None:
    must_end_well(week.ended[f"{SEVERAL}"], f"batch {SEVERAL}, with several changes of a customer")
    assert_customers(week.last, world, "customers with several changes in a batch", ["several"], IN_ORDER)


@check("correctness", clauses=["responsibilities/data-integration-across-sources"])
def deleted_customers_are_gone(week: Week, world: World) -> None:
    assert_gone(week.second, world, f"batch {SECOND} has deleted them", "deleted")


@check("correctness", clauses=["responsibilities/data-integration-across-sources"])
def a_customer_who_comes_back_is_there(week: Week, world: World) -> None:
    assert_customers(week.last, world, "deleted, and created again", ["returned"], IN_ORDER)


@check("correctness", clauses=["responsibilities/data-integration-across-sources"])
def whether_it_is_new_is_not_taken_from_op(week: Week, world: World) -> None:
    why = "an update that says insert, and an update of a customer not heard of before"
    assert_customers(week.second, world, why, ["relabelled"], [FIRST, SECOND])


@check("quality", clauses=["constraints/always-validate-data-quality"])
def a_null_replaces_a_value(week: Week, world: World) -> None:
    assert_customers(week.second, world, "a value that the customer has lost", ["nulled"], [FIRST, SECOND])


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def a_late_batch_brings_what_is_missing(week: Week, world: World) -> None:
    why = f"batch {LATE} came after batch {LAST}"
    assert_customers(week.late, world, why, ["missed"], [*IN_ORDER, LATE])


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def a_late_batch_replaces_nothing_newer(week: Week, world: World) -> None:
    why = f"batch {LATE} came after batch {LAST}, which is newer"
    assert_customers(week.late, world, why, ["overtaken"], [*IN_ORDER, LATE])


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def a_late_batch_brings_no_deleted_customer_back(week: Week, world: World) -> None:
    assert_gone(week.late, world, f"batch {LAST} has deleted them, the older batch {LATE} came after it", "buried")


@check("late_data", clauses=["constraints/plan-for-late-arriving-data", "constraints/never-lose-data"])
def a_deletion_that_comes_before_its_customer_counts(week: Week, world: World) -> None:
    why = f"batch {LAST} has deleted customers that only the older batch {LATE}, which came later, has created"
    assert_gone(week.late, world, why, "unborn")


@check("quality", clauses=["constraints/always-validate-data-quality", "constraints/never-lose-data"])
def a_damaged_batch_is_refused_as_a_whole(week: Week, world: World) -> None:
    before = {MENDED: week.second}
    for batch, (_, line) in world.damaged.items():
        refused = week.refused[batch]
        assert not refused.done.ok, f"line {line} of batch {batch} is damaged, but its run ended well"
        said = f"{refused.done.stdout}\n{refused.done.stderr}"
        assert re.search(rf"\b{line}\b", said), (
            f"batch {batch} was refused without naming line {line}: {refused.done.explain()}"
        )
        for name, types in TABLES.items():
            why = f"line {line} of batch {batch} is damaged"
            assert_same_rows(refused.tables[name], before.get(batch, week.late)[name], types, why=why)


@check("durability", clauses=["constraints/never-lose-data"])
def a_mended_batch_is_loaded(week: Week, world: World) -> None:
    why = f"batch {MENDED} was refused, and has come again without damage"
    changed = {change.customer for change in world.batches[MENDED] if change.op != "delete"}
    expected = [row for row in world.customers(world.groups, IN_ORDER) if row["customer_id"] in changed]
    assert expected, "the mended batch has changed nothing"
    assert_same_rows(rows_with(week.last["customers"], "customer_id", changed, CUSTOMERS), expected, CUSTOMERS, why=why)


@check("quality", clauses=["constraints/always-validate-data-quality"])
def every_batch_is_noted_with_its_changes(week: Week, world: World) -> None:
    must_end_well(week.ended[f"{EMPTY}"], f"batch {EMPTY}, which is empty")
    expected = [{"batch": batch, "changes": len(world.batches[batch])} for batch in (*IN_ORDER, LATE, EMPTY)]
    assert_same_rows(week.end["loaded_batches"], expected, LOADED, why="all batches are in")


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def loading_a_batch_again_changes_nothing(week: Week) -> None:
    for batch in (SECOND, LAST):
        must_end_well(week.ended[f"{batch} again"], f"batch {batch}, again")
    assert len(week.end["customers"]), "there is no customer at all"
    for name, types in TABLES.items():
        why = f"batches {SECOND} and {LAST} were loaded again after all others"
        assert_same_rows(week.again[name], week.end[name], types, why=why)


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def an_unknown_field_is_left_alone(week: Week, world: World) -> None:
    assert_customers(week.last, world, f"the changes of batch {LAST} have a new field", ["fresh"], IN_ORDER)


@check("durability", clauses=["constraints/never-lose-data", "constraints/always-implement-idempotent-pipelines"])
def a_killed_batch_is_in_as_a_whole_or_not_at_all(killed: list[AfterCrash[Rows]]) -> None:
    # The first was killed before its first statement: nothing of the batch was in, and the run after it undisturbed.
    before, whole = killed[0].between, killed[0].seen
    assert before["customers"], f"no customer arrives with batch {FIRST}"
    assert before["customers"] != whole["customers"], f"batch {SECOND} changes no customer"
    for point in killed:
        said = f"killed after statement {point.after} of {point.of}"
        for name, types in TABLES.items():
            rows, expected = (
                [dict(zip(types, row, strict=True)) for row in found[name]] for found in (point.seen, whole)
            )
            assert_same_rows(rows, expected, types, why=f"{name}: {said}, then run again")
        stands = [
            all(sorted(point.between[name], key=repr) == sorted(state[name], key=repr) for name in TABLES)
            for state in (before, whole)
        ]
        sizes = {name: len(rows) for name, rows in point.between.items()}
        assert any(stands), (
            f"{said}, the tables stand neither as before batch {SECOND} nor as after it, in rows: {sizes}"
        )


# canary: 95260fd4-e354-472a-acf6-d44a79896d28
