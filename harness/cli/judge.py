"""Show what a judge said of a run, and how far a judge can be trusted.

A judge is a model that is asked about deliverables what no rule can tell. Its verdicts are no part of any score.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli._judging import BASE_URL, MAX_COST, PRICES, VOTES, appointed
from harness.errors import EXIT_FINE, EXIT_GATE_FAILED, UsageError

if TYPE_CHECKING:
    from harness.judge.calibration import Calibration

AT_A_TIME = 4
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")


@click.group()
def command() -> None:
    """The optional judge: its verdicts on a run, its agreement with labels, what it is asked."""


@command.command()
@click.option("--judge", required=True, help="The model to measure: anthropic/NAME, openai/NAME, …")
@VOTES
@BASE_URL
@MAX_COST
@PRICES
@click.option("--min-kappa", type=click.FloatRange(-1, 1), help="Exit with 1 if kappa over all labels is less.")
@AS_JSON
def calibrate(
    judge: str,
    judge_votes: int | None,
    judge_base_url: str | None,
    max_cost: Decimal | None,
    prices: Path | None,
    min_kappa: float | None,
    as_json: bool,
) -> int:
    """Measure a judge: how far it agrees with the labels of some thirty excerpts of deliverables, by rubric."""
    from harness.budgets import Budgets, RunBudget
    from harness.display import display
    from harness.judge.calibration import calibrate, excerpts

    asked = appointed(judge, judge_votes, judge_base_url, RunBudget(Budgets(max_cost=max_cost)), prices)
    assert asked is not None
    labels = sum(len(excerpt.asked) for excerpt in excerpts())
    with display(sys.stderr) as shown:
        shown.note(f"{judge} is asked {labels} questions on {len(excerpts())} excerpts, {asked.votes} votes each")
        asked.budget.tell = shown.spent
        found = calibrate(lambda one: asked.opinion(one.text, one.asked), shown.note, AT_A_TIME)
    if as_json:
        click.echo(_as_json(found, judge, asked.votes, asked.budget.cost))
    else:
        _show(found, judge, asked.votes, asked.budget.tokens, asked.budget.cost)
    kappa = found.rows[-1][1].kappa
    return EXIT_GATE_FAILED if min_kappa is not None and (kappa is None or kappa < min_kappa) else EXIT_FINE


def _show(found: Calibration, judge: str, votes: int, tokens: int, cost: Decimal | None) -> None:
    from harness.cli._show import show
    from results.judges_rendering import SIGNS, agreement_for_terminal, money
    from results.text import one_line

    click.echo(one_line(f"{judge}, {votes} votes"))
    show(agreement_for_terminal(found.rows))
    for miss in found.misses:
        rated = miss.rated
        said, label = SIGNS[rated.said], SIGNS[rated.label]
        click.echo(f"{rated.excerpt}, {rated.rubric}: said {said}, labelled {label}: {one_line(miss.evidence)[:300]}")
        if miss.why:
            click.echo(f"  hard: {miss.why}")
    click.echo(f"note: {tokens:,} tokens, {money(cost)}; a void verdict counts as one that doesn't agree")


def _as_json(found: Calibration, judge: str, votes: int, cost: Decimal | None) -> str:
    import json
    from dataclasses import asdict

    whole = {
        "judge": judge,
        "votes": votes,
        "cost": None if cost is None else str(cost),
        "rubrics": {name: asdict(row) for name, row in found.rows},
        "misses": [asdict(miss) for miss in found.misses],
    }
    return json.dumps(whole, indent=2)


@command.command()
@click.argument("path", metavar="RUN", type=click.Path(path_type=Path))
@AS_JSON
def show(path: Path, as_json: bool) -> None:
    """Show what judges said of RUN; with --json every verdict with its votes and quotes."""
    from harness.cli._judging import show_judges
    from results import judges, judges_rendering
    from results.run_directory import RunDirectory

    directory = RunDirectory.open(path)
    asked = judges.judges(directory)
    if not asked:
        raise UsageError(f"no judge was asked about {path}", f"ask one: bench regrade {path} --judge MODEL")
    if not as_json:
        return show_judges(directory)
    opinions = [said for record in directory.records() for _, said in judges.opinions_on(directory, record)]
    click.echo(judges_rendering.as_json([judges.summary(directory, judge) for judge in asked], opinions))
    return None


@command.command()
@AS_JSON
def rubrics(as_json: bool) -> None:
    """List what a judge is asked, by clause."""
    import json
    from dataclasses import asdict

    from harness.judge import rubrics as all_of_them

    if as_json:
        click.echo(json.dumps([asdict(rubric) for rubric in all_of_them()], indent=2))
        return
    for rubric in all_of_them():
        click.echo(f"{rubric.id}  ({rubric.clause})")
        click.echo(f"  {rubric.asks}\n  met: {rubric.met}\n  not met: {rubric.not_met}")
