"""Grade a run's stored submissions again, without asking the agent's model."""

from __future__ import annotations

import os
import sys
from decimal import Decimal
from pathlib import Path

import click

from harness.cli._judging import MAX_COST, PRICES, appointed, judge_options
from harness.errors import EXIT_FINE, EXIT_INFRASTRUCTURE, EXIT_INTERRUPTED, UsageError


@click.command()
@click.argument("path", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, help="Grades at a time.")
@click.option("--sandbox", help="Another sandbox than the run's.")
@click.option("--docker-runtime", metavar="NAME", help="Run containers under it: runsc (gVisor), kata, …")
@click.option("--suite", help="The folder of the run's suite, if that is no bundled one.")
@judge_options
@MAX_COST
@PRICES
def command(
    path: Path,
    jobs: int,
    sandbox: str | None,
    docker_runtime: str | None,
    suite: str | None,
    judge: str | None,
    judge_votes: int | None,
    judge_base_url: str | None,
    max_cost: Decimal | None,
    prices: Path | None,
) -> int:
    """Grade every stored submission of RUN with the checks as they are now; the old grades are kept beside.

    After a kill or Ctrl-C the same command grades only the rest.
    """
    from harness import agents, run
    from harness.budgets import Budgets, RunBudget
    from harness.display import display
    from harness.judge.trials import judge_run
    from harness.regrade import regrade
    from harness.sandboxes import _choice
    from harness.sandboxes._leftovers import end_at_once
    from harness.side_by_side import Interrupted
    from results.run_directory import RunDirectory

    directory = RunDirectory.open(path)
    tasks = run.recorded_tasks(directory.record, suite, only_graders_may_differ=True)
    if max_cost is not None and judge is None:
        raise UsageError("grading again costs nothing; --max-cost is for a judge", "leave it out, or add --judge MODEL")
    judges = appointed(judge, judge_votes, judge_base_url, RunBudget(Budgets(max_cost=max_cost)), prices)
    trusted = agents.resolve_baseline(directory.record.model) is not None
    box = _choice.choose(
        sandbox or ("docker" if docker_runtime else directory.record.sandbox),
        trusted=trusted,
        docker_runtime=docker_runtime,
    )
    try:
        with display(sys.stderr) as shown, directory.writing() as writer:
            environments = run.prepare(box, tasks, shown)
            changed = regrade(writer, tasks, box, environments, shown, jobs)
            if judges:
                judge_run(writer, judges, shown)
    except Interrupted:
        click.echo("interrupted; the same command goes on", err=True)
        return EXIT_INTERRUPTED
    except KeyboardInterrupt:
        end_at_once(box.name, EXIT_INTERRUPTED)
    from harness.cli.run import report

    for line in changed:
        click.echo(line)
    click.echo(f"{len(changed)} grades changed")
    return EXIT_INFRASTRUCTURE if report(RunDirectory.open(path), suite) == EXIT_INFRASTRUCTURE else EXIT_FINE
