"""Deliverables that are false in one named way: mutants that every task has, made of its reference's text.

A lie is fluent and whole, so that only what it says is wrong. It must fail the checks it ``breaks``, and of the common
checks no other. One lab does for all lies of a task; a runbook is executed once for all that share it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from graders import common_checks
from graders.check import parameters
from graders.commands import Command, commands
from graders.contract import Contract
from graders.operation import operation_of
from graders.trying import Operated, operate
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes import Sandbox
from harness.submission import DELIVERABLE, Submission
from harness.task import Task


@dataclass(frozen=True)
class Lie:
    """``tell`` turns a true deliverable into a false one."""

    breaks: frozenset[str]
    tell: Callable[[str], str]


def lies_problems(task: Task, sandbox: Sandbox, contract: Contract) -> list[str]:
    """What the common checks make wrongly of the reference's deliverable and of each lie."""
    operation = operation_of(task)
    if operation is None:
        return []
    problems = []
    seen: dict[tuple[Command, ...], Operated] = {}
    with Lab(task, sandbox, task.reference) as lab:
        for name, lie in LIES.items():
            told = lie.tell(task.reference.deliverable)
            lab.submission = Submission({**task.reference.files, DELIVERABLE: told.encode()})
            executed = commands(contract, told, operation.parameters, lab.box.variables.keys())
            if executed not in seen:
                lab.fresh()
                seen[executed] = operate(lab, contract, operation)
            given = {"lab": lab, "contract": contract, "operation": operation, "operated": seen[executed]}
            failed = dict(_failures(task, given))
            problems += [f"lie {name!r}: {check} passed" for check in sorted(lie.breaks - failed.keys())]
            others = sorted(failed.keys() - lie.breaks)
            problems += [f"lie {name!r}: {check} failed: {failed[check]}" for check in others]
    return problems


def _failures(task: Task, given: dict[str, object]) -> Iterator[tuple[str, str]]:
    for check in common_checks.common_checks_of(task):
        try:
            check.function(**{name: given[name] for name in parameters(check.function)})
        except (AssertionError, SubmissionFault) as problem:
            yield check.id, str(problem)


def field_says(name: str, value: str) -> Callable[[str], str]:
    """Another value for a field of the overview, with the lines that continued the old one."""
    return lambda text: _once(rf"(?m)^- {re.escape(name)}:.*\n(?:  .*\n)*", f"- {name}: {value}\n", text)


def section_says(name: str, body: str) -> Callable[[str], str]:
    return lambda text: _once(rf"(?m)^(### {name}[^\n]*\n)(?:(?!### |<!--)[^\n]*\n)*", rf"\g<1>{body}\n\n", text)


def step_says(number: int, said: str) -> Callable[[str], str]:
    return lambda text: _once(rf"(?m)^{number}\. .*\n(?:   .*\n)*", f"{number}. {said}\n", text)


def with_component(row: str) -> Callable[[str], str]:
    return lambda text: _once(r"(?m)^(\|[ -]*-\|.*\n)", rf"\g<1>{row}\n", text)


def _once(pattern: str, said: str, text: str) -> str:
    told, count = re.subn(pattern, said, text, count=1)
    assert count == 1 and told != text, f"the reference's deliverable has nothing that fits {pattern!r}"
    return told


def in_turn(*changes: Callable[[str], str]) -> Callable[[str], str]:
    def tell(text: str) -> str:
        for change in changes:
            text = change(text)
        return text

    return tell


ENDS = "stated_ends_are_the_real_ones"
TECHNOLOGIES = "stated_technologies_are_in_use"
RULES = "stated_rules_are_those_that_fire"
RUNBOOK = "runbook_commands_do_what_they_say"
STREAM = """| Component | Technology | Purpose |
|-----------|------------|---------|
| Ingestion | Apache Kafka, Debezium | Carries each change within seconds |
| Processing | Apache Flink on Kubernetes | Cleans and joins |
| Storage | Apache Iceberg, read with Trino | Holds the result |"""
FOREIGN_RULES = """\
- Validation rules: `iban_checksum` holds, `postal_prefix` fits `ship_country`, `currency_code` is an ISO code;
  whatever fails is parked in `dead_letters`.
- Alert thresholds: more than 5 % parked within an hour."""

SCHEDULE = "stated_schedule_is_the_one_that_runs"
ASSUMPTIONS = "assumptions_concern_this_source"
every_17_minutes = field_says("Schedule", "every 17 minutes (`*/17 * * * *`)")
from_clicks = field_says("Source(s)", "the topic `clicks.page_views` of the web tracker")
into_a_lake = field_says("Destination", "`lakehouse.page_views`, partitioned by hour")
on_a_stream = section_says("Components", STREAM)
by_foreign_rules = section_says("Data Quality", FOREIGN_RULES)
by_a_missing_program = step_says(1, "Run manually: `python run_pipeline.py --env prod --full`; it takes a minute.")
on_cookies = section_says(
    "Assumptions", "- We assume that visitors of the web shop accept cookies, as the tracker relies on it."
)

LIES: dict[str, Lie] = {
    "the reference, as it is": Lie(frozenset(), lambda text: text),
    "another schedule": Lie(frozenset({SCHEDULE}), every_17_minutes),
    "another schedule, in words": Lie(
        frozenset({SCHEDULE}), field_says("Schedule", "once a week, on Monday at 07:45 UTC")
    ),
    "another source": Lie(frozenset({ENDS}), from_clicks),
    "another destination": Lie(frozenset({ENDS}), into_a_lake),
    "a table that isn't there": Lie(
        frozenset({ENDS}),
        step_says(2, "Troubleshoot: `select * from ops.pipeline_heartbeat where lag > 60` shows what is stuck."),
    ),
    "other technologies": Lie(frozenset({TECHNOLOGIES}), on_a_stream),
    "one technology too many": Lie(
        frozenset({TECHNOLOGIES}), with_component("| Compute | Trino on Kubernetes | Does the heavy work |")
    ),
    "a file that isn't there": Lie(
        frozenset({TECHNOLOGIES}), with_component("| `jobs/reconcile_totals.py` | Python | Adds up |")
    ),
    "other rules": Lie(frozenset({RULES}), by_foreign_rules),
    "a program that isn't there": Lie(frozenset({RUNBOOK}), by_a_missing_program),
    "other assumptions": Lie(frozenset({ASSUMPTIONS}), on_cookies),
    "another pipeline altogether": Lie(
        frozenset({SCHEDULE, ENDS, TECHNOLOGIES, RULES, RUNBOOK, ASSUMPTIONS}),
        in_turn(
            every_17_minutes,
            from_clicks,
            into_a_lake,
            on_a_stream,
            by_foreign_rules,
            by_a_missing_program,
            on_cookies,
        ),
    ),
}
