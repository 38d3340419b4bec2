"""Runs the job over three arrivals: with an old object gone, without news, and refused the right to write once."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import must_end_well
from graders.tables import assert_same_rows, rows_with
from harness.engines.glue import Glue
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.tables import Table

from .world import ARRIVALS, CURATED, DATABASE, RAW, TABLE, World, arrive, open_buckets

LINE = {
    "line_id": "text",
    "order_id": "text",
    "order_date": "date",
    "sku": "text",
    "amount": "decimal(2)",
    "channel": "text",
}
# Before a line has one, the channel may not be there at all.
WITHOUT_CHANNEL = {name: kind for name, kind in LINE.items() if name != "channel"}
COLUMNS = {"line_id": "string", "order_id": "string", "sku": "string", "amount": "decimal(12,2)", "channel": "string"}
KEPT = ("line_id", "order_id", "order_date", "amount")
SCRIPT, JOB = "curate_orders.py", "curate-orders"
OPERATION = Operation(
    command=f"spark-submit {SCRIPT} --JOB_NAME {JOB} --job-bookmark-option job-bookmark-enable",
    fills=(f"{DATABASE}.{TABLE}",),
    every=datetime.timedelta(hours=1),
    topics={
        "objects": "object immutable never change rewrit complete twice",
        "late arrivals": "late offline old folder",
        "types of amounts": "amount type number text decimal",
        "columns": "column field channel schema",
        "lines that come again": "duplic once twice line_id unique",
        "the archive": "archive gone week",
        "runs": "overlap concurr parallel once",
    },
)


@dataclass(frozen=True)
class Seen:
    """How a run ended and what it read, and what is there afterwards; what can't be read is named with the reason."""

    ended: Completed
    fetched: list[str]
    objects: dict[str, bytes]
    rejected: list[dict[str, object]]
    tables: dict[str, Table]
    columns: dict[str, str] = field(default_factory=dict)
    problems: dict[str, SubmissionFault] = field(default_factory=dict)

    def table(self, name: str) -> Table:
        """``lake``: whatever stands in the folder; ``catalog``: what somebody finds by the catalog."""
        must_end_well(self.ended, "the run")
        if name in self.problems:
            raise self.problems[name]
        return self.tables[name]


def run(lab: Lab) -> Seen:
    glue = lab.use(Glue)
    before = len(glue.fetched())
    ended = glue.run(SCRIPT, JOB, timeout=lab.task.manifest.limits.run_time)
    fetched = [path.partition("/")[2] for path in glue.fetched()[before:] if path.startswith(f"{RAW}/")]
    objects = {
        key: content
        for key, content in glue.objects(CURATED, f"{TABLE}/").items()
        if content and not key.rpartition("/")[2].startswith(("_", "."))
    }
    tables, problems, columns = {}, {}, {}
    for name, read in (
        ("lake", lambda: glue.parquet(f"s3://{CURATED}/{TABLE}", objects)),
        ("catalog", lambda: glue.catalogued(DATABASE, TABLE)),
    ):
        try:
            tables[name] = read()
        except SubmissionFault as problem:
            problems[name] = problem
    if "catalog" in tables:
        storage = glue.catalog_table(DATABASE, TABLE)["StorageDescriptor"]
        columns = {str(column["Name"]): str(column["Type"]).replace(" ", "") for column in storage["Columns"]}
    return Seen(ended, fetched, objects, rejected_in(lab), tables, columns, problems)


def rejected_in(lab: Lab) -> list[dict[str, object]]:
    found = []
    for key, content in lab.use(Glue).objects(CURATED, f"{TABLE}_rejected/").items():
        for line in content.decode(errors="replace").splitlines():
            if line.strip() and not key.rpartition("/")[2].startswith(("_", ".")):
                found.append(parsed(key, line))
    return found


def parsed(key: str, line: str) -> dict[str, object]:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        said = None
    return said if isinstance(said, dict) else {"reason": f"{key} has a line that is no JSON object"}


@scenario
def hours(lab: Lab, world: World) -> dict[str, Seen]:
    """Each arrival, and an hour without; the last one's first run isn't allowed to write."""
    open_buckets(lab)
    arrive(world, lab, "old tills")
    seen = {"old tills": run(lab)}
    must_end_well(seen["old tills"].ended, "the first run")
    lab.use(Glue).delete_objects(RAW, world.archived)
    arrive(world, lab, "new tills")
    lab.note("an object was moved to the archive after the first run")
    seen["new tills"] = run(lab)
    seen["nothing new"] = run(lab)
    lab.note("the job was run when nothing had come")
    arrive(world, lab, "last")
    lab.use(Glue).plan(denied_puts={CURATED: 1})
    seen["denied"] = run(lab)
    lab.use(Glue).plan()
    lab.note("a run was denied to write its first object, and started again")
    seen["last"] = run(lab)
    return seen


@check("correctness", clauses=["expertise-areas/aws-glue", "responsibilities/design-and-build-etl-elt-pipelines"])
def every_sound_line_is_curated_once(hours: dict[str, Seen], world: World) -> None:
    expected = world.orders(ARRIVALS[:1])
    table = hours["old tills"].table("lake")
    assert_same_rows(table, expected, WITHOUT_CHANNEL, why="after the first run")
    kinds = {type(value).__name__ for row in table for name, value in row.items() if name.lower() == "amount"}
    assert kinds == {"Decimal"}, (
        f"amounts stand in the Parquet files as {kinds}: the catalog's decimal can't be read then"
    )


@check("correctness", clauses=["expertise-areas/aws-glue"])
def a_second_run_adds_what_is_new(hours: dict[str, Seen], world: World) -> None:
    expected = world.orders(ARRIVALS[:2])
    why = "new objects had come, one of them into an old folder, and an old one was in the archive"
    assert_same_rows(hours["new tills"].table("lake"), expected, WITHOUT_CHANNEL, why=why)


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def amounts_and_channels_of_new_tills_are_kept(hours: dict[str, Seen], world: World) -> None:
    table = hours["new tills"].table("lake")
    new = {line["line_id"] for line in world.orders(["new tills"])}
    rows = rows_with(table, "line_id", new, LINE)
    assert_same_rows(rows, world.orders(["new tills"]), LINE, why="amounts as text, a new column")


@check("scale", clauses=["responsibilities/cost-optimization-for-data-processing"])
def only_new_objects_are_read(hours: dict[str, Seen], world: World) -> None:
    assert set(world.keys("old tills")) <= set(hours["old tills"].fetched), "the first run didn't read all objects"
    known = {*world.keys("old tills")} & {*hours["new tills"].fetched}
    assert not known, f"the second run read {len(known)} objects again that the first had read"
    again = set(hours["nothing new"].fetched)
    assert not again, f"a run without news read {len(again)} objects again"


@check("durability", clauses=["constraints/never-lose-data"])
def curated_objects_stay(hours: dict[str, Seen]) -> None:
    assert hours["old tills"].objects, "nothing is curated after the first run"
    for before, after in (("old tills", "new tills"), ("new tills", "last")):
        gone = sorted(hours[before].objects.items() - hours[after].objects.items())
        assert not gone, f"{len(gone)} curated objects were removed or written again, e.g. {gone[0][0]}"


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def an_hour_without_news_changes_nothing(hours: dict[str, Seen]) -> None:
    before, after = hours["new tills"], hours["nothing new"]
    assert_same_rows(after.table("lake"), before.table("lake"), LINE, why="run again when nothing had come")
    assert len(after.rejected) == len(before.rejected), "a run without news rejected lines again"


@check("durability", clauses=["constraints/never-lose-data", "constraints/always-implement-idempotent-pipelines"])
def what_a_failed_run_read_is_read_again(hours: dict[str, Seen], world: World) -> None:
    if hours["denied"].ended.ok:
        why = "a run was denied to write its first object, and ended with exit code 0"
        assert_same_rows(hours["denied"].table("lake"), world.orders(), LINE, why=why)
    assert_same_rows(hours["last"].table("lake"), world.orders(), LINE, why="a run was denied to write, then run again")


@check("correctness", clauses=["responsibilities/data-catalog-management"])
def the_catalog_leads_to_every_partition(hours: dict[str, Seen], world: World) -> None:
    for name, arrivals in (("old tills", ARRIVALS[:1]), ("new tills", ARRIVALS[:2]), ("last", ARRIVALS)):
        types = WITHOUT_CHANNEL if name == "old tills" else LINE
        why = f"what the catalog's partitions hold after {len(arrivals)} arrivals"
        assert_same_rows(hours[name].table("catalog"), world.orders(arrivals), types, why=why)


@check("schema_evolution", clauses=["responsibilities/data-catalog-management"])
def the_catalog_has_the_new_column(hours: dict[str, Seen]) -> None:
    hours["new tills"].table("catalog")
    found = hours["new tills"].columns
    wrong = {name: found.get(name) for name, kind in COLUMNS.items() if found.get(name) != kind}
    assert not wrong, f"columns of {DATABASE}.{TABLE} aren't there, or of another type: {wrong}"


@check("quality", clauses=["constraints/always-validate-data-quality", "constraints/never-lose-data"])
def broken_lines_are_kept_aside_with_a_reason(hours: dict[str, Seen], world: World) -> None:
    must_end_well(hours["new tills"].ended, "the second run")
    rejected = hours["new tills"].rejected
    found = sorted(map(as_it_came, rejected))
    wanted = sorted(map(as_it_came, world.rejected(ARRIVALS[:2])))
    assert found == wanted, f"orders_rejected holds ({', '.join(KEPT)}) {found[:12]}, expected {wanted}"
    assert all(str(row.get("reason") or "").strip() for row in rejected), "a rejected line has no reason"


def as_it_came(line: Mapping[str, object]) -> tuple[str, ...]:
    """What is kept of a broken line; a number may be written otherwise, or as a text."""
    texts = ["" if line.get(name) is None else str(line[name]) for name in KEPT]
    with contextlib.suppress(decimal.InvalidOperation):
        texts[-1] = str(decimal.Decimal(texts[-1]).normalize())
    return tuple(texts)


# canary: bf7292a6-3e7c-43e9-99ff-b6d45a0aa38a
