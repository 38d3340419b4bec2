"""Bring in what others made: a suite from a data set, tasks of Harbor."""

from __future__ import annotations

import sys
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


@command.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The suite's folder to write.")
@click.option(
    "--allow-network", is_flag=True, help="Agents and verifiers get the network where their task asks for it."
)
@click.option("--allow-walls", is_flag=True, help="Verifiers that put up walls of their own get the rights for it.")
@click.option("--docker-runtime", metavar="NAME", help="Run containers under it: runsc (gVisor), kata, …")
def harbor(folder: Path, out: Path, allow_network: bool, allow_walls: bool, docker_runtime: str | None) -> None:
    """Write a suite of a task of Harbor's, or of a FOLDER of them: `bench run --suite OUT` runs it with our agents.

    Docker builds their images now, which runs what stands in their Dockerfiles, and their solutions are run: read them
    before.
    """
    from harness.display import display
    from harness.harbor.bring import Granted, bring
    from harness.sandboxes import _choice

    box = _choice.choose("docker", trusted=False, docker_runtime=docker_runtime)
    with display(sys.stderr) as shown:
        tasks = bring(folder, out, Granted(allow_network, allow_walls), box, shown.note)
    where = out if out.is_absolute() else f"./{out}"
    click.echo(f"{len(tasks)} tasks; now: bench run --suite {where} --sandbox docker --model reference")
