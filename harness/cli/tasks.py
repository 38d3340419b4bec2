"""List the tasks of a suite, or show one."""

from __future__ import annotations

import click


@click.command()
@click.argument("names", metavar="[TASK]…", nargs=-1)
@click.option("--suite", default="core", show_default=True, help="A bundled suite, or the path of a folder of tasks.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(names: tuple[str, ...], suite: str, as_json: bool) -> None:
    """List tasks (ids or globs); a single named one is shown with its ticket."""
    import json

    from harness.task import load_suite, select

    tasks = select(load_suite(suite), names)
    if as_json:
        rows = [{**task.manifest.model_dump(mode="json"), "digest": task.digest} for task in tasks]
        click.echo(json.dumps(rows, indent=2))
        return
    from rich.table import Table

    from harness.cli._show import show
    from results.text import one_line, printable

    table = Table("task", "title", "kind", "difficulty", "engines")
    for task in tasks:
        manifest = task.manifest
        engines = one_line(", ".join(manifest.engines))
        table.add_row(task.id, one_line(manifest.title), manifest.kind, manifest.difficulty, engines)
    show(table)
    if len(tasks) == 1 and names:
        click.echo(printable(tasks[0].instruction))
