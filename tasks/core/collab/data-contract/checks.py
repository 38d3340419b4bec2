"""Holds releases against the contract, lets them through the gate, and loads what the gate let through."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from graders.check import check, scenario
from graders.json_schema import description_of, problems_by, properties_of, read_schema
from graders.operation import Operation
from graders.perturbations import must_end_well
from graders.tables import assert_same_rows
from harness.engines.duckdb import DuckDB
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.submission import SubmissionLimits
from harness.tables import Table

from .world import (
    ADDED,
    BEYOND,
    BREAKING,
    LOADER,
    MAJOR,
    MISSING,
    ORDER,
    TODAY,
    TORN,
    TYPE,
    UNFIT,
    VALUE,
    Line,
    World,
)

CONTRACT = "contract/order_event.schema.json"
SHOWN = 4
OPERATION = Operation(
    command="python gate.py $DATA/events/orders.jsonl accepted.jsonl rejected.jsonl",
    fills=(),
    every=None,
    topics={
        "repeated events": "repeat duplic twice once least",
        "versions": "version major minor schema_version",
        "open lists": "channel method open unknown type",
        "closed lists": "currenc reason closed",
        "files": "file complete utf line",
        "order of events": "order sequence late",
    },
)


@dataclass(frozen=True)
class Gated:
    """What came of a file at the gate. ``files`` are those it left, of the two; ``rejected`` is None where the report
    can't be read."""

    lines: tuple[Line, ...]
    done: Completed
    files: frozenset[str]
    accepted: list[str]
    rejected: list[dict[str, Any]] | None

    def ended(self, code: int) -> Gated:
        assert self.done.exit_code == code, f"the gate ended with {self.done.explain()}, not with exit code {code}"
        return self

    def report(self) -> list[dict[str, Any]]:
        assert self.rejected is not None, (
            "REJECTED isn't there, or isn't a JSON object with `line` and `reasons` a line"
        )
        return self.rejected


def gate(lab: Lab, name: str, lines: Sequence[Line]) -> Gated:
    """One file through the gate; the two it writes keep their names from run to run."""
    lab.deliver({f"events/{name}.jsonl": written(lines)})
    return through(lab, name, lines)


def through(lab: Lab, name: str, lines: Sequence[Line]) -> Gated:
    done = lab.run(
        "python", "gate.py", f"{lab.box.path('data')}/events/{name}.jsonl", "accepted.jsonl", "rejected.jsonl"
    )
    found = lab.box.collect("work", SubmissionLimits())
    accepted = found.get("accepted.jsonl", b"").decode("utf-8", "replace").split("\n")
    left = frozenset(found) & {"accepted.jsonl", "rejected.jsonl"}
    return Gated(
        tuple(lines), done, left, [line for line in accepted if line.strip()], report(found.get("rejected.jsonl"))
    )


def written(lines: Iterable[Line]) -> str:
    return "".join(f"{line.text}\n" for line in lines)


def report(content: bytes | None) -> list[dict[str, Any]] | None:
    if content is None:
        return None
    try:
        found = [json.loads(line) for line in content.decode().split("\n") if line.strip()]
    except (ValueError, RecursionError):
        return None
    is_report = all(isinstance(row, dict) and isinstance(row.get("reasons"), list) for row in found)
    return found if is_report and all(isinstance(row.get("line"), int) for row in found) else None


@scenario
def held(lab: Lab, world: World) -> dict[str, list[str | None]]:
    """What the contract has against each line of each release."""
    values = {name: [json.loads(line.text) for line in release.lines] for name, release in world.releases.items()}
    return problems_by(lab, read_schema(lab, CONTRACT), values)


@dataclass(frozen=True)
class Runs:
    """Good releases alone, then all together with torn lines, then the same again; then a file without a line."""

    good: Gated
    mixed: Gated
    again: Gated
    empty: Gated


@scenario
def gated(lab: Lab, world: World) -> Runs:
    good = [line for release in world.of(TODAY, ADDED).values() for line in release.lines]
    every = [line for release in world.releases.values() for line in release.lines]
    every += [Line(text, "JSON") for text in TORN]
    first = gate(lab, "good", good)
    mixed = gate(lab, "mixed", every)
    lab.note("all releases in one file, compatible and breaking, with torn lines")
    again = gate(lab, "mixed", every)
    lab.note("a file without a line, after one with rejected lines")
    return Runs(first, mixed, again, gate(lab, "empty", []))


@dataclass(frozen=True)
class Changed:
    """Today's release once the contract asks for another field; a payment in USD once that is agreed."""

    tightened: Gated
    widened: Gated


@scenario
def changed(lab: Lab, world: World) -> Changed:
    """Both teams change the contract, and leave the gate as it is."""
    schema = read_schema(lab, CONTRACT)
    required = schema.get("required", [])
    more = schema | {"required": [*(required if isinstance(required, list) else []), "warehouse_id"]}
    lab.box.put("work", {CONTRACT: json.dumps(more).encode()})
    lab.note("the contract was changed: `warehouse_id` became required")
    tightened = gate(lab, "today", world.releases["today's release"].lines)
    # In whatever words it has the list of currencies.
    lab.box.put("work", {CONTRACT: json.dumps(schema).replace("GBP", "USD").encode()})
    lab.note("the contract was changed: USD took the place of GBP")
    return Changed(tightened, gate(lab, "dollars", [world.dollars]))


@scenario
def unreadable(lab: Lab, world: World) -> dict[str, Gated]:
    """Each after a run that let events through."""
    lines = world.releases["today's release"].lines
    gate(lab, "today", lines)
    missing = through(lab, "nowhere", [])
    gate(lab, "today", lines)
    lab.box.put("work", {CONTRACT: b'{"type": '})
    lab.note("no file of events; a contract that is torn")
    return {"there is no file of events": missing, "the contract is no JSON": through(lab, "today", lines)}


@scenario
def loaded(lab: Lab, gated: Runs) -> Table:
    """The loader, as it was handed out, on what the gate let through."""
    files = {"events/passed.jsonl": "".join(f"{line}\n" for line in gated.mixed.accepted)}
    lab.deliver(files | {LOADER: lab.task.workspace.files[LOADER].decode()})
    data = lab.box.path("data")
    lab.note("the loader was run on what the gate let through")
    done = lab.run("python", "-I", f"{data}/{LOADER}", f"{data}/events/passed.jsonl")
    must_end_well(done, "the loader, on what the gate let through")
    return lab.use(DuckDB).table("orders")


def assert_passes(world: World, held: dict[str, list[str | None]], *kinds: str) -> None:
    """The contract has nothing against any line of these releases."""
    found = [f"{name}: {problem}" for name in world.of(*kinds) for problem in held[name] if problem]
    assert not found, f"the contract forbids what is allowed: {'; '.join(found[:SHOWN])}"


def assert_breaks(world: World, held: dict[str, list[str | None]], kind: str) -> None:
    """The contract forbids what breaks it in these releases."""
    releases = world.of(kind)
    passed = [
        name
        for name, release in releases.items()
        if any(line.field and not problem for line, problem in zip(release.lines, held[name], strict=True))
    ]
    assert not passed, f"the contract lets through: {'; '.join(passed)}"
    # Nor is it a contract that forbids everything.
    whole = [name for name in releases if all(held[name])]
    assert len(whole) < len(releases), "the contract forbids every event"


@check("correctness", clauses=["collaboration-protocol/design-data-contracts"])
def todays_release_passes(held: dict[str, list[str | None]], gated: Runs, world: World) -> None:
    assert_passes(world, held, TODAY)
    # With its repetition: an event may be delivered twice.
    emitted = Counter(line.text for line in world.releases["today's release"].lines)
    stopped = list(emitted - Counter(gated.good.accepted))
    assert not stopped, f"the gate stops an event of today's release: {stopped[0][:300]}"


@check(
    "schema_evolution",
    clauses=["constraints/handle-schema-evolution-gracefully", "collaboration-protocol/plan-event-schemas"],
)
def what_is_added_breaks_nothing(held: dict[str, list[str | None]], gated: Runs, world: World) -> None:
    assert_passes(world, held, ADDED)
    accepted = set(gated.good.accepted)
    stopped = [name for name, release in world.of(ADDED).items() if {line.text for line in release.lines} - accepted]
    assert not stopped, f"the gate stops: {'; '.join(stopped)}"
    gated.good.ended(0)


@check("quality", clauses=["collaboration-protocol/design-data-contracts"])
def a_field_that_is_missing_is_a_breach(held: dict[str, list[str | None]], world: World) -> None:
    assert_breaks(world, held, MISSING)


@check("quality", clauses=["collaboration-protocol/design-data-contracts"])
def a_field_of_another_type_is_a_breach(held: dict[str, list[str | None]], world: World) -> None:
    assert_breaks(world, held, TYPE)


@check("quality", clauses=["collaboration-protocol/design-data-contracts", "data-quality-framework/validity"])
def a_value_of_another_form_is_a_breach(held: dict[str, list[str | None]], world: World) -> None:
    assert_breaks(world, held, VALUE)


@check("schema_evolution", clauses=["collaboration-protocol/plan-event-schemas"])
def a_new_major_version_is_a_breach(held: dict[str, list[str | None]], world: World) -> None:
    assert_breaks(world, held, MAJOR)


def let_through(run: Gated, world: World, kinds: Iterable[str]) -> list[str]:
    """The releases of which something that breaks them was accepted."""
    accepted = set(run.accepted)
    return [
        name
        for name, release in world.of(*kinds).items()
        if any(line.field and line.text in accepted for line in release.lines)
    ]


@check("quality", clauses=["constraints/always-validate-data-quality"])
def the_gate_stops_a_breaking_producer(gated: Runs, world: World) -> None:
    gated.mixed.ended(1)
    assert gated.mixed.accepted, "the gate let nothing through"
    passed = let_through(gated.mixed, world, BREAKING)
    assert not passed, f"the gate lets through: {'; '.join(passed)}"


@check("quality", clauses=["constraints/always-validate-data-quality", "data-quality-framework/consistency"])
def the_gate_sees_what_a_schema_cannot(gated: Runs, world: World) -> None:
    gated.mixed.ended(1)
    assert gated.mixed.accepted, "the gate let nothing through"
    passed = let_through(gated.mixed, world, [BEYOND]) + [text for text in TORN if text in gated.mixed.accepted]
    assert not passed, f"the gate lets through: {'; '.join(passed)}"


@check("quality", clauses=["collaboration-protocol/design-data-contracts"])
def the_gate_stops_what_the_loader_cannot_hold(gated: Runs, world: World) -> None:
    gated.mixed.ended(1)
    assert gated.mixed.accepted, "the gate let nothing through"
    passed = let_through(gated.mixed, world, [UNFIT])
    assert not passed, f"the gate lets through: {'; '.join(passed)}"


@check("durability", clauses=["constraints/never-lose-data"])
def every_line_is_accepted_or_kept_as_rejected(gated: Runs) -> None:
    run = gated.mixed.ended(1)
    numbers = {row["line"]: row for row in run.report()}
    assert len(numbers) == len(run.report()), "a line was rejected twice"
    for number, row in numbers.items():
        assert 1 <= number <= len(run.lines), f"there is no line {number}"
        said, came = row.get("event"), run.lines[number - 1].text
        assert isinstance(said, str) and said.rstrip("\r\n") == came, (
            f"line {number} came as {came!r}, is kept as {said!r}"
        )
    left = [line.text for number, line in enumerate(run.lines, 1) if number not in numbers]
    assert run.accepted == left, (
        f"{len(run.accepted)} lines were accepted and {len(numbers)} rejected of {len(run.lines)}, and those accepted "
        "aren't the others, as they came and in their order"
    )


@check("quality", clauses=["collaboration-protocol/design-data-contracts"])
def a_reason_names_its_field(gated: Runs) -> None:
    run = gated.mixed.ended(1)
    broken = {number: line for number, line in enumerate(run.lines, 1) if line.field}
    rows = [row for row in run.report() if row["line"] in broken]
    assert rows, "no line that breaks the contract was rejected"
    for row in rows:
        field = broken[row["line"]].field
        said = " ".join(map(str, row["reasons"]))
        assert said.strip(), f"line {row['line']} was rejected without a reason"
        assert field == "JSON" or re.search(rf"(?<!\w)(?:{field})(?!\w)", said), (
            f"what is wrong is {field}, and the reasons don't name it: {said[:300]!r}"
        )


@check("correctness", clauses=["collaboration-protocol/design-data-contracts"])
def the_loader_is_unharmed(gated: Runs, loaded: Table, world: World) -> None:
    expected = world.orders(gated.mixed.lines)
    assert_same_rows(loaded, expected, ORDER, why="what the loader made of the lines that the gate let through")


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def gating_again_gives_the_same(gated: Runs) -> None:
    first, again = gated.mixed.ended(1), gated.again.ended(1)
    assert first.accepted == again.accepted, f"{len(first.accepted)} lines accepted, then {len(again.accepted)}"
    assert first.report() == again.report(), f"{len(first.report())} lines rejected, then {len(again.report())}"


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def both_files_are_written_anew(gated: Runs, changed: Changed) -> None:
    for run, why in (
        (gated.good, "nothing to reject"),
        (gated.empty, "nothing in it"),
        (changed.tightened, "nothing good"),
    ):
        assert run.files == {"accepted.jsonl", "rejected.jsonl"}, (
            f"a file with {why} leaves {', '.join(sorted(run.files)) or 'no file'}"
        )
    empty = gated.empty.ended(0)
    left = len(empty.accepted), len(empty.report())
    assert left == (0, 0), f"a file without a line leaves {left[0]} accepted and {left[1]} rejected ones"


@check("schema_evolution", clauses=["collaboration-protocol/design-data-contracts"])
def the_gate_follows_the_contract(changed: Changed) -> None:
    changed.tightened.ended(1)
    assert not changed.tightened.accepted, (
        "a field became required in the contract, and the gate lets events without it through"
    )
    assert changed.widened.accepted, "USD came into the contract's currencies, and the gate stops a payment in USD"


@check("correctness", clauses=["constraints/always-validate-data-quality"])
def what_cannot_be_read_is_no_pass(gated: Runs, unreadable: dict[str, Gated]) -> None:
    assert gated.good.accepted, "the gate let nothing through"
    for why, run in unreadable.items():
        assert run.done.exit_code == 2, f"{why}, and the gate ended with {run.done.explain()}, not with exit code 2"
        assert not run.accepted, f"{why}, and {len(run.accepted)} lines are in ACCEPTED that an earlier run let through"


@check(
    "correctness", clauses=["responsibilities/data-catalog-management", "collaboration-protocol/design-data-contracts"]
)
def every_field_is_described(lab: Lab) -> None:
    schema = read_schema(lab, CONTRACT)
    title, version = schema.get("title"), schema.get("version")
    assert isinstance(title, str) and title.strip(), "the contract has no title"
    assert isinstance(version, str) and re.fullmatch(r"\d+\.\d+\.\d+", version), (
        f"the contract's version is {version!r}"
    )
    properties = properties_of(schema)
    if not properties:
        raise SubmissionFault("the contract names no property")
    silent = [name for name, said in properties.items() if not any(description_of(one, schema) for one in said)]
    assert not silent, f"the contract doesn't say what it means: {', '.join(sorted(silent))}"


# canary: 63400513-3c16-49ec-b11f-1514c96a4912
