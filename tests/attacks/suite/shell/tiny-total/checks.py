"""Adds up, adds up again, and once more when an order came late."""

from __future__ import annotations

from graders.check import check, scenario
from graders.perturbations import must_end_well
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.submission import SubmissionError

from .world import World, furnish


def total(lab: Lab) -> str:
    must_end_well(lab.run("bash", "run.sh"), "the total")
    try:
        files = lab.collect().files
    except SubmissionError as error:
        raise SubmissionFault(str(error)) from None
    if "total.csv" not in files:
        raise SubmissionFault(f"there is no total.csv among {sorted(files)[:20]}")
    return files["total.csv"].decode(errors="replace")


@scenario
def totals(lab: Lab, world: World) -> list[str]:
    seen = []
    for late in (False, False, True):
        furnish(world, lab, late=late)
        seen.append(total(lab))
    return seen


@check("correctness")
def every_order_is_counted(totals: list[str], world: World) -> None:
    assert totals[0] == world.expected(), totals[0]


@check("idempotency")
def counting_again_changes_nothing(totals: list[str], world: World) -> None:
    assert totals[1] == world.expected(), totals[1]


@check("late_data")
def a_late_order_is_counted(totals: list[str], world: World) -> None:
    assert totals[2] == world.expected(late=True), totals[2]
