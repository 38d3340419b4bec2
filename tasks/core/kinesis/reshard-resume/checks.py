"""Reads a stream across a split, and a merge during a run; is refused records, answered with none, and killed."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import AfterCrash, crash_everywhere, must_end_well
from graders.streams import Message, as_messages, assert_same_sequences, without_repeats
from graders.tables import assert_same_rows, canonical_rows, rows_with
from harness.engines.aws import HASH_KEYS, Aws, StreamRecord, merging, putting
from harness.engines.postgres import Postgres
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import FEW, PORTIONS, RARE, RIGHT, SECOND, SOURCE, TARGET, World, event_in, open_streams, put, split

CHANGE = {
    "event_id": "text",
    "order_id": "text",
    "change": "integer",
    "previous_status": "text",
    "status": "text",
}
STATE = {"order_id": "text", "status": "text", "changes": "integer"}
RUN_TIME = 45.0  # seconds
TABLES = ("order_changes", "order_status", "rejected_records")
OPERATION = Operation(
    command="python consume.py",
    fills=("public.order_status",),
    every=datetime.timedelta(minutes=5),
    reasons="public.rejected_records.reason",
    topics={
        "the order of events": "order sequence partition key",
        "events that come again": "again repeat duplic resen retry event_id",
        "clocks": "clock till_time time",
        "what is no event": "json field reject malform",
        "how long records are kept": "retention kept hours",
        "shards": "shard split merge",
        "runs": "overlap parallel once concurr",
    },
)


@dataclass(frozen=True)
class Seen:
    """How a run ended, the tables afterwards (those that can be read), what was told of each order, what it read."""

    ended: Completed
    tables: dict[str, Table]
    told: dict[str, list[Message]]
    source: list[StreamRecord]

    def table(self, name: str) -> Table:
        must_end_well(self.ended, "the run")
        if name not in self.tables:
            raise SubmissionFault(f"there is no table public.{name} that can be read")
        return self.tables[name]

    def messages(self) -> dict[str, list[Message]]:
        must_end_well(self.ended, "the run")
        return self.told


def consume(lab: Lab) -> Completed:
    done = lab.run("python", "consume.py", timeout=RUN_TIME)
    if done.timed_out:
        raise SubmissionFault(f"a run hasn't ended after {RUN_TIME} s, with a few hundred records: {done.explain()}")
    return done


def look(lab: Lab, ended: Completed) -> Seen:
    tables = {}
    for name in TABLES:
        try:
            tables[name] = lab.use(Postgres).table(name)
        except SubmissionFault:
            continue
    records = [(record.key, record.data) for record in lab.use(Aws).records(TARGET)]
    return Seen(ended, tables, as_messages(records, TARGET), lab.use(Aws).records(SOURCE))


@scenario
def resharded(lab: Lab, world: World) -> list[Seen]:
    """Runs over the first portion; over a shard that was split; during a merge, and once more; and without news."""
    open_streams(lab)
    put(world, lab, "first")
    seen = [look(lab, consume(lab))]
    put(world, lab, "before the split")
    split(lab)
    put(world, lab, "behind the split")
    seen.append(look(lab, consume(lab)))
    put(world, lab, "before the merge")
    news = [merging(SOURCE, RIGHT, SECOND), *putting(SOURCE, world.puts(["behind the merge"]))]
    lab.use(Aws).plan(after_reads=1, then=news)
    during = consume(lab)
    lab.use(Aws).plan()
    lab.note("a shard was split between two runs, and two were merged once the next run had read from one")
    behind = consume(lab)
    seen.append(look(lab, behind if during.ok else during))
    seen.append(look(lab, consume(lab)))
    lab.note("the consumer was run again when there was nothing new")
    return seen


@scenario
def refused(lab: Lab, world: World) -> Seen:
    open_streams(lab)
    put(world, lab, "first", "before the split")
    lab.use(Aws).plan(partly_refused=3)
    lab.note("three times, every other record of a PutRecords was refused")
    return look(lab, consume(lab))


@scenario
def empty_answers(lab: Lab, world: World) -> Seen:
    open_streams(lab)
    put(world, lab, "first")
    lab.use(Aws).plan(empty_reads=3)
    lab.note("three GetRecords were answered without records")
    return look(lab, consume(lab))


@scenario
def rare(lab: Lab, world: World) -> Seen:
    open_streams(lab, shards=1)
    put(world, lab, RARE)
    lab.note("among the records were some that only a lax parser takes, or that hold what PostgreSQL can't keep")
    return look(lab, consume(lab))


@scenario
def killed(lab: Lab, world: World) -> list[AfterCrash[Seen]]:
    """A first run over a shard that was split, killed on its way, and run again."""
    nothing = Completed(0)

    def prepare() -> None:
        lab.fresh()
        open_streams(lab, shards=1)
        put(world, lab, FEW[0])
        # All goes on in one of the children: few commits, so each can be the last.
        split(lab, HASH_KEYS - 2)
        put(world, lab, FEW[1])

    return crash_everywhere(
        lab, lab.use(Postgres), prepare=prepare, act=lambda: consume(lab), observe=lambda: look(lab, nothing), most=12
    )


def assert_changes(seen: Seen, world: World, portions: Iterable[str], why: str) -> None:
    assert_same_rows(seen.table("order_changes"), world.changes(portions), CHANGE, why=why)


def assert_told(seen: Seen, world: World, portions: Iterable[str], why: str) -> None:
    assert_same_sequences(seen.messages(), world.messages(portions), list(CHANGE), why=f"{TARGET}: {why}")


@check("correctness", clauses=["expertise-areas/aws-kinesis", "responsibilities/batch-and-stream-processing"])
def each_event_is_a_change_of_its_order(resharded: list[Seen], world: World) -> None:
    assert_changes(resharded[0], world, PORTIONS[:1], "after the first run")


@check("correctness", clauses=["expertise-areas/aws-kinesis"])
def a_shards_children_are_read_after_it(resharded: list[Seen], world: World) -> None:
    why = "a shard had unread records when it was split, and so had its children"
    assert_changes(resharded[1], world, PORTIONS[:3], why)


@check("durability", clauses=["constraints/never-lose-data"])
def shards_that_merge_during_a_run_are_read_on(resharded: list[Seen], world: World) -> None:
    why = "two shards were merged during a run, and another run followed"
    assert_changes(resharded[2], world, PORTIONS, why)


@check("correctness", clauses=["responsibilities/batch-and-stream-processing"])
def an_order_has_its_latest_status(resharded: list[Seen], world: World) -> None:
    assert_same_rows(resharded[2].table("order_status"), world.states(), STATE, why="after all events")


@check("correctness", clauses=["expertise-areas/aws-kinesis"])
def each_change_is_told_once_and_in_order(resharded: list[Seen], world: World) -> None:
    assert_told(resharded[0], world, PORTIONS[:1], "after the first run")


@check("durability", clauses=["constraints/never-lose-data", "constraints/always-implement-idempotent-pipelines"])
def refused_records_are_put_again_and_only_they(refused: Seen, world: World) -> None:
    assert_told(refused, world, PORTIONS[:2], "every other record of three PutRecords was refused")


@check("durability", clauses=["constraints/never-lose-data"])
def an_empty_answer_is_not_the_end(empty_answers: Seen, world: World) -> None:
    assert_changes(empty_answers, world, PORTIONS[:1], "three GetRecords were answered without records")


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def a_run_without_news_changes_nothing(resharded: list[Seen]) -> None:
    before, after = resharded[2:]
    assert before.tables, "no table can be read"
    for name, table in before.tables.items():
        types = {"order_changes": CHANGE, "order_status": STATE, "rejected_records": {"sequence_number": "text"}}[name]
        assert_same_rows(after.table(name), table, types, why="run again when there was nothing new")
    assert before.messages(), f"nothing is in {TARGET}"
    assert_same_sequences(after.messages(), before.messages(), list(CHANGE), why=f"{TARGET}: run again without news")


@check("durability", clauses=["constraints/never-lose-data", "constraints/always-implement-idempotent-pipelines"])
def a_killed_run_is_taken_up_where_it_was(killed: list[AfterCrash[Seen]], world: World) -> None:
    for point in killed:
        why = f"killed after statement {point.after} of {point.of}, then run again"
        assert_changes(point.seen, world, FEW, why)
        assert_same_rows(point.seen.table("order_status"), world.states(FEW), STATE, why=why)
        assert_rejected(point.seen, why)


@check("durability", clauses=["constraints/never-lose-data"])
def a_killed_run_leaves_no_change_untold(killed: list[AfterCrash[Seen]], world: World) -> None:
    for point in killed:
        told = {order: without_repeats(messages, "event_id") for order, messages in point.seen.messages().items()}
        why = f"{TARGET}: killed after statement {point.after} of {point.of}, then run again; repeats are left out"
        assert_same_sequences(told, world.messages(FEW), list(CHANGE), why=why)


@check("quality", clauses=["constraints/always-validate-data-quality", "constraints/never-lose-data"])
def records_that_are_no_event_are_kept_with_a_reason(resharded: list[Seen], world: World) -> None:
    assert_rejected(resharded[2], "after all events")


@check("durability", clauses=["constraints/never-lose-data"])
def rare_records_hold_nothing_up(rare: Seen, world: World) -> None:
    wanted = world.changes([RARE])
    events = {change["event_id"] for change in wanted}
    # Whether a rare record was taken for one more event is the next check's.
    found = rows_with(rare.table("order_changes"), "event_id", events, CHANGE)
    assert_same_rows(found, wanted, CHANGE, why="with rare records among them")


@check("quality", clauses=["constraints/always-validate-data-quality", "constraints/never-lose-data"])
def rare_records_that_are_no_event_are_put_aside(rare: Seen) -> None:
    assert_rejected(rare, "the rare records")


def assert_rejected(seen: Seen, why: str) -> None:
    """Each record of the stream that is no event: once, as it came, with where it stands and a reason."""
    table = seen.table("rejected_records")
    texts = canonical_rows(table, {"shard_id": "text", "sequence_number": "text", "reason": "text"})
    data = table.column("data")
    assert all(isinstance(value, bytes) for value in data), f"{why}: rejected_records.data isn't all bytea"
    found = sorted((shard or "", number or "", value) for (shard, number, _), value in zip(texts, data, strict=True))
    wanted = sorted(
        (record.shard, str(record.number), record.data) for record in seen.source if event_in(record.data) is None
    )
    assert wanted, "no record is expected to be rejected"
    odd = [row for row in found if row not in wanted]
    assert not odd, f"{why}: rejected_records holds what is no such record of the stream, e.g. {odd[0]}"
    missing = [row for row in wanted if row not in found]
    assert not missing, (
        f"{why}: {len(missing)} records that are no events are not in rejected_records, e.g. {missing[0]}"
    )
    assert len(found) == len(wanted), f"{why}: a rejected record stands there twice"
    assert all((reason or "").strip() for *_, reason in texts), f"{why}: a rejected record has no reason"


# canary: 42a51bfb-e060-4bbc-90d9-0745c3819970
