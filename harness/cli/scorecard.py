"""Show which clauses of the persona a run obeyed, in how many trials, and which trials didn't."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli._options import form_option

if TYPE_CHECKING:
    from results.scorecard import Scorecard


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@form_option("markdown", "GitHub-flavoured Markdown.")
@form_option("json", "Everything as JSON.")
def command(runs: tuple[Path, ...], form: str | None) -> None:
    """Show by clause of the persona in how many trials of each RUN it was obeyed; several runs stand side by side.

    A trial obeys a clause if every check that names it passed. Clauses that no check of the run's tasks names are
    not shown: `bench persona coverage` lists them.
    """
    from results import scorecard_rendering as rendering
    from results.run_directory import RunDirectory
    from results.scorecard import scorecard

    cards = [scorecard(RunDirectory.open(path)) for path in runs]
    clauses = {row.clause for card in cards for row in card.rows}
    says = [_said(card, clauses) for card in cards]
    if form == "json":
        click.echo(rendering.as_json(cards, says))
    elif form == "markdown":
        click.echo(rendering.as_markdown(cards, says), nl=False)
    else:
        from harness.cli._show import show

        show(rendering.for_terminal(cards, says))


def _said(card: Scorecard, clauses: Iterable[str]) -> dict[str, str]:
    """What the run's persona says, in its own words, of each of the clauses that it says."""
    from harness.clauses import own_clauses, read_persona
    from harness.persona import Persona

    record = card.directory.record.persona
    reading = read_persona(Persona(record.name, record.text))
    own = {name: own_clauses(reading, name) for name in clauses}
    return {
        name: f"line {found[0].lines[0]}: {found[0].text}{f' (and {len(found) - 1} more)' * (len(found) > 1)}"
        for name, found in own.items()
        if found
    }
