"""Did the candidate get worse than the baseline? The regression gate.

Exit codes: 0, 1 if the gate failed, 2 if the runs can't be compared.
"""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli._options import form_option
from harness.errors import EXIT_FINE, EXIT_GATE_FAILED, UsageError


@click.command()
@click.argument("baseline", type=click.Path(path_type=Path))
@click.argument("candidate", type=click.Path(path_type=Path))
@click.option(
    "--fail-on",
    type=click.Choice(["regression", "underpowered"]),
    default="regression",
    show_default=True,
    help="Exit 1 on a regression, or also if neither it nor its absence is shown.",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 1),
    default=0.02,
    show_default=True,
    help="A loss below this is accepted.",
)
@click.option("--alpha", type=click.FloatRange(0.001, 0.2), default=0.05, show_default=True, help="False-alarm rate.")
@click.option("--clauses", is_flag=True, help="Show each clause, also if the personas are the same.")
@click.option("--diffs", is_flag=True, help="Show how the two submissions of each turned task differ.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Also write JUnit XML to this file.")
@form_option("markdown", "GitHub-flavoured Markdown.")
@click.option("--report", metavar="WHERE", help="Markdown's links lead into this report: an address, or a folder.")
@form_option("json", "Everything as JSON.")
def command(
    baseline: Path,
    candidate: Path,
    fail_on: str,
    margin: float,
    alpha: float,
    clauses: bool,
    diffs: bool,
    junit: Path | None,
    form: str | None,
    report: str | None,
) -> int:
    """Compare the run CANDIDATE with the run BASELINE, task by task.

    The verdict is "regressed" (a loss is shown), "not regressed" (a loss of the margin or more is ruled out) or
    "underpowered" (neither). Runs of different tasks, worlds or graders are not compared, nor are simulated runs
    with real ones.
    """
    from results import comparison_rendering as rendering
    from results.comparison import FailOn, compare
    from results.junit import as_junit
    from results.run_directory import RunDirectory, write_whole

    if report is not None and form != "markdown":
        raise UsageError("--report is where Markdown's links lead", "add --markdown")
    found = compare(RunDirectory.open(baseline), RunDirectory.open(candidate), margin, alpha)
    reason: FailOn = "underpowered" if fail_on == "underpowered" else "regression"
    failed = found.fails(reason)
    if form == "json":
        click.echo(rendering.as_json(found, fail_on=reason, failed=failed, diffs=diffs))
    elif form == "markdown":
        click.echo(rendering.as_markdown(found, clauses=clauses, diffs=diffs, report=report or ""), nl=False)
    else:
        from harness.cli._show import show

        show(rendering.for_terminal(found, clauses=clauses, diffs=diffs))
    if junit:
        write_whole(junit, as_junit(found, reason))
    return EXIT_GATE_FAILED if failed else EXIT_FINE
