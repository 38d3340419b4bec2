"""Say what differs on this machine: sandboxes, versions, worlds, room, clock. Exit code 1 or 3 if something does."""

from __future__ import annotations

import click


@click.command()
@click.option("--suite", default="core", show_default=True, help="A bundled suite, or the path of a folder of tasks.")
@click.option("--record-worlds", is_flag=True, help="Write the digests of the worlds down, in each task's worlds.toml.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(suite: str, record_worlds: bool, as_json: bool) -> int:
    """Look at everything a grade depends on here, and say what differs from where the suite was proven.

    Kernel, Python, cores, memory and disk against the tasks' limits, the clock; whether each sandbox works and its
    walls hold; the versions of engines in what is built against the lock files; the suite's worlds against their
    recorded digests. Exit codes: 0 fine, 1 something differs, 3 something can't run, or nothing here confines.
    """
    import json

    from harness import worlds
    from harness.cli._show import show
    from harness.doctor import examine
    from harness.task import load_suite

    tasks = load_suite(suite)
    if record_worlds:
        for task in tasks:
            if not task.manifest.foreign:
                worlds.record(task)
    found = examine(tasks, lambda step: click.echo(step, err=True))
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2))
        return found.exit_code
    from rich.table import Table
    from rich.text import Text

    from results.text import printable

    styles = {"fine": "green", "differs": "yellow", "broken": "red"}
    table = Table("", "", "seen here")
    for finding in found.findings:
        seen = f"{finding.seen}\n{finding.mend}" if finding.mend else finding.seen
        table.add_row(finding.about, Text(finding.judgement, styles[finding.judgement]), printable(seen))
    show(table)
    if not found.confines:
        click.echo("nothing here confines: baselines run, models don't", err=True)
    return found.exit_code
