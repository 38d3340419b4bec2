"""Bring in what others made: a suite from a data set."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def command() -> None:
    """Bring in what others made."""


@command.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--suite", help="Which one, if the data set holds several.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The suite's folder to write.")
def suite(dataset: Path, suite: str | None, out: Path) -> None:
    """Write the suite in a data set (`bench export dataset --suite`) as a folder of tasks.

    A suite's checks and worlds are programs, and run with your rights: read them before you grade with them.
    """
    from harness.suite_files import write_suite

    tasks = write_suite(dataset, out, suite)
    where = out if out.is_absolute() else f"./{out}"
    click.echo(f"{len(tasks)} tasks; now: bench verify --suite {where}")
