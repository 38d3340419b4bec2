"""Moves the table while two apps write, between the steps and during them; repeats and kills steps, and goes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from graders.apps import written_by_an_app
from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import AfterCrash, crash_everywhere, must_end_well
from graders.tables import assert_same_rows
from graders.transactions import horizon, largest_transaction, rows_read
from harness.engines.postgres import Postgres
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import NEW, OLD, PHASES, STEPS, WRITERS, Order, Orders, World, Write, applied, furnish

MOST_ORDERS = 1000  # a transaction
FEW_ROWS = 100  # a step that takes locks may read
CRASHES = 3
OPERATION = Operation(
    command="psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 -f 1_prepare.sql",
    fills=(NEW, OLD),
    every=None,
    topics={
        "the clock's hours": "clock hour vienna zone summer dst daylight",
        "writes past the triggers": "trigger truncat bypass replica",
        "the limits of the old columns": "length limit character varchar longer fit",
        "statuses": "status letter",
        "transactions that are open": "transact concurr open lock",
        "ids": "sequence order_id serial",
    },
)
OLD_TYPES = {
    "ref": "text",
    "customer": "text",
    "amount": "decimal(2)",
    "placed": "timestamp",
    "status": "text",
    "note": "text",
}
NEW_TYPES = {
    "ref": "text",
    "customer": "text",
    "amount_cents": "integer",
    "placed_at": "timestamp",
    "status": "text",
    "note": "text",
}
COMPARED = {
    OLD: "order_id, ref, customer, amount::numeric(10, 2), placed::timestamp, status, note",
    NEW: "order_id, ref, customer, amount_cents, placed_at, status, note",
}
ID = {"order_id": "integer", "ref": "text"}
SHAPE = """
    WITH own AS (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$')
    SELECT concat_ws(' ', 'column', column_name, data_type, character_maximum_length, is_nullable) AS p
    FROM information_schema.columns WHERE table_schema = 'legacy' AND table_name = 'orders'
    UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgrelid = 'legacy.orders'::regclass AND NOT tgisinternal
    UNION ALL SELECT 'constraint ' || contype::text || ' ' || conkey::text FROM pg_constraint
        WHERE conrelid = 'legacy.orders'::regclass
    UNION ALL SELECT concat('relation ', relkind, ' ', oid::regclass) FROM pg_class
        WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND relnamespace IN (TABLE own)
    UNION ALL SELECT concat('function ', oid::regprocedure) FROM pg_proc WHERE pronamespace IN (TABLE own)
"""


@dataclass(frozen=True)
class Tables:
    """What the readers of both tables see; ``new`` is None while there is no such table."""

    old: Table
    new: Table | None


@dataclass(frozen=True)
class Phase:
    """A step and what was seen once the apps had written after it.

    ``taken``: whether an order was added with the ``ref`` of another one, by the table it was added through.
    ``largest``: the most orders that one of the step's transactions wrote to the new table; ``read``: how many rows of
    all tables the step read.
    """

    step: Completed | None
    writes: tuple[tuple[Write, bool], ...]
    taken: Mapping[str, bool]
    said: str
    tables: Tables
    largest: int
    read: int


def look(lab: Lab) -> Tables:
    old, new = lab.use(Postgres).table(OLD), None
    with suppress(SubmissionFault):
        new = lab.use(Postgres).table(NEW)
    return Tables(old, new)


def contents(lab: Lab) -> tuple[str, str]:
    """A checksum of either table, over what its readers know."""
    sums = {
        table: f"(SELECT md5(string_agg(ROW({columns})::text, '|' ORDER BY ref)) FROM {table})"
        for table, columns in COMPARED.items()
    }
    with suppress(SubmissionFault):
        ((old, new),) = lab.use(Postgres).query(f"SELECT {sums[OLD]} AS old, {sums[NEW]} AS new").rows
        return str(old), str(new)
    ((old,),) = lab.use(Postgres).query(f"SELECT {sums[OLD]} AS old", OLD).rows
    return str(old), "no table"


def run(lab: Lab, step: str) -> Completed:
    return lab.use(Postgres).script(f"{step}.sql")


def go(lab: Lab, writes: Sequence[Write], step: str | None, writers: Sequence[str]) -> Phase:
    """Run a step if there is one, let the apps write, then look."""
    postgres = lab.use(Postgres)
    before, before_read = horizon(postgres), rows_read(postgres)
    done = run(lab, step) if step else None
    read = sum(rows_read(postgres, before_read).values())
    largest = largest_transaction(postgres, NEW, before) if done and done.ok and step in STEPS else 0
    held = writes[0].order
    twins = [Write(table, "add", held) for table in writers]
    succeeded, said = written_by_an_app(lab, [write.sql() for write in (*writes, *twins)])
    return Phase(
        done,
        tuple(zip(writes, succeeded, strict=False)),
        dict(zip(writers, succeeded[len(writes) :], strict=True)),
        said,
        look(lab),
        largest,
        read,
    )


@dataclass(frozen=True)
class Move:
    """The phases in order, and the database before each step and at the end."""

    phases: dict[str, Phase]
    saved: dict[str, str]


@scenario
def move(lab: Lab, world: World) -> Move:
    furnish(world, lab)
    phases, saved = {"before": go(lab, world.writes["before"], None, WRITERS["before"])}, {}
    for step, phase in STEPS.items():
        saved[step] = lab.use(Postgres).save()
        phases[phase] = go(lab, world.writes[phase], step, WRITERS[phase])
        if not phases[phase].step.ok:  # type: ignore[union-attr]
            break
    saved["end"] = lab.use(Postgres).save()
    lab.note("the apps wrote after every step")
    return Move(phases, saved)


@scenario
def under_way(lab: Lab, world: World, move: Move) -> dict[str, tuple[Completed, Tables]]:
    """The copy and the switch, each with a transaction of the old app that is open meanwhile."""
    found = {}
    for step, writes in world.open.items():
        if step in move.saved:
            lab.use(Postgres).restore(move.saved[step])
            with lab.use(Postgres).open_transaction(*(write.sql() for write in writes)):
                done = run(lab, step)
            found[step] = done, look(lab)
    lab.note("a transaction of the old app was open during the copy and the switch")
    return found


@scenario
def going_on(lab: Lab, world: World, move: Move) -> tuple[Completed, Tables]:
    """The copy, and a transaction of the old app that writes more orders once the copy has come upon its first one."""
    assert "2_copy" in move.saved, "it ended before the copy"
    lab.use(Postgres).restore(move.saved["2_copy"])
    first, *others = (write.sql() for write in world.going_on)
    with lab.use(Postgres).open_transaction(first, then=others):
        done = run(lab, "2_copy")
    lab.note("a transaction of the old app wrote more orders while the copy waited for it")
    return done, look(lab)


@dataclass(frozen=True)
class Back:
    """After a rollback: the old app's writes, what there was and is; and once the steps have been done ``again``."""

    phase: Phase
    shapes: tuple[list[str], list[str]]
    again: list[Completed]
    at_last: Tables | None


@scenario
def back(lab: Lab, world: World, move: Move) -> dict[str, Back]:
    """The rollback from the switch and from the copy, the old app writing after it; then the whole way again."""
    furnish(world, lab)
    origin = shape(lab)
    found = {}
    for phase, state in (("switched", "end"), ("copied", "3_switch")):
        lab.use(Postgres).restore(move.saved.get(state, move.saved["end"]))
        done = go(lab, world.back, "rollback", (OLD,))
        shapes = origin, shape(lab)
        again = [run(lab, step) for step in STEPS] if phase == "switched" else []
        found[phase] = Back(done, shapes, again, look(lab) if again else None)
    lab.note("rolled back after the copy and after the switch; done once more after that")
    return found


def shape(lab: Lab) -> list[str]:
    return sorted(str(part) for part in lab.use(Postgres).query(SHAPE).column("p"))


@scenario
def repeated(lab: Lab, world: World) -> list[tuple[str, Completed, bool]]:
    """Every file twice: how it ended the second time, and whether it changed anything."""
    furnish(world, lab)
    found = []
    for step in (*STEPS, "rollback"):
        must_end_well(run(lab, step), f"{step}.sql")
        before = contents(lab)
        found.append((step, run(lab, step), contents(lab) == before))
    lab.note("every file was run twice")
    return found


@scenario
def killed(lab: Lab, move: Move) -> dict[str, list[AfterCrash[tuple[str, str]]]]:
    """Each file killed on its way, and run again."""
    postgres, states = lab.use(Postgres), {**{step: step for step in STEPS}, "rollback": "end"}
    return {
        step: crash_everywhere(
            lab,
            postgres,
            prepare=lambda state=state: postgres.restore(move.saved[state]),  # type: ignore[misc]
            act=lambda step=step: run(lab, step),  # type: ignore[misc]
            observe=lambda: contents(lab),
            most=CRASHES,
        )
        for step, state in states.items()
        if state in move.saved
    }


def phase_of(move: Move, name: str) -> Phase:
    """A phase that was reached, and whose step ended well."""
    assert name in move.phases, f"it ended before orders were {name}"
    phase = move.phases[name]
    if phase.step is not None:
        must_end_well(phase.step, f"the step after which orders are {name}")
    return phase


def assert_written(phase: Phase, table: str, when: str) -> None:
    failed = [made for made, succeeded in phase.writes if made.table == table and not succeeded]
    app = "old" if table == OLD else "new"
    assert not failed, f"{when}: the {app} app fails with {failed[0].sql()}: {phase.said[:500]}"


def assert_reads(tables: Tables, table: str, orders: Orders, when: str, only: Iterable[str] | None = None) -> None:
    """A reader of the table sees these orders; ``only`` those with these refs are looked at."""
    found = tables.old if table == OLD else tables.new
    assert found is not None, f"{when}: there is no {table}"
    refs = None if only is None else set(only)
    wanted = [order for ref, order in orders.items() if refs is None or ref in refs]
    rows = [row for row in found if refs is None or row["ref"] in refs]
    assert orders, "no order is expected"
    make = Order.old_row if table == OLD else Order.new_row
    types = OLD_TYPES if table == OLD else NEW_TYPES
    assert_same_rows(rows, [make(order) for order in wanted], types, why=f"{when}: {table}")


def assert_one_id(tables: Tables, when: str) -> None:
    """An order has the same id in both tables."""
    assert tables.new is not None, f"{when}: there is no {NEW}"
    assert_same_rows(tables.new, tables.old, ID, why=f"{when}: ids in {NEW} against those in {OLD}")


def last_written(world: World, phase: str, table: str) -> set[str]:
    """The refs whose last write in a phase is through the table."""
    last = {write.order.ref: write.table for write in world.writes[phase]}
    return {ref for ref, by in last.items() if by == table}


@check("correctness", clauses=["collaboration-protocol/plan-data-migrations"])
def the_old_app_notices_nothing(move: Move, world: World) -> None:
    phase_of(move, "prepared")
    for name in PHASES[1:]:
        phase = phase_of(move, name)
        assert_written(phase, OLD, name)
        assert_reads(phase.tables, OLD, world.after(name), name, last_written(world, name, OLD))


@check("correctness", clauses=["collaboration-protocol/coordinate-schema-changes"])
def the_new_app_works_once_it_is_switched(move: Move, world: World) -> None:
    phase = phase_of(move, "switched")
    assert_written(phase, NEW, "switched")
    assert_reads(phase.tables, NEW, world.after("switched"), "switched", last_written(world, "switched", NEW))


@check("durability", clauses=["constraints/never-lose-data", "collaboration-protocol/plan-data-migrations"])
def what_the_old_app_writes_meanwhile_is_in_the_new_table(move: Move, world: World) -> None:
    written = last_written(world, "prepared", OLD) | last_written(world, "copied", OLD)
    phase = phase_of(move, "copied")
    assert_reads(phase.tables, NEW, world.after("copied"), "copied", written)
    assert_one_id(phase.tables, "copied")


@check("correctness", clauses=["collaboration-protocol/coordinate-schema-changes"])
def each_app_reads_what_the_other_writes(move: Move, world: World) -> None:
    phase = phase_of(move, "switched")
    for reader, writer in ((OLD, NEW), (NEW, OLD)):
        assert_reads(phase.tables, reader, world.after("switched"), "switched", last_written(world, "switched", writer))
    assert_one_id(phase.tables, "switched")


@check("quality", clauses=["constraints/always-validate-data-quality"])
def every_value_is_carried_over(move: Move, world: World) -> None:
    untouched = set(world.orders) - world.touched()
    for name in ("copied", "switched"):
        for table in (NEW, OLD):
            assert_reads(phase_of(move, name).tables, table, world.after(name), name, untouched)


@check("quality", clauses=["constraints/always-validate-data-quality"])
def there_is_one_order_for_a_ref(move: Move) -> None:
    for name in ("copied", "switched"):
        taken = [table for table, succeeded in phase_of(move, name).taken.items() if succeeded]
        assert not taken, f"{name}: an order could be added to {taken[0]} with the ref of another one"


@check("durability", clauses=["constraints/never-lose-data", "constraints/test-with-production-like-volumes"])
def what_is_under_way_during_a_step_is_not_lost(
    move: Move, under_way: dict[str, tuple[Completed, Tables]], world: World
) -> None:
    for step, before in (("2_copy", "prepared"), ("3_switch", "copied")):
        phase_of(move, before)
        done, tables = under_way[step]
        said = f"a transaction was open while {step}.sql ran"
        must_end_well(done, said)
        written = {write.order.ref for write in world.open[step]}
        for table in (OLD, NEW):
            assert_reads(tables, table, applied(world.after(before), world.open[step]), said, written)


@check("durability", clauses=["collaboration-protocol/plan-data-migrations"])
def the_copy_and_an_open_transaction_let_each_other_go_on(
    move: Move, going_on: tuple[Completed, Tables], world: World
) -> None:
    phase_of(move, "prepared")
    done, tables = going_on
    said = "a transaction of the old app went on while 2_copy.sql ran"
    must_end_well(done, said)
    written = {write.order.ref for write in world.going_on}
    for table in (OLD, NEW):
        assert_reads(tables, table, applied(world.after("prepared"), world.going_on), said, written)


@check("durability", clauses=["constraints/never-lose-data", "collaboration-protocol/plan-data-migrations"])
def the_rollback_keeps_what_was_written_since(move: Move, back: dict[str, Back], world: World) -> None:
    for name, found in back.items():
        phase_of(move, name)
        said = f"rolled back after orders were {name}"
        assert found.phase.step
        must_end_well(found.phase.step, said)
        assert_written(found.phase, OLD, said)
        assert_reads(found.phase.tables, OLD, applied(world.after(name), world.back), said)
        assert found.phase.tables.new is None, f"{said}: {NEW} is still there"
        origin, now = found.shapes
        assert now == origin, f"{said}: {OLD} is otherwise than before: {sorted(set(now) ^ set(origin))}"


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def after_a_rollback_it_can_be_done_again(move: Move, back: dict[str, Back], world: World) -> None:
    phase_of(move, "switched")
    found = back["switched"]
    for step, done in zip(STEPS, found.again, strict=True):
        must_end_well(done, f"{step}.sql, again after the rollback")
    assert found.at_last
    old = {row["ref"] for row in found.at_last.old}
    new = {row["ref"] for row in found.at_last.new or ()}
    assert old and old == new, f"done again after the rollback, {len(old)} orders are in {OLD}, {len(new)} in {NEW}"


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def a_file_can_be_run_again(repeated: list[tuple[str, Completed, bool]]) -> None:
    for step, done, is_same in repeated:
        must_end_well(done, f"{step}.sql, a second time")
        assert is_same, f"{step}.sql, run twice, changes orders"


@check("durability", clauses=["constraints/never-lose-data", "constraints/always-implement-idempotent-pipelines"])
def a_killed_file_is_completed_by_the_next_run(killed: dict[str, list[AfterCrash[tuple[str, str]]]]) -> None:
    assert set(killed) == {*STEPS, "rollback"}, "not every step was reached"
    for step, points in killed.items():
        for point in points:
            said = f"{step}.sql, killed after statement {point.after} of {point.of}"
            assert point.between[0] == points[0].seen[0], f"{said}: readers of {OLD} see other orders"
            assert point.seen == points[0].seen, f"{said} and run again: the orders differ"


@check("scale", clauses=["constraints/test-with-production-like-volumes", "collaboration-protocol/plan-scalability"])
def the_copy_goes_in_small_transactions(move: Move) -> None:
    phase = phase_of(move, "copied")
    assert phase.largest <= MOST_ORDERS, f"2_copy.sql: a transaction wrote {phase.largest} orders"


@check("scale", clauses=["constraints/test-with-production-like-volumes", "collaboration-protocol/plan-scalability"])
def preparing_and_switching_move_no_orders(move: Move) -> None:
    for step, name in STEPS.items():
        if name != "copied":
            phase = phase_of(move, name)
            assert not phase.largest, f"{step}.sql: a transaction wrote {phase.largest} orders to {NEW}"
            assert phase.read < FEW_ROWS, f"{step}.sql goes through the orders: it read {phase.read} rows"


# canary: 463ac6cf-610c-48f3-bbad-76dc23783cb6
