"""Show, lint and compare personas, and see which clauses a suite tests.

FILE is a Markdown file or the name of a bundled persona; without it, the bundled data engineer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.errors import EXIT_FINE, EXIT_GATE_FAILED, UsageError
from results.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from harness.clauses import Clause, Reading
    from harness.clauses.coverage import Coverage, Covered
    from harness.clauses.difference import Difference
    from harness.clauses.lint import Finding
    from harness.persona import Persona

LONGEST_TEXT = 100
MOST_TASKS = 4
AS_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")
FILE = click.argument("file", metavar="[FILE]", required=False)


@click.group()
def command() -> None:
    """Read personas: what they ask for, what is wrong with them, what changed, what is tested.

    FILE is a Markdown file, or the name of a bundled persona; without it the bundled data engineer is taken.
    """


@command.command()
@FILE
@AS_JSON
def show(file: str | None, as_json: bool) -> None:
    """Show identity, clauses by section, and the contract of the deliverable."""
    persona, reading = _read(file)
    if as_json:
        from harness.clauses.plain_data import of_reading

        _echo_json(of_reading(persona, reading))
        return
    from rich.console import Group

    from harness.cli._show import show as show_on_screen

    show_on_screen(Group(*_shown_reading(persona, reading)))


@command.command()
@FILE
@AS_JSON
def lint(file: str | None, as_json: bool) -> int:
    """Find vague, untestable, contradictory, duplicated and outdated clauses.

    The exit code is 1 if there is an error; warnings alone are fine.
    """
    from harness.clauses.lint import lint as findings_of

    _, reading = _read(file)
    findings = findings_of(reading)
    if as_json:
        from harness.clauses.plain_data import of_findings

        _echo_json(of_findings(findings))
    else:
        _print_findings(findings)
    return EXIT_GATE_FAILED if any(finding.severity == "error" for finding in findings) else EXIT_FINE


@command.command()
@click.argument("old")
@click.argument("new")
@AS_JSON
def diff(old: str, new: str, as_json: bool) -> None:
    """Show which clauses were added, removed, changed or moved between OLD and NEW."""
    from harness.clauses.difference import differences

    found = differences(_read(old)[1], _read(new)[1])
    if as_json:
        from harness.clauses.plain_data import of_differences

        _echo_json(of_differences(found))
    else:
        _print_differences(found)


@command.command()
@FILE
@click.option("--suite", default="core", show_default=True, help="A bundled suite, or the path of a folder of tasks.")
@click.option("--checks", is_flag=True, help="Name every check, not only the tasks.")
@click.option(
    "--gate", is_flag=True, help="Exit with 1 if a constraint, a responsibility or the communication has a gap."
)
@AS_JSON
def coverage(file: str | None, suite: str, checks: bool, gate: bool, as_json: bool) -> int:
    """Show which check of a suite tests which clause, and what nobody tests."""
    from harness.clauses.coverage import coverage as matrix_of
    from harness.task import load_suite

    matrix = matrix_of(_read(file)[1], load_suite(suite))
    if as_json:
        from harness.clauses.plain_data import of_coverage

        _echo_json(of_coverage(matrix))
    else:
        _print_coverage(matrix, checks)
    return EXIT_GATE_FAILED if gate and (matrix.gaps or matrix.unknown) else EXIT_FINE


def _read(file: str | None) -> tuple[Persona, Reading]:
    from harness import persona
    from harness.clauses import read_persona

    loaded = persona.load(file)
    if not loaded.text:
        raise UsageError(f"the persona {loaded.name!r} is the baseline: it has no text", "name a Markdown file")
    return loaded, read_persona(loaded)


def _echo_json(data: object) -> None:
    import json

    click.echo(json.dumps(data, indent=2))


def _table(*columns: str, title: str, **settings: Any) -> Any:
    from rich.table import Table
    from rich.text import Text

    # An empty line above divides the tables.
    shown = Text(f"\n{one_line(title)}", style="bold")
    return Table(*columns, title=shown, title_justify="left", box=None, **settings)


def _cell(text: str, style: str = "") -> RenderableType:
    from rich.text import Text

    line = one_line(text)
    return Text(line if len(line) <= LONGEST_TEXT else f"{line[: LONGEST_TEXT - 1]}…", style=style)


def _shown_text(clause: Clause) -> str:
    if clause.form == "example":
        return f"example in {clause.language or 'plain text'}, {clause.lines[1] - clause.lines[0] + 1} lines"
    return clause.text


def _shown_reading(persona: Persona, reading: Reading) -> Iterable[RenderableType]:
    identity = _table(show_header=False, title=reading.identity.title or persona.name)
    for name, value in reading.identity.fields:
        identity.add_row(_cell(name, "dim"), _cell(value))
    identity.add_row(_cell("digest", "dim"), _cell(persona.digest[:16]))
    if reading.identity.role:
        identity.add_row(_cell("role", "dim"), _cell(reading.identity.role))
    yield identity
    for kind in reading.kinds:
        clauses = reading.of_kind(kind)
        if kind == "identity":
            continue
        table = _table("line", "clause", "says", title=f"{kind} ({len(clauses)})")
        for clause in clauses:
            table.add_row(_cell(str(clause.lines[0]), "dim"), _cell(clause.id), _cell(_shown_text(clause)))
        yield table
    yield _shown_contract(reading)
    for note in reading.notes:
        yield _cell(f"note: {note.says}", "yellow")


def _shown_contract(reading: Reading) -> RenderableType:
    from rich.text import Text

    if reading.contract is None:
        return _cell("\nno contract: no section says what is handed in", "yellow")
    table = _table("section", "kind", "asks for", title=f"contract of the deliverable: {reading.contract.title}")
    for section in reading.contract.sections:
        parts = ", ".join(f"{part.name} ({part.hint})" if part.hint else part.name for part in section.parts)
        table.add_row(_cell(section.name), _cell(section.kind, "dim"), Text(one_line(parts)))
    return table  # type: ignore[no-any-return]


def _print_findings(findings: list[Finding]) -> None:
    for finding in findings:
        where = f"line {finding.line}: {finding.severity}: {finding.about}"
        click.echo(one_line(f"{where}: {finding.clause or 'the text as a whole'} [{finding.rule}]"))
        if finding.quote:
            click.echo(f"  {one_line(finding.quote)}")
        click.echo(f"  {one_line(finding.says)}")
        click.echo(f"  → {one_line(finding.mend)}")
    errors = sum(finding.severity == "error" for finding in findings)
    click.echo(f"{_counted(errors, 'error')}, {_counted(len(findings) - errors, 'warning')}")


def _print_differences(found: list[Difference]) -> None:
    signs = {"added": "+", "removed": "-", "changed": "~", "moved": ">"}
    for difference in found:
        old, new = difference.old, difference.new
        names = dict.fromkeys(clause.id for clause in (old, new) if clause)
        likeness = f"  ({difference.likeness:.0%} alike)" if difference.change == "changed" else ""
        click.echo(one_line(f"{signs[difference.change]} {' → '.join(names)}{likeness}"))
        if old and difference.change != "moved":
            click.echo(f"    - {_shortened(_shown_text(old))}")
        if new and difference.change != "moved":
            click.echo(f"    + {_shortened(_shown_text(new))}")
    counts = {change: sum(difference.change == change for difference in found) for change in signs}
    click.echo(", ".join(f"{number} {change}" for change, number in counts.items()))


def _print_coverage(matrix: Coverage, with_checks: bool) -> None:
    from rich.console import Group
    from rich.text import Text

    from harness.clauses.sections import KINDS
    from harness.cli._show import show as show_on_screen

    tables = []
    for kind in KINDS:
        rows = matrix.of_kind(kind)
        if not rows:
            continue
        covered = sum(bool(row.tests) for row in rows)
        table = _table("clause", "checks", "of tasks", title=f"{kind}: {covered} of {len(rows)}")
        for row in rows:
            number = str(len(row.tests)) if row.tests else "none"
            table.add_row(
                _cell(row.clause.id),
                _cell(number, "" if row.tests else "red"),
                Text(one_line(_tested_by(row, with_checks, matrix.tasks))),
            )
        tables.append(table)
    show_on_screen(Group(*tables))
    for where, name in matrix.unknown:
        click.echo(f"unknown clause {one_line(name)!r} in {one_line(where)}")
    click.echo(
        f"\n{_counted(matrix.tasks, 'task')}; {len(matrix.rows) - len(matrix.uncovered)} of {len(matrix.rows)} clauses "
        f"are tested; {_counted(len(matrix.gaps), 'gap')} among constraints, responsibilities and communication"
    )


def _tested_by(row: Covered, with_checks: bool, tasks: int) -> str:
    if with_checks:
        return ", ".join(f"{test.task}: {test.check}{' (by its task)' * (test.by == 'task')}" for test in row.tests)
    if len(row.tasks) == tasks:
        return "all"
    more = len(row.tasks) - MOST_TASKS
    return ", ".join(row.tasks[:MOST_TASKS]) + (f" and {more} more" if more > 0 else "")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _shortened(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= LONGEST_TEXT else f"{line[: LONGEST_TEXT - 1]}…"
