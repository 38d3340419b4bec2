"""Start a new task from a template."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def command() -> None:
    """Start something new from a template."""


@command.command()
@click.argument("name", metavar="TECHNOLOGY/NAME")
@click.option(
    "--suite", default="tasks/core", show_default=True, help="The suite's folder, or the name of one in ./tasks."
)
@click.option("--engine", help="postgres, duckdb, dbt or airflow. Default: TECHNOLOGY if it is one, else postgres.")
def task(name: str, suite: str, engine: str | None) -> None:
    """Write a task that `bench verify` proves as it stands; its files say what to replace."""
    from harness.scaffold import engines, make_task

    technology = name.partition("/")[0]
    folder = Path(suite) if "/" in suite or Path(suite).is_dir() else Path("tasks", suite)
    made = make_task(name, folder, engine or (technology if technology in engines() else "postgres"))
    for path in sorted(path for path in made.rglob("*") if path.is_file()):
        click.echo(str(path))
    where = folder if folder.is_absolute() else f"./{folder}"
    click.echo(f"now: bench verify {name} --suite {where}", err=True)
