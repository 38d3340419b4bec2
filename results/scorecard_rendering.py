"""Scorecards as text, one or several side by side: for a terminal, as GitHub-flavoured Markdown, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from results.rendering import NOTHING, escaped, markdown_table
from results.scorecard import ClauseRow, Failing, Scorecard
from results.text import one_line, printable

if TYPE_CHECKING:
    from rich.console import RenderableType

# What a run's persona says of a clause, by the clause's name; of a clause that isn't there, it says nothing.
Says = Mapping[str, str]

NOT_SAID = "not said"
NOT_TESTED = "not tested"  # the persona says it, and no check of the run's tasks names it
EVIDENCE = 200  # characters of a failed check that are shown


def for_terminal(cards: Sequence[Scorecard], says: Sequence[Says]) -> RenderableType:
    """A table of the clauses, then the trials that didn't obey, then what to know."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings(cards):
        table.add_column(heading, overflow="fold")
    for cells in rows_of(cards, says):
        table.add_row(*map(Text, cells))
    parts: list[RenderableType] = [Text(line) for line in about(cards)]
    parts.append(table)
    for card in cards:
        for row in card.rows:
            if row.failing:
                parts.append(Text(missed(card, row, cards), style="red"))
                parts += [Text(f"  {_trial(one)}  {one_line(str(one.folder.path))}") for one in row.failing]
    parts += [Text(f"note: {note}", style="dim") for note in notes(cards)]
    return Group(*parts)


def as_markdown(cards: Sequence[Scorecard], says: Sequence[Says]) -> str:
    """For a comment on a pull request; the failing trials are folded, each a link to its folder."""
    head = headings(cards)
    parts = [f"{escaped(line)}  " for line in about(cards)]
    parts += ["", markdown_table(head, ["left"] * len(head), rows_of(cards, says))]
    for card in cards:
        for row in card.rows:
            if row.failing:
                lines = "\n".join(f"- {_link(one)}" for one in row.failing)
                parts.append(
                    f"<details><summary>{escaped(missed(card, row, cards))}</summary>\n\n{lines}\n</details>\n"
                )
    parts += [f"- note: {escaped(note)}" for note in notes(cards)]
    return "\n".join(parts) + "\n"


def as_json(cards: Sequence[Scorecard], says: Sequence[Says]) -> str:
    """``{"runs": [{run, persona, clauses: [{clause, obeyed, trials, rate, low, high, …}]}]}``; unknown is null."""
    runs = [_card_object(card, said) for card, said in zip(cards, says, strict=True)]
    return json.dumps({"runs": runs}, indent=2)


def _card_object(card: Scorecard, said: Says) -> dict[str, Any]:
    record = card.directory.record
    return {
        "run": str(card.directory.path),
        "model": record.model,
        "persona": {"name": record.persona.name, "digest": record.persona.digest},
        "simulated": record.simulated,
        "coverage": {**asdict(card.coverage), "missing": card.coverage.missing},
        "clauses": [{**row_object(row), "says": said.get(row.clause)} for row in card.rows],
    }


def row_object(row: ClauseRow) -> dict[str, Any]:
    """A row as plain data."""
    return {
        "clause": row.clause,
        "obeyed": row.obeyed,
        "trials": row.trials,
        "rate": row.estimate.value,
        "low": row.estimate.low,
        "high": row.estimate.high,
        "tasks": row.estimate.tasks,
        "checks": row.checks,
        "failing": [
            {
                "task": one.task,
                "attempt": one.attempt,
                "checks": [{"id": check, "evidence": printable(evidence)} for check, evidence in one.checks],
                "folder": str(one.folder.path),
            }
            for one in row.failing
        ],
    }


# The words that all forms share


def about(cards: Sequence[Scorecard]) -> list[str]:
    """One line a run: which it is."""
    lines = []
    for number, card in enumerate(cards, start=1):
        record = card.directory.record
        persona = f"{record.persona.name}@{record.persona.digest[:7]}" if record.persona.digest else record.persona.name
        simulated = "SIMULATED · " if record.simulated else ""
        label = f"#{number}  " if len(cards) > 1 else ""
        lines.append(one_line(f"{label}{simulated}{record.model} · {persona} · {card.directory.path}"))
    return lines


def headings(cards: Sequence[Scorecard]) -> list[str]:
    if len(cards) == 1:
        return ["clause", "obeyed", "interval (95 %)", "tasks", "the persona says"]
    return ["clause", *(f"#{number} obeyed (95 %)" for number in range(1, len(cards) + 1))]


def rows_of(cards: Sequence[Scorecard], says: Sequence[Says]) -> list[list[str]]:
    """The table's cells, in the order of ``headings``."""
    if len(cards) == 1:
        return [
            [
                one_line(row.clause),
                f"{row.obeyed} of {row.trials}",
                interval(row) or NOTHING,
                str(row.estimate.tasks),
                one_line(says[0].get(row.clause) or NOT_SAID),
            ]
            for row in cards[0].rows
        ]
    names = sorted({row.clause for card in cards for row in card.rows})
    return [[one_line(name), *_side_by_side(name, cards, says)] for name in names]


def _side_by_side(name: str, cards: Sequence[Scorecard], says: Sequence[Says]) -> Iterator[str]:
    for card, said in zip(cards, says, strict=True):
        row = card.row(name)
        if name in said:
            yield obeyed(row) if row else NOT_TESTED
        else:
            yield f"{obeyed(row)}, {NOT_SAID}"


def obeyed(row: ClauseRow | None) -> str:
    """``22 of 24 (73–98 %)``."""
    if row is None:
        return NOTHING
    known = interval(row)
    return f"{row.obeyed} of {row.trials}{f' ({known})' if known else ''}"


def interval(row: ClauseRow) -> str:
    low, high = row.estimate.low, row.estimate.high
    return "" if low is None or high is None else f"{100 * low:.0f}–{100 * high:.0f} %"


def missed(card: Scorecard, row: ClauseRow, cards: Sequence[Scorecard]) -> str:
    label = f"#{cards.index(card) + 1}: " if len(cards) > 1 else ""
    return one_line(f"{label}{row.clause}: not obeyed in {len(row.failing)} of {row.trials} trials")


def notes(cards: Sequence[Scorecard]) -> list[str]:
    found = ["a trial obeys a clause if every check that names it passed; intervals have the task as unit"]
    for number, card in enumerate(cards, start=1):
        label = f"#{number}: " if len(cards) > 1 else ""
        if card.coverage.missing > 0:
            found.append(f"{label}{card.coverage.missing} of {card.coverage.planned} trials are not finished")
        if card.coverage.invalid:
            found.append(f"{label}{card.coverage.invalid} trials are invalid (the world failed) and left out")
    return found


def _trial(one: Failing) -> str:
    return one_line(f"{one.task} #{one.attempt}  {', '.join(check for check, _ in one.checks)}")


def _link(one: Failing) -> str:
    evidence = "; ".join(f"{check}: {_shortened(text)}" for check, text in one.checks)
    return f"[{escaped(f'{one.task} #{one.attempt}')}]({quote(one.folder.path.as_posix())}) {escaped(evidence)}"


def _shortened(evidence: str) -> str:
    text = one_line(evidence) or "no evidence given"
    return text if len(text) <= EVIDENCE else f"{text[:EVIDENCE]}…"
