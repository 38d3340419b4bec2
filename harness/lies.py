"""Deliverables that are false in one named way: mutants that every task has, made of its reference's text.

A lie is fluent and whole, so that only what it says is wrong. It must fail the checks it ``breaks``, and of the common
checks no other. One lab does for all lies of a task: only a lie about commands is executed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from graders import common_checks
from graders.check import parameters
from graders.contract import Contract
from graders.operation import operation_of
from graders.trying import operate
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes import Sandbox
from harness.submission import DELIVERABLE, Submission
from harness.task import Task


@dataclass(frozen=True)
class Lie:
    """``tell`` turns a true deliverable into a false one. ``is_executed``: what comes of it must be seen anew."""

    breaks: frozenset[str]
    tell: Callable[[str], str]
    is_executed: bool = False


def lies_problems(task: Task, sandbox: Sandbox, contract: Contract) -> list[str]:
    """What the common checks make wrongly of the reference's deliverable and of each lie."""
    operation = operation_of(task)
    if operation is None:
        return []
    problems = []
    with Lab(task, sandbox, task.reference) as lab:
        lab.fresh()
        truly = operate(lab, contract, operation)
        for name, lie in LIES.items():
            told = lie.tell(task.reference.deliverable)
            lab.submission = Submission({**task.reference.files, DELIVERABLE: told.encode()})
            operated = truly
            if lie.is_executed:
                lab.fresh()
                operated = replace(operate(lab, contract, operation), reasons=truly.reasons)
            given = {"lab": lab, "contract": contract, "operation": operation, "operated": operated}
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

LIES: dict[str, Lie] = {
    "the reference, as it is": Lie(frozenset(), lambda text: text),
    "another schedule": Lie(
        frozenset({"stated_schedule_is_the_one_that_runs"}), field_says("Schedule", "every 17 minutes (`*/17 * * * *`)")
    ),
    "another schedule, in words": Lie(
        frozenset({"stated_schedule_is_the_one_that_runs"}),
        field_says("Schedule", "once a week, on Monday at 07:45 UTC"),
    ),
    "another source": Lie(
        frozenset({ENDS}), field_says("Source(s)", "the topic `clicks.page_views` of the web tracker")
    ),
    "another destination": Lie(
        frozenset({ENDS}), field_says("Destination", "`lakehouse.page_views`, partitioned by hour")
    ),
    "a table that isn't there": Lie(
        frozenset({ENDS}),
        step_says(2, "Troubleshoot: `select * from ops.pipeline_heartbeat where lag > 60` shows what is stuck."),
    ),
    "other technologies": Lie(frozenset({TECHNOLOGIES}), section_says("Components", STREAM)),
    "one technology too many": Lie(
        frozenset({TECHNOLOGIES}),
        lambda text: _once(
            r"(?m)^(\|[ -]*-\|.*\n)", r"\g<1>| Compute | Apache Spark on Databricks | Does the heavy work |\n", text
        ),
    ),
    "a file that isn't there": Lie(
        frozenset({TECHNOLOGIES}),
        lambda text: _once(r"(?m)^(\|[ -]*-\|.*\n)", r"\g<1>| `jobs/reconcile_totals.py` | Python | Adds up |\n", text),
    ),
    "other rules": Lie(frozenset({RULES}), section_says("Data Quality", FOREIGN_RULES)),
    "a command that isn't there": Lie(
        frozenset({RUNBOOK}),
        step_says(1, "Run manually: `python run_pipeline.py --env prod --full`; it takes a minute."),
        is_executed=True,
    ),
    "other assumptions": Lie(
        frozenset({"assumptions_concern_this_source"}),
        section_says(
            "Assumptions", "- We assume that visitors of the web shop accept cookies, as the tracker relies on it."
        ),
    ),
}
