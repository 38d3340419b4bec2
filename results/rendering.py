"""Leaderboards as text: for a terminal, as Markdown, JSON and CSV. The unknown is never shown as 0."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from results.leaderboard import Leaderboard
from results.text import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

Row = dict[str, Any]

UNKNOWN = "unknown"
NOTHING = "–"
HEADINGS = {
    "#": "right",
    "rank": "left",
    "model": "left",
    "agent": "left",
    "persona": "left",
    "score": "left",
    "resolved": "left",
    "pass^k": "left",
    "coverage": "right",
    "cost": "right",
    "tokens in/out": "right",
    "working time": "right",
}
STACKED_HEADINGS = {
    "#": "right",
    "rank": "left",
    "configuration": "left",
    "score": "left",
    "resolved": "left",
    "graded": "left",
    "cost": "right",
    "tokens": "right",
    "time": "right",
}


def as_json(boards: Sequence[Leaderboard]) -> str:
    """``{"tables": [{suite, tasks, simulated, by, part, rows: […]}]}``; costs are decimal strings, unknown is null."""
    tables = [
        {
            "suite": board.suite,
            "tasks": board.tasks,
            "simulated": board.simulated,
            "by": board.by,
            "part": board.part,
            "rows": [_nested(row, board.dimensions) for row in board.rows()],
        }
        for board in boards
    ]
    return json.dumps({"tables": tables}, indent=2, default=str)


def _nested(row: Row, dimensions: list[str]) -> Row:
    of_dimensions = {f"{part}.{name}" for name in dimensions for part in ("dimension", "low", "high")}
    return {
        **{name: value for name, value in row.items() if name not in of_dimensions},
        "dimensions": {
            name: {"score": row[f"dimension.{name}"], "low": row[f"low.{name}"], "high": row[f"high.{name}"]}
            for name in dimensions
        },
    }


def as_csv(boards: Sequence[Leaderboard]) -> str:
    """A block with its own header for each table, an empty line between two; unknown is an empty field."""
    blocks = []
    for board in boards:
        frame = board.frame.map(lambda value: one_line(value) if isinstance(value, str) else value)
        frame.columns = frame.columns.map(one_line)
        frame.insert(0, "suite", one_line(board.suite))
        frame.insert(1, "tasks", len(board.tasks))
        if board.by:
            frame.insert(2, board.by, one_line(board.part or ""))
        blocks.append(frame.to_csv(index=False))
    return "\n".join(blocks)


def as_markdown(boards: Sequence[Leaderboard]) -> str:
    """A heading and two tables (results, dimensions) for each leaderboard."""
    parts = []
    for board in boards:
        rows = board.rows()
        parts.append(f"## {escaped(board.title)}\n")
        results = [cells(number, row) for number, row in enumerate(rows, start=1)]
        parts.append(markdown_table(list(HEADINGS), list(HEADINGS.values()), results))
        if board.dimensions:
            header = ["dimension", *(f"#{number}" for number in range(1, len(rows) + 1))]
            lines = [[name, *(_number(row[f"dimension.{name}"]) for row in rows)] for name in board.dimensions]
            parts.append(markdown_table(header, ["left", *["right"] * len(rows)], lines))
        parts += [f"{escaped(note)}\n" for note in notes(rows)]
    return "\n".join(parts)


def markdown_table(header: list[str], sides: list[str], rows: list[list[str]]) -> str:
    rule = ["--:" if side == "right" else ":--" for side in sides]
    lines = [header, rule, *([escaped(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def escaped(text: str) -> str:
    """Anybody's text as one line of Markdown that says what it says."""
    escaped = one_line(text).replace("\\", "\\\\")
    for character in "|<*_`[":
        escaped = escaped.replace(character, f"\\{character}")
    return escaped


def for_terminal(boards: Sequence[Leaderboard]) -> RenderableType:
    """Two tables for each leaderboard: results by configuration, and dimensions with a column for each."""
    from rich.console import Group

    return Group(*(part for board in boards for part in _board_for_terminal(board)))


def _board_for_terminal(board: Leaderboard) -> list[RenderableType]:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = board.rows()
    # The digest of a persona is shown only where its name doesn't tell it from another.
    personas = {(row["persona"], row["persona_digest"]) for row in rows}
    personas_differ = len(personas) > len({name for name, _ in personas})
    style = "bold magenta" if board.simulated else "bold"
    results = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading, side in STACKED_HEADINGS.items():
        folds = heading == "configuration"
        justify: Literal["left", "right"] = "right" if side == "right" else "left"
        results.add_column(heading, justify=justify, overflow="fold", no_wrap=not folds)
    for number, row in enumerate(rows, start=1):
        results.add_row(*(Text(cell) for cell in _stacked_cells(number, row, personas_differ)))
    parts: list[RenderableType] = [Text(one_line(board.title), style=style), results]
    if board.dimensions:
        dimensions = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        dimensions.add_column("dimension", no_wrap=True)
        for number in range(1, len(rows) + 1):
            dimensions.add_column(f"#{number}", justify="right", no_wrap=True)
        for name in board.dimensions:
            values = [_number(row[f"dimension.{name}"]) for row in rows]
            dimensions.add_row(Text(one_line(name)), *(Text(value) for value in values))
        parts.append(dimensions)
    parts += [Text(note, style="dim") for note in notes(rows)]
    return [*parts, Text("")]


def cells(number: int, row: Row) -> list[str]:
    """A row of the table of results, in the order of ``HEADINGS``, each cell one line free of terminal commands."""
    shown = [
        f"#{number}",
        _rank(row),
        f"{_model(row)} {row['parameters']}",
        row["agent"],
        _persona(row),
        f"{_number(row['score'])} {_bracketed(_interval(row, 'score'))}",
        f"{_percent(row['resolved'])} {_bracketed(_interval(row, 'resolved'))}",
        _hat(row),
        f"{row['graded']}/{row['planned']}{_partial(row)}",
        _money(row["cost"]),
        f"{_count(_all_input(row))}/{_count(row['output_tokens'])}",
        duration(row["working_seconds"]),
    ]
    return [one_line(cell) for cell in shown]


def _stacked_cells(number: int, row: Row, personas_differ: bool) -> list[str]:
    """The same in cells of several lines, so that a table fits into 80 columns."""
    persona = _persona(row) if personas_differ else row["persona"]
    cells = [
        [f"#{number}"],
        [_rank(row)],
        [_model(row), f"{row['agent']} · {persona}", row["parameters"]],
        [_number(row["score"]), _interval(row, "score")],
        [_percent(row["resolved"]), _interval(row, "resolved")],
        [f"{row['graded']}/{row['planned']}", _partial(row)],
        [_money(row["cost"])],
        [f"{_count(_all_input(row))} in", f"{_count(row['output_tokens'])} out"],
        [duration(row["working_seconds"])],
    ]
    return ["\n".join(one_line(line) for line in lines).rstrip() for lines in cells]


def _model(row: Row) -> str:
    return f"{row['model']} (simulated)" if row["simulated"] else str(row["model"])


def _persona(row: Row) -> str:
    digest = row["persona_digest"][:7]
    return f"{row['persona']}@{digest}" if digest else str(row["persona"])


def _partial(row: Row) -> str:
    return " partial" if row["state"] == "partial" else ""


def notes(rows: list[Row]) -> list[str]:
    """What a reader must know before believing the numbers, and what follows from several rows."""
    found = []
    for number, row in enumerate(rows, start=1):
        if row["state"] == "partial":
            left = row["planned"] - row["graded"] - row["invalid"]
            found.append(f"#{number} is partial: {left} of {_trials(row['planned'])} not finished")
        if row["invalid"]:
            found.append(
                f"#{number}: {_trials(row['invalid'])} invalid (the world failed) and left out; "
                f"counted as zero, the score is {_number(row['score_invalid_as_zero'])}"
            )
        if row["k"] is not None:
            k, at, hat = row["k"], 100 * row["pass_at_k"], 100 * row["pass_hat_k"]
            found.append(f"#{number}: pass@{k} {at:.0f}% (any of {k} attempts), pass^{k} {hat:.0f}% (all of them)")
        if row["lift"] is not None:
            found.append(f"#{number}: the persona adds {_lift(row)} to the score of the same model without one")
    if any(row["tied"] for row in rows):
        found.append("rows of one rank (=) are not told apart by their tasks, whatever the order")
    front = [f"#{number}" for number, row in enumerate(rows, start=1) if row["front"]]
    if len(rows) > 1 and front:
        found.append(f"no other row scores as much for less money a trial: {', '.join(front)}")
    return found


def _lift(row: Row) -> str:
    interval = "" if row["lift_low"] is None else f" ({row['lift_low']:+.2f} to {row['lift_high']:+.2f})"
    return f"{row['lift']:+.2f}{interval}, p {row['lift_p']:.3f},"


def _rank(row: Row) -> str:
    return NOTHING if row["rank"] is None else f"{row['rank']}{'=' if row['tied'] else ''}"


def _hat(row: Row) -> str:
    return NOTHING if row["k"] is None else f"{_percent(row['pass_hat_k'])} (k = {row['k']})"


def _trials(number: int) -> str:
    return f"{number} trial" if number == 1 else f"{number} trials"


def _interval(row: Row, name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if low is None or high is None:
        return ""
    if name == "resolved":
        return f"{100 * low:.0f}–{100 * high:.0f}%"
    return f"{low:.2f}–{high:.2f}"


def _bracketed(interval: str) -> str:
    return f"({interval})" if interval else ""


def _all_input(row: Row) -> int:
    return int(row["input_tokens"] + row["cache_read_tokens"] + row["cache_write_tokens"])


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.0f}%"


def _money(cost: Decimal | None) -> str:
    return UNKNOWN if cost is None else f"${cost:.2f}"


def _count(number: int) -> str:
    if number < 10_000:
        return str(number)
    return f"{number / 1000:.0f}k" if number < 999_500 else f"{number / 1_000_000:.1f}M"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return NOTHING
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60}:{whole % 60:02}"
