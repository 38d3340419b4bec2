"""Grade a folder that somebody made elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli._judging import appointed, judge_options
from harness.errors import EXIT_FINE, EXIT_GATE_FAILED, BenchError, UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from graders.grade import Grade
    from results.judges import Opinion


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--task", "name", required=True, help="The task the folder answers.")
@click.option("--suite", default="core", show_default=True, help="A bundled suite, or the path of a folder of tasks.")
@click.option("--sandbox", default="auto", show_default=True, help="docker, bubblewrap, or auto (the strongest).")
@click.option("--docker-runtime", metavar="NAME", help="Run containers under it: runsc (gVisor), kata, …")
@click.option("--seed", type=click.IntRange(0), help="The hidden world. Default: the first.")
@judge_options
@click.option("--json", "as_json", is_flag=True, help="The grade as JSON.")
def command(
    folder: Path,
    name: str,
    suite: str,
    sandbox: str,
    docker_runtime: str | None,
    seed: int | None,
    judge: str | None,
    judge_votes: int | None,
    judge_base_url: str | None,
    as_json: bool,
) -> int:
    """Grade FOLDER as a submission to a task. Exit code 1 if it doesn't resolve the task."""
    from graders.grade import grade
    from harness.display import display
    from harness.grading import suite_contract
    from harness.run import prepare
    from harness.sandboxes import _choice
    from harness.submission import SubmissionError, from_folder
    from harness.task import HIDDEN_SEEDS, load_suite, select

    judges = appointed(judge, judge_votes, judge_base_url)
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", "name the folder that holds the submission")
    task = select(load_suite(suite), (name,))[0]
    try:
        submission = from_folder(folder, task.takes)
    except (SubmissionError, OSError) as error:
        raise UsageError(f"{folder} can't be a submission: {error}") from None
    box = _choice.choose(sandbox, trusted=False, docker_runtime=docker_runtime)
    with display(sys.stderr) as shown:
        prepare(box, [task], shown)
        shown.note(f"grading {task.id} in {box.name}")
        graded = grade(task, submission, box, HIDDEN_SEEDS[0] if seed is None else seed, suite_contract())
        try:
            said = judges.recorded(judges.opinion(submission.deliverable)) if judges else None
        except BenchError:
            tell(graded, None, as_json)  # a judge that fails takes no grade along
            raise
    tell(graded, said, as_json)
    return EXIT_FINE if graded.resolved else EXIT_GATE_FAILED


def tell(graded: Grade, said: Opinion | None, as_json: bool) -> None:
    from harness.cli._show import show
    from harness.grading import to_json
    from results import judges_rendering

    if as_json:
        return click.echo(to_json(graded, said))
    show(for_terminal(graded))
    if said:
        show(judges_rendering.opinion_for_terminal(said))
    return None


def for_terminal(graded: Grade) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from results.text import printable

    table = Table("check", "dimension", "weight", "", "evidence")
    for check in graded.checks:
        sign = Text("passed", "green") if check.passed else Text("failed", "red")
        table.add_row(check.id, check.dimension, f"{check.weight:g}", sign, Text(printable(check.evidence)))
    verdict = "resolved" if graded.resolved else "not resolved"
    return Group(table, Text(f"{graded.task}: score {graded.score:.2f}, {verdict}"))
