"""The checks every task has: what the written deliverable must hold, and how it speaks to its reader.

Light in weight and never required: a grade is earned by behaviour.
"""

from __future__ import annotations

from graders import communication, deliverable
from graders.check import check
from graders.contract import Contract
from harness.lab import Lab

WEIGHT = 0.25


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
