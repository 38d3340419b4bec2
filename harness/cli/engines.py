"""List and build what executes submissions."""

from __future__ import annotations

import click


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Engines (drivers of real systems), environments (their locked packages) and sandboxes (where they run)."""
    if context.invoked_subcommand is None:
        context.invoke(listing)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def listing(as_json: bool) -> None:
    """What there is, how faithful it is, and what is built."""
    from harness import discovery
    from harness.sandboxes import _choice, _environments

    engines = {
        name: discovery.load("harness.engines", name).ENGINE.fidelity for name in discovery.names("harness.engines")
    }
    sandboxes = {name: _choice.load(name) for name in discovery.names("harness.sandboxes")}
    works = {name: sandbox.diagnose() for name, sandbox in sandboxes.items()}
    built = {
        environment: [
            name for name, sandbox in sandboxes.items() if works[name].works and sandbox.is_prepared(environment)
        ]
        for environment in _environments.names()
    }
    if as_json:
        import json

        whole = {
            "engines": engines,
            "environments": built,
            "sandboxes": {name: vars(diagnosis) for name, diagnosis in works.items()},
        }
        click.echo(json.dumps(whole, indent=2))
        return
    from rich.table import Table

    from harness.cli._show import show

    table = Table("engine", "what is real about it", title="Engines", title_justify="left")
    for name, fidelity in engines.items():
        table.add_row(name, fidelity)
    show(table)
    table = Table("environment", "built for", title="Environments", title_justify="left")
    for name, where in built.items():
        table.add_row(name, ", ".join(where) or "nothing yet: built at the first run, or by `bench engines build`")
    show(table)
    table = Table("sandbox", "confines", "here", title="Sandboxes", title_justify="left")
    for name, sandbox in sandboxes.items():
        table.add_row(name, "yes" if sandbox.confines else "no", works[name].detail)
    show(table)


@command.command()
@click.argument("environments", nargs=-1)
@click.option("--sandbox", default="auto", show_default=True, help="docker, bubblewrap or embedded.")
def build(environments: tuple[str, ...], sandbox: str) -> None:
    """Build ENVIRONMENTS (all without) ahead of a run."""
    from harness.sandboxes import _choice, _environments

    box = _choice.choose(sandbox, trusted=True)
    for environment in environments or _environments.names():
        _environments.lock_file(environment)
        click.echo(f"{environment} for {box.name} …", err=True)
        click.echo(f"{environment} {box.prepare(environment)}")
