"""How many attempts, and how much money, it takes to detect an effect."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from results.planning import Option, Pilot, Plan


@click.command()
@click.option("--detect", type=click.FloatRange(0.001, 1), help="The loss of score to find, such as 0.05.")
@click.option("--attempts", type=click.IntRange(1, 1000), help="What can so many attempts a task find?")
@click.option("--power", type=click.FloatRange(0.5, 0.99), default=0.8, show_default=True, help="Chance to find it.")
@click.option("--alpha", type=click.FloatRange(0.001, 0.2), default=0.05, show_default=True, help="False-alarm rate.")
@click.option("--pilot", type=click.Path(path_type=Path), help="A run to take variance, cost and tasks from.")
@click.option("--suite", default="core", show_default=True, help="Without a pilot: the suite whose tasks count.")
@click.option("--tasks", type=click.IntRange(2, 100_000), help="Plan for so many tasks instead.")
@click.option(
    "--mean", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Without a pilot: the mean score."
)
@click.option(
    "--spread",
    type=click.FloatRange(0, 5),
    default=0.5,
    show_default=True,
    help="How much the effect varies over the tasks: its standard deviation, in effects.",
)
@click.option("--trial-cost", type=click.FloatRange(0), help="Dollars a trial. Default: the pilot's.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
def command(
    detect: float | None,
    attempts: int | None,
    power: float,
    alpha: float,
    pilot: Path | None,
    suite: str,
    tasks: int | None,
    mean: float,
    spread: float,
    trial_cost: float | None,
    as_json: bool,
) -> None:
    """Plan a comparison before it is paid for.

    With --detect: the attempts, trials and money that find such a loss. With --attempts: the smallest loss that so
    many attempts find. With both: the chance that they do. Variance comes from a pilot (a run that exists, best
    with two attempts or more); without one, the largest that scores can have is assumed.
    """
    from results.planning import make_plan
    from results.power import Noise

    if detect is None and attempts is None:
        raise UsageError("what is to be planned?", "bench plan --detect 0.05, or --attempts 5, or both")
    known = read_pilot(pilot) if pilot else None
    if tasks is None:
        tasks = known.tasks if known else _tasks_of(suite)
    cost = Decimal(str(trial_cost)) if trial_cost is not None else (known.cost if known else None)
    noise = known.noise if known else Noise.assumed(mean)
    if detect is not None and detect > noise.mean:
        raise UsageError(f"a mean score of {noise.mean:.3f} can't lose {detect:g}", "ask for a smaller loss")
    # Attempts at other tasks are no baseline.
    baseline = known if known and known.tasks == tasks else None
    plan = make_plan(tasks, noise, detect, attempts, baseline, cost, power, alpha, spread)
    if as_json:
        click.echo(json.dumps({**asdict(plan), "hopeless": plan.hopeless}, indent=2, default=str))
    else:
        from harness.cli._show import show

        show(_shown(plan))


def read_pilot(path: Path) -> Pilot:
    """
    Raises:
        RunDirectoryError, UsageError: no run, or too few trials.
    """
    from results.planning import Pilot
    from results.run_directory import RunDirectory

    directory = RunDirectory.open(path)
    try:
        return Pilot.of(directory.records())
    except ValueError:
        raise UsageError(
            f"{path} has fewer than two graded trials", f"finish it first: bench run --resume {path}"
        ) from None


def _tasks_of(suite: str) -> int:
    from harness.task import load_suite

    return len(load_suite(suite))


def _shown(plan: Plan) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(line) for line in _assumptions(plan)]
    if plan.hopeless:
        text = f"with {plan.tasks} tasks not even a loss on every one is evidence, whatever the attempts"
        return Group(*parts, Text(text, style="bold"), *(Text(line) for line in _more_tasks(plan)))
    if plan.effect is not None:
        if plan.options:
            parts += [Text(f"to find a loss of {plan.effect:g}:", style="bold"), _table(plan.options)]
        else:
            text = f"no number of attempts at {plan.tasks} tasks finds a loss of {plan.effect:g}"
            parts.append(Text(text, style="bold"))
        parts += [Text(line) for line in _more_tasks(plan)]
    if plan.power_for_effect is not None:
        text = f"{plan.at_attempts} attempts find a loss of {plan.effect:g} with {100 * plan.power_for_effect:.0f} %"
        parts.append(Text(text, style="bold"))
    parts += [Text("what two new runs find:"), _table(plan.ladder)]
    if plan.coarse:
        text = (
            "rough: with fewer than 12 tasks, or one attempt, many tasks come out equal; power is up to 10 points less"
        )
        parts.append(Text(text, style="dim"))
    return Group(*parts)


def _assumptions(plan: Plan) -> list[str]:
    deviation = plan.noise.variance() ** 0.5
    return [
        f"{plan.tasks} tasks; power {100 * plan.power:g} %; α {plan.alpha:g}, of which the score has "
        f"{plan.alpha_of_score:g} (the rest is for resolved and the dimensions)",
        f"mean {plan.noise.mean:.3f}; attempts at one task vary by {deviation:.3f} (standard deviation; "
        f"{plan.noise.source})",
        f"the effect varies over the tasks by {plan.spread:g} of itself (assumed)",
    ]


def _more_tasks(plan: Plan) -> list[str]:
    if plan.effect is None or plan.tasks_needed is None or plan.tasks_needed <= plan.tasks:
        return []
    return [f"with {plan.at_attempts} attempts a task, {plan.tasks_needed:,} tasks would do"]


def _table(options: tuple[Option, ...]) -> RenderableType:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for heading in ("attempts a task", "trials", "cost", "finds a loss of"):
        table.add_column(heading, justify="right")
    for option in options:
        table.add_row(
            option.name,
            str(option.attempts),
            f"{option.trials:,}",
            "unknown" if option.cost is None else f"${option.cost:,.2f}",
            "nothing" if option.detects is None else f"{option.detects:.3f}",
        )
    return table
