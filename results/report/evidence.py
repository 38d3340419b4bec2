"""A check's evidence, taken apart: text, and the differences of tables as tables.

The form is the one of ``graders/tables.py``::

    why: orders: 3 rows, expected 4; columns: id, name
    2 missing:
      (1, Kim)
      (2, "Ng, Lee")
    1 unexpected:
      (1, NULL)
    1 of the unexpected are repetitions of right rows

A value stands plain, or as a JSON string where it would not be told from its surroundings. Rows that don't fit the
columns (as records of before may hold) are shown as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from results.report.clipping import clipped

LONGEST = 8_000  # characters of a paragraph
HEAD = re.compile(r"^(?P<before>.*?)(?P<found>\d+) rows, expected (?P<expected>\d+); columns: (?P<columns>.+)$")
PART = re.compile(r"^(?P<count>\d+) (?P<kind>missing|unexpected):$")
MORE = re.compile(r"^  … and (?P<count>\d+) more$")
VALUE = re.compile(r'"(?:[^"\\]|\\.)*"(?=, |$)|[^"](?:(?!, ).)*|(?=, |$)')


@dataclass(frozen=True)
class Cell:
    """``differs``: the row most like this one on the other side has another value here. ``None``: NULL."""

    value: str | None
    differs: bool = False


@dataclass(frozen=True)
class Row:
    kind: Literal["missing", "unexpected"]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class TableDifference:
    """Rows that are missing or unexpected. ``more``: how many of each kind the evidence doesn't show."""

    found: int
    expected: int
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    counts: dict[str, int]
    more: dict[str, int]


def blocks(evidence: str) -> list[str | TableDifference]:
    """Paragraphs and tables in their order."""
    return list(_blocks(evidence.split("\n")))


def _blocks(lines: list[str]) -> Iterator[str | TableDifference]:
    text: list[str] = []
    number = 0
    while number < len(lines):
        if (head := HEAD.match(lines[number])) and (read := _difference(head, lines, number + 1)):
            difference, number = read
            before = [*text, head["before"].rstrip(" :")]
            text = []
            if paragraph := "\n".join(before).strip("\n"):
                yield clipped(paragraph, LONGEST)
            yield difference
        else:
            text.append(lines[number])
            number += 1
    if paragraph := "\n".join(text).strip("\n"):
        yield clipped(paragraph, LONGEST)


def _difference(head: re.Match[str], lines: list[str], number: int) -> tuple[TableDifference, int] | None:
    """The table below a head and the number of the first line after it; ``None`` if what follows is no table."""
    columns = tuple(head["columns"].split(", "))
    rows: dict[str, list[tuple[str | None, ...]]] = {}
    counts: dict[str, int] = {}
    more: dict[str, int] = {}
    while number < len(lines) and (part := PART.match(lines[number])) and part["kind"] not in rows:
        kind, number = part["kind"], number + 1
        counts[kind], rows[kind] = int(part["count"]), []
        while number < len(lines) and len(rows[kind]) < counts[kind] and lines[number].startswith("  ("):
            if (values := _values(lines[number][2:], len(columns))) is None:
                return None
            rows[kind].append(values)
            number += 1
        if number < len(lines) and (rest := MORE.match(lines[number])):
            more[kind], number = int(rest["count"]), number + 1
        if len(rows[kind]) + more.get(kind, 0) != counts[kind]:
            return None
    if not rows:
        return None
    made = tuple(_marked(rows.get("missing", []), rows.get("unexpected", [])))
    return TableDifference(int(head["found"]), int(head["expected"]), columns, made, counts, more), number


def _values(row: str, columns: int) -> tuple[str | None, ...] | None:
    """The values of ``(a, NULL, "b, c")`` if they are as many as there are columns."""
    if not row.endswith(")"):
        return None
    values = [_value(value) for value in _separated(row[1:-1])]
    return tuple(values) if len(values) == columns else None


def _separated(text: str) -> list[str]:
    values, position = [], 0
    while match := VALUE.match(text, position):
        values.append(match[0])
        position = match.end()
        if not text.startswith(", ", position):
            break
        position += 2
    return values if position == len(text) else []


def _value(text: str) -> str | None:
    if text == "NULL":
        return None
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def _marked(missing: list[tuple[str | None, ...]], unexpected: list[tuple[str | None, ...]]) -> Iterator[Row]:
    """Each missing row, and after it the unexpected row that is most like it, with what differs between the two."""
    left = list(unexpected)
    for row in missing:
        twin = max(left, key=lambda other: _alike(row, other), default=None)
        if twin is None or 2 * _alike(row, twin) < len(row) or _alike(row, twin) == 0:
            yield Row("missing", tuple(map(Cell, row)))
            continue
        left.remove(twin)
        for kind, one, other in (("missing", row, twin), ("unexpected", twin, row)):
            cells = tuple(Cell(value, value != against) for value, against in zip(one, other, strict=True))
            yield Row("missing" if kind == "missing" else "unexpected", cells)
    yield from (Row("unexpected", tuple(map(Cell, row))) for row in left)


def _alike(one: tuple[str | None, ...], other: tuple[str | None, ...]) -> int:
    return sum(a == b for a, b in zip(one, other, strict=True))
