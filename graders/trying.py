"""Does what a runbook says, in a fresh lab with the world that the agent saw, and looks at what comes of it."""

from __future__ import annotations

import contextlib
import datetime
import re
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graders.commands import Command, commands
from graders.contract import Contract
from graders.operation import Operation
from graders.runbook import YES
from harness.engines.airflow import Airflow, Parsed
from harness.engines.dbt import Dbt
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.service import service
from harness.task import VISIBLE_SEED

# How often the time of one run is there for all of a runbook: a loop of runs is one command.
RUNS_IN_A_RUNBOOK = 3
MOST_REASONS = 40


@dataclass(frozen=True)
class Tried:
    """A command and what is wrong with it; empty if it did what it says."""

    command: Command
    problem: str


@dataclass(frozen=True)
class Operated:
    """What came of a runbook, and of the ticket's command where the runbook's didn't run the pipeline.

    starts:  of each DAG the moments at which its schedule starts it first; None where Airflow isn't an engine
    tables:  schema-qualified, of the destination afterwards
    reasons: why rows were rejected
    seen:    every word in the files of text that the agent was given as data, in lower case
    filled:  whether the destination had rows after the commands to run it by hand; None: there are none to tell by
    """

    tables: frozenset[str]
    starts: Mapping[str, Sequence[datetime.datetime]] | None = None
    reasons: frozenset[str] = frozenset()
    tried: tuple[Tried, ...] = ()
    seen: frozenset[str] = frozenset()
    filled: bool | None = field(default=None)


def operate(lab: Lab, contract: Contract, operation: Operation) -> Operated:
    """Needs a fresh lab. Every command runs as the submission; nothing that it says of itself is believed."""
    lab.task.world.furnish(lab.task.world.build(VISIBLE_SEED), lab)
    seen = words_in_data(lab)
    parsed = lab.use(Airflow).parse() if Airflow.name in lab.task.manifest.engines else None
    given = commands(contract, lab.submission.deliverable, operation.parameters, {*lab.box.variables})
    run_time = lab.task.manifest.limits.run_time
    end = time.monotonic() + RUNS_IN_A_RUNBOOK * run_time
    tried: list[Tried] = []
    filled: bool | None = None
    for by_hand in (True, False):
        for command in (command for command in given if command.by_hand == by_hand):
            if (left := end - time.monotonic()) > 0:
                tried.append(Tried(command, problem_of(lab, command, parsed, operation, max(left, run_time))))
        # What there was no time for tells nothing.
        if by_hand and time.monotonic() < end and any(runs_something(command) for command in given if command.by_hand):
            filled = has_rows(lab, operation.fills) if operation.fills else None
    if not filled:
        execute(lab, shlex.split(operation.command), operation.command, operation)
    lab.note("its runbook's commands were run on the data that the agent saw")
    starts = None if parsed is None else {name: [run.starts for run in dag.runs] for name, dag in parsed.dags.items()}
    return Operated(tables_in(lab, operation), starts, reasons_in(lab, operation), tuple(tried), seen, filled)


def words_in_data(lab: Lab) -> frozenset[str]:
    """Of files that are read by people; big ones are columns of values."""
    script = r'find "$0" -type f -size -256k -exec grep -IohE "\w+" {} + | sort -u'
    done = lab.box.run(["sh", "-c", script, lab.box.path("data")], output_limit=1_000_000)
    return frozenset(done.stdout.casefold().split())


_QUERY = re.compile(r"-c\s*[\"']?\s*(?:select|with|explain|\\d|table)\b", re.IGNORECASE)


def runs_something(command: Command) -> bool:
    return not _QUERY.search(command.script)


def problem_of(lab: Lab, command: Command, parsed: Parsed | None, operation: Operation, seconds: float) -> str:
    if command.program == "airflow":
        return airflow_problem(lab, command, parsed, operation)
    done = execute(lab, command.words, command.script, operation, seconds, YES)
    stopped = operation.stopped_after is not None and command.by_hand and done.killed in ("killed", "timeout")
    return "" if done.ok or stopped else done.explain()[:600]


def airflow_problem(lab: Lab, command: Command, parsed: Parsed | None, operation: Operation) -> str:
    """Airflow's own parser reads the command; the DAG that is started by it is run."""
    if parsed is None:
        return "there is no Airflow"
    if not command.words:
        return ""
    understood = lab.use(Airflow).understand(command.words[1:])
    if understood.problem:
        return understood.problem
    if understood.dag_id and understood.dag_id not in parsed.dags:
        return f"there is no DAG {understood.dag_id!r}; there are {', '.join(sorted(parsed.dags)) or 'none'}"
    own = shlex.split(operation.command)
    if command.by_hand and runs_something(command) and understood.dag_id in own:
        done = execute(lab, own, operation.command, operation)
        return "" if done.ok else done.explain()[:600]
    return ""


def execute(
    lab: Lab,
    words: Sequence[str],
    script: str,
    operation: Operation,
    seconds: float | None = None,
    stdin: bytes = b"",
) -> Completed:
    """As a shell would; what Airflow and dbt do, their warm processes do. Without ``seconds``: the time of a run."""
    if list(words[:3]) == ["airflow", "dags", "test"] and len(words) == 5:
        return lab.use(Airflow).run(words[3], datetime.datetime.fromisoformat(words[4]))
    if words and words[0] == "dbt" and Dbt.name in lab.task.manifest.engines:
        return lab.use(Dbt).command(words[1:])
    if operation.stopped_after is not None:
        return watched(lab, ["bash", "-c", script], operation.fills, operation.stopped_after, stdin)
    return lab.run("bash", "-c", script, timeout=seconds, stdin=stdin)


def watched(lab: Lab, argv: Sequence[str], fills: Sequence[str], seconds: float, stdin: bytes) -> Completed:
    """What may run until it is stopped is stopped when the destination has rows, or after so many seconds."""
    with service(lab.box, *argv, most=seconds, stdin=stdin) as running, contextlib.suppress(SubmissionFault):
        running.until(lambda: has_rows(lab, fills), seconds)
    return running.ending.result()


def has_rows(lab: Lab, tables: Sequence[str]) -> bool:
    return any(engine.holds(name) for engine in lab.engines for name in tables)


def tables_in(lab: Lab, operation: Operation) -> frozenset[str]:
    listed = frozenset[str]().union(*(engine.tables() for engine in lab.engines))
    return listed or frozenset(name for name in operation.fills if has_rows(lab, [name]))


def reasons_in(lab: Lab, operation: Operation) -> frozenset[str]:
    table, _, column = operation.reasons.rpartition(".")
    found = (engine.values(table, column, MOST_REASONS) for engine in lab.engines) if operation.reasons else ()
    return frozenset(reason[:400] for reason in frozenset[str]().union(*found))
