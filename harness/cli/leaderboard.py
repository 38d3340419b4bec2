"""Rank the configurations of finished and unfinished runs.

Only what is comparable shares a table: the same tasks, and either real or simulated results.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli._options import form_option
from harness.cli._runs import no_run_below
from results.errors import RunDirectoryError
from results.text import one_line

if TYPE_CHECKING:
    from results.leaderboard import By, Run


@click.command()
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--by",
    type=click.Choice(["dimension", "technology", "responsibility", "difficulty"]),
    help="A table for each of them instead of one in all.",
)
@form_option("markdown", "Tables in Markdown.")
@form_option("json", "Everything as JSON.")
@form_option("csv", "All columns as CSV, one block a table.")
@form_option("html", "A page that stands alone, without a script.")
def command(runs: tuple[Path, ...], by: By | None, form: str | None) -> None:
    """Rank the configurations (model, agent, persona, parameters) of RUNS.

    RUNS are run directories, folders of them, or datasets that `bench export dataset` wrote; without any: all
    below ./runs. Intervals are at 95 %, with
    the task as unit. Unfinished runs are marked as partial; simulated results never share a table with real
    ones.
    """
    from results import rendering
    from results.dataset import is_dataset, tally_dataset
    from results.leaderboard import leaderboards, leaderboards_of

    datasets = [path for path in runs if is_dataset(path)]
    folders = tuple(path for path in runs if path not in datasets)
    boards = [board for path in datasets for board in leaderboards_of(tally_dataset(path), by)]
    if folders or not datasets:
        boards += leaderboards(_read(folders or (Path("runs"),), named=bool(runs)), by)
    if form == "json":
        click.echo(rendering.as_json(boards))
    elif form == "csv":
        click.echo(rendering.as_csv(boards), nl=False)
    elif form == "html":
        from results.rendering_html import as_html

        click.echo(as_html(boards), nl=False)
    elif form == "markdown":
        click.echo(rendering.as_markdown(boards), nl=False)
    else:
        from harness.cli._show import show

        show(rendering.for_terminal(boards))


def _read(folders: tuple[Path, ...], named: bool) -> list[Run]:
    """The runs in the folders, each once. A run that can't be read is an error if it was named, else a warning."""
    from results.copies import copies
    from results.leaderboard import Run
    from results.run_directory import RunDirectory, find_runs

    found: dict[Path, tuple[Path, Run]] = {}
    for folder in folders:
        paths = find_runs(folder)
        if not paths and named:
            RunDirectory.open(folder)  # says what is wrong with it
        for path in paths:
            try:
                found[path.resolve()] = path, Run.read(RunDirectory.open(path))
            except RunDirectoryError as error:
                if path in folders:
                    raise
                click.echo(f"left out: {one_line(error.problem)}", err=True)
    if not found:
        raise no_run_below(folders)
    runs = dict(found.values())
    left_out = copies(runs)
    for problem in left_out.values():
        click.echo(f"left out: {one_line(problem)}", err=True)
    return [run for path, run in runs.items() if path not in left_out]
