"""Write runs and tasks for other tools: Hugging Face data sets, Inspect logs, ATIF trajectories, Harbor tasks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from results.run_directory import RunDirectory

RUNS = click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
OUT = click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="A folder to write.")


@click.group()
def command() -> None:
    """Write runs and tasks for other tools. RUNS are run directories, or folders of them."""


@command.command()
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--suite", multiple=True, help="Also the files of this suite (a bundled one, or a folder); may be repeated."
)
@OUT
def dataset(runs: tuple[Path, ...], suite: tuple[str, ...], out: Path) -> None:
    """Parquet tables of trials, checks, tasks and runs, which `datasets.load_dataset` opens.

    `bench leaderboard OUT` ranks them, quickly also when there are millions. Without RUNS only the suites' tasks are
    written. With --suite the data set holds what an agent must never see: publish it with care.
    """
    from harness.errors import UsageError
    from harness.suite_files import rows_of
    from harness.task import load_suite
    from results.dataset import write_dataset

    if not (runs or suite):
        raise UsageError("what is to be written?", "name runs, or a suite: bench export dataset runs/ -o OUT")
    rows = [row for name in suite for row in rows_of(load_suite(name))]
    write_dataset(out, _opened(runs), rows)
    click.echo(str(out))


@command.command()
@RUNS
@OUT
def inspect(runs: tuple[Path, ...], out: Path) -> None:
    """An Inspect log (`.eval`) of each run, for `inspect view` and `read_eval_log`."""
    from results.durable import writing
    from results.inspect_log import write_inspect_log

    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    for run in _opened(runs):
        path = out / f"{run.record.run}.eval"
        write_inspect_log(path, run)
        click.echo(str(path))


@command.command()
@RUNS
@OUT
def atif(runs: tuple[Path, ...], out: Path) -> None:
    """The trajectory of each trial in the Agent Trajectory Interchange Format (JSON)."""
    import json

    from results.atif import trajectory
    from results.durable import write_whole, writing
    from results.records import slug
    from results.transcripts import read_transcript

    for run in _opened(runs):
        for trial in run.records():
            path = out / run.record.run / slug(trial.task) / str(trial.attempt) / "trajectory.json"
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            made = trajectory(run.record, trial, read_transcript(run.trial(*trial.key).transcript))
            write_whole(path, json.dumps(made, indent=2).encode())
            click.echo(str(path))


@command.command()
@click.argument("names", metavar="[TASK]…", nargs=-1)
@click.option("--suite", default="core", show_default=True, help="A bundled suite, or the path of a folder of tasks.")
@click.option(
    "--persona",
    metavar="FILE",
    help="Whose form of the deliverable the instruction asks for: a file, a bundled one, or none. "
    "Default: data-engineer, by which it is graded.",
)
@click.option("--sandbox", default="auto", show_default=True, help="docker, bubblewrap, or auto (the strongest).")
@OUT
def harbor(names: tuple[str, ...], suite: str, persona: str | None, sandbox: str, out: Path) -> None:
    """Tasks (ids or globs) as tasks of Harbor, which `harbor run -p OUT` runs and grades.

    A folder each, with what an agent must never see (tests/, solution/): publish them with care. Without TASKS all that
    can be exported.
    """
    from harness import persona as personas
    from harness.display import display
    from harness.errors import UsageError
    from harness.harbor.export import write_task
    from harness.run import prepare, runnable
    from harness.sandboxes import _choice
    from harness.task import load_suite, select

    tasks = select(load_suite(suite), names)
    asking = personas.load(persona)
    for task in tasks:
        if (out / task.slug).exists():
            raise UsageError(f"{out / task.slug} exists already", "name another folder, or remove it")
    box = _choice.choose(sandbox, trusted=False)
    with display(sys.stderr) as shown:
        tasks = runnable(box, tasks, shown, named=bool(names))
        prepare(box, tasks, shown)
    for task in tasks:
        try:
            write_task(task, out / task.slug, asking, box)
        except UsageError as error:
            if names:
                raise
            click.echo(f"left out: {task.id}: {error.problem}", err=True)
        else:
            click.echo(str(out / task.slug))


def _opened(folders: tuple[Path, ...]) -> list[RunDirectory]:
    """The runs at or below the folders; a folder without one is an error."""
    from results.run_directory import RunDirectory, find_runs

    found = {path.resolve(): path for folder in folders for path in find_runs(folder) or [folder]}
    return [RunDirectory.open(path) for path in found.values()]
