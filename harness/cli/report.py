"""Write a site of static pages: leaderboard, runs, tasks, trials, comparisons.

It needs no server and asks for nothing from outside.
"""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli._runs import no_run_below


@click.command()
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("site"),
    show_default=True,
    help="The folder; the report that is in it is replaced.",
)
@click.option("--baseline", type=click.Path(path_type=Path), help="Compare every run with this one.")
def command(runs: tuple[Path, ...], output: Path, baseline: Path | None) -> None:
    """Write a report of RUNS (run directories, or folders of them; without any: all below ./runs) as a static site.

    Open its index.html from disk, or put the folder on any static host. A run below a folder that can't be read is
    left out, and named on the first page.
    """
    from results.report import Site, read, write_site
    from results.run_directory import find_runs
    from results.text import one_line

    folders = runs or (Path("runs"),)
    if not (runs or find_runs(*folders)):
        raise no_run_below(folders)
    source = read(folders, baseline)
    for problem in source.left_out:
        click.echo(f"left out: {one_line(problem)}", err=True)
    if not source.runs:
        raise no_run_below(folders)
    write_site(Site(source), output)
    trials = sum(len(run.trials) for run in source.runs)
    click.echo(f"{output / 'index.html'}: {len(source.runs)} runs, {trials} trials")
