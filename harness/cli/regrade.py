"""Grade a run's stored submissions again, without a model."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from harness.errors import EXIT_FINE, EXIT_INFRASTRUCTURE


@click.command()
@click.argument("path", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, help="Grades at a time.")
@click.option("--sandbox", help="Another sandbox than the run's.")
@click.option("--docker-runtime", metavar="NAME", help="Run containers under it: runsc (gVisor), kata, …")
@click.option("--suite", help="The folder of the run's suite, if that is no bundled one.")
def command(path: Path, jobs: int, sandbox: str | None, docker_runtime: str | None, suite: str | None) -> int:
    """Grade every stored submission of RUN with the checks as they are now; the old grades are kept beside."""
    from harness import agents, run
    from harness.display import display
    from harness.regrade import regrade
    from harness.sandboxes import _choice
    from results.run_directory import RunDirectory

    directory = RunDirectory.open(path)
    tasks = run.recorded_tasks(directory.record, suite, only_graders_may_differ=True)
    trusted = agents.resolve_baseline(directory.record.model) is not None
    box = _choice.choose(
        sandbox or ("docker" if docker_runtime else directory.record.sandbox),
        trusted=trusted,
        docker_runtime=docker_runtime,
    )
    with display(sys.stderr) as shown, directory.writing() as writer:
        run.prepare(box, tasks, shown)
        changed = regrade(directory, writer, tasks, box, shown, jobs)
    from harness.cli.run import report

    for line in changed:
        click.echo(line)
    click.echo(f"{len(changed)} grades changed")
    return EXIT_INFRASTRUCTURE if report(RunDirectory.open(path)) == EXIT_INFRASTRUCTURE else EXIT_FINE
