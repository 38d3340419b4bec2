"""The checks every task has: what the written deliverable must hold, whether it is true, how it speaks to its reader.

Light in weight and never required: a grade is earned by behaviour.
"""

from __future__ import annotations

import sys

from graders import communication, deliverable, truth
from graders.check import Check, check, checks_of, parameters, scenario
from graders.contract import Contract
from graders.operation import Operation, operation_of
from graders.trying import Operated, operate
from harness.lab import Lab
from harness.task import Task

WEIGHT = 0.25


def common_checks_of(task: Task, *, operates: bool = True) -> list[Check]:
    """The common checks; those that know how the pipeline is operated only where the task says so.

    ``operates``: with those that execute the runbook. A task with a verifier of its own has none.
    """
    if task.manifest.foreign:
        return []
    checks = checks_of(sys.modules[__name__])
    if not operation_of(task):
        checks = [check for check in checks if "operation" not in parameters(check.function)]
    return [check for check in checks if operates or not executes(check)]


def all_checks_of(task: Task) -> list[Check]:
    """The task's own checks, of which one with a verifier of its own has none, and the common ones."""
    own = [] if task.manifest.foreign else checks_of(task.checks)
    return [*own, *common_checks_of(task)]


def executes(check: Check) -> bool:
    """Whether a check needs the runbook executed."""
    return "operated" in parameters(check.function)


@scenario
def operated(lab: Lab, contract: Contract, operation: Operation) -> Operated:
    return operate(lab, contract, operation)


def expect_none(problems: list[str]) -> None:
    assert not problems, "; ".join(problems)


@check("deliverable", clauses=["deliverable-format"], weight=WEIGHT, required=False)
def deliverable_has_every_section(lab: Lab, contract: Contract) -> None:
    expect_none(deliverable.deliverable_has_every_section(contract, lab.submission.deliverable))


@check(
    "deliverable",
    clauses=[
        "deliverable-format/pipeline-overview",
        "deliverable-format/components",
        "deliverable-format/data-flow",
        "deliverable-format/data-quality",
        "deliverable-format/monitoring",
    ],
    weight=WEIGHT,
    required=False,
)
def deliverable_is_filled_in(lab: Lab, contract: Contract) -> None:
    expect_none(deliverable.deliverable_is_filled_in(contract, lab.submission.deliverable))


@check("deliverable", clauses=["deliverable-format/runbook"], weight=WEIGHT, required=False)
def deliverable_runbook_is_complete(lab: Lab, contract: Contract) -> None:
    expect_none(deliverable.deliverable_runbook_is_complete(contract, lab.submission.deliverable))


@check(
    "communication",
    clauses=[
        "communication-style/provide-clear-data-flow-diagrams",
        "constraints/document-data-lineage",
        "responsibilities/documentation-of-data-flows",
    ],
    weight=WEIGHT,
    required=False,
)
def flow_diagram_names_the_real_ends(lab: Lab) -> None:
    manifest = lab.task.manifest
    expect_none(
        communication.flow_diagram_names_the_real_ends(
            lab.submission.deliverable, manifest.sources, manifest.destinations
        )
    )


@check(
    "communication",
    clauses=["communication-style/document-assumptions-about-source-data"],
    weight=WEIGHT,
    required=False,
)
def assumptions_about_the_source_are_stated(lab: Lab) -> None:
    expect_none(communication.assumptions_about_the_source_are_stated(lab.submission.deliverable))


@check(
    "communication",
    clauses=["communication-style/include-slas-and-freshness-guarantees"],
    weight=WEIGHT,
    required=False,
)
def freshness_is_a_number(lab: Lab) -> None:
    expect_none(communication.freshness_is_a_number(lab.submission.deliverable))


@check(
    "communication",
    clauses=["communication-style/explain-trade-offs-in-design-decisions"],
    weight=WEIGHT,
    required=False,
)
def trade_off_names_its_cost(lab: Lab) -> None:
    expect_none(communication.trade_off_names_its_cost(lab.submission.deliverable))


@check("deliverable", clauses=["deliverable-format/pipeline-overview"], weight=WEIGHT, required=False)
def stated_schedule_is_the_one_that_runs(
    lab: Lab, contract: Contract, operation: Operation, operated: Operated
) -> None:
    expect_none(truth.stated_schedule_is_the_one_that_runs(contract, lab.submission.deliverable, operation, operated))


@check(
    "deliverable",
    clauses=["deliverable-format/pipeline-overview", "constraints/document-data-lineage"],
    weight=WEIGHT,
    required=False,
)
def stated_ends_are_the_real_ones(lab: Lab, contract: Contract, operation: Operation, operated: Operated) -> None:
    expect_none(
        truth.stated_ends_are_the_real_ones(
            contract, lab.submission.deliverable, lab.task, lab.submission, operation, operated
        )
    )


@check("deliverable", clauses=["deliverable-format/components"], weight=WEIGHT, required=False)
def stated_technologies_are_in_use(lab: Lab, contract: Contract, operation: Operation) -> None:
    expect_none(truth.stated_technologies_are_in_use(contract, lab.submission.deliverable, lab.task, lab.submission))


@check("deliverable", clauses=["deliverable-format/data-quality"], weight=WEIGHT, required=False)
def stated_rules_are_those_that_fire(lab: Lab, contract: Contract, operation: Operation, operated: Operated) -> None:
    expect_none(
        truth.stated_rules_are_those_that_fire(
            contract, lab.submission.deliverable, lab.task, lab.submission, operation, operated
        )
    )


@check("deliverable", clauses=["deliverable-format/runbook"], weight=WEIGHT, required=False)
def runbook_commands_do_what_they_say(lab: Lab, contract: Contract, operation: Operation, operated: Operated) -> None:
    expect_none(truth.runbook_commands_do_what_they_say(contract, lab.submission.deliverable, operation, operated))


@check(
    "communication",
    clauses=["communication-style/document-assumptions-about-source-data"],
    weight=WEIGHT,
    required=False,
)
def assumptions_concern_this_source(lab: Lab, operation: Operation) -> None:
    expect_none(truth.assumptions_concern_this_source(lab.submission.deliverable, operation))
