"""Leaderboards as one HTML page: it stands alone, runs no script and asks no server for anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from results.leaderboard import Leaderboard
from results.rendering import HEADINGS, cells, notes
from results.text import one_line

STYLE = """
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
caption { font-weight: 600; padding: .5rem 0; text-align: left }
th, td { border-bottom: 1px solid #8886; padding: .3rem .7rem; text-align: left; vertical-align: top }
th.right, td.right { text-align: right }
"""


def as_html(boards: Sequence[Leaderboard]) -> str:
    """A table of results for each leaderboard, one of dimensions below it, and its notes."""
    body = "\n".join(part for board in boards for part in _board(board))
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Leaderboard</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Leaderboard</h1>\n{body}\n"
        "</body>\n</html>\n"
    )


def _board(board: Leaderboard) -> Iterator[str]:
    rows = board.rows()
    yield f"<h2>{_safe(board.title)}</h2>"
    results = [cells(number, row) for number, row in enumerate(rows, start=1)]
    yield _table("Results", list(HEADINGS), list(HEADINGS.values()), results)
    if board.dimensions:
        header = ["dimension", *(f"#{number}" for number in range(1, len(rows) + 1))]
        values = [
            [name, *("–" if (value := row[f"dimension.{name}"]) is None else f"{value:.2f}" for row in rows)]
            for name in board.dimensions
        ]
        yield _table("Dimensions", header, ["left", *["right"] * len(rows)], values)
    if said := notes(rows):
        yield f"<ul>{''.join(f'<li>{_safe(note)}</li>' for note in said)}</ul>"


def _table(caption: str, header: list[str], sides: list[str], rows: list[list[str]]) -> str:
    head = "".join(
        f'<th scope="col" class="{side}">{_safe(name)}</th>' for name, side in zip(header, sides, strict=True)
    )
    body = "\n".join(f"<tr>{_row(row, sides)}</tr>" for row in rows)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{_safe(caption)}"><table>'
        f"<caption>{_safe(caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _row(row: list[str], sides: list[str]) -> str:
    return "".join(f'<td class="{side}">{_safe(cell)}</td>' for cell, side in zip(row, sides, strict=True))


def _safe(text: str) -> str:
    return escape(one_line(text))
