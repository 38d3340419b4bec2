"""What ``run``, ``grade``, ``regrade`` and ``judge`` share: the judge's options, and asking it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli._options import DOLLARS
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.budgets import RunBudget
    from harness.judge.trials import Appointed
    from results.run_directory import RunDirectory

Command = Callable[..., Any]

VOTES = click.option(
    "--judge-votes", type=click.IntRange(1, 25), help="Its votes on each rubric; the majority counts. Default: 3."
)
BASE_URL = click.option("--judge-base-url", help="Where an openai-compatible judge answers.")
MAX_COST = click.option("--max-cost", type=DOLLARS, help="What the judge may cost. Needs a known price.")
PRICES = click.option(
    "--prices", type=click.Path(path_type=Path), help="A TOML price table that goes before the bundled one."
)


def judge_options(command: Command) -> Command:
    """``--judge``, ``--judge-votes``, ``--judge-base-url``."""
    judge = click.option("--judge", help="A model that is asked what no rule can tell. It changes no score.")
    return judge(VOTES(BASE_URL(command)))


def appointed(
    judge: str | None,
    votes: int | None,
    base_url: str | None,
    budget: RunBudget | None = None,
    prices: Path | None = None,
) -> Appointed | None:
    """The judge that was asked for, connected; ``None`` if none was.

    Raises:
        UsageError: it can't be one, or its options were given without it.
    """
    if judge is None:
        if votes is not None or base_url is not None:
            raise UsageError("which judge?", "--judge MODEL, such as --judge anthropic/NAME")
        return None
    from harness.budgets import RunBudget
    from harness.judge.asking import DEFAULT_VOTES
    from harness.judge.trials import appoint
    from harness.models._prices import load_prices

    return appoint(judge, base_url, votes or DEFAULT_VOTES, budget or RunBudget(), load_prices(prices))


def show_judges(directory: RunDirectory) -> None:
    """What judges said of a run; nothing if none was asked."""
    from results import judges, judges_rendering

    found = judges.judges(directory)
    if found:
        from harness.cli._show import show

        show(judges_rendering.for_terminal([judges.summary(directory, judge) for judge in found]))
