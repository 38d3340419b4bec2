"""Parts of a persona that can be left out: its sections, or its clauses; and its text without one of them.

Clauses on the same lines are one part: the technologies of one row, or the deliverable with the sections of its
template. What stands in no section (the title, an introduction) is no part by section.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.clauses.blocks import lines_of
from harness.clauses.reading import TESTS, Reading
from harness.clauses.sections import slug

By = Literal["section", "clause"]


@dataclass(frozen=True)
class Part:
    """``lines``: the first and the last one, counted from 1. ``clauses``: the ids of the clauses in it."""

    id: str
    title: str
    lines: tuple[int, int]
    clauses: tuple[str, ...]


def parts(reading: Reading, text: str, by: By) -> list[Part]:
    """All parts, in their order; ``text`` is the persona that was read."""
    return list(_sections(reading) if by == "section" else _clauses(reading, lines_of(text)))


def without(text: str, part: Part) -> str:
    """The text without the part's lines; all others are kept as they are, to the byte."""
    first, last = part.lines
    lines = re.findall(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+\Z", text)
    return "".join(lines[: first - 1] + lines[last:])


def _sections(reading: Reading) -> Iterator[Part]:
    seen: Counter[str] = Counter()
    for section in reading.sections:
        name = slug(section.title)
        seen[name] += 1
        first, last = section.lines
        inside = tuple(clause.id for clause in reading.clauses if first <= clause.lines[0] <= last)
        yield Part(f"{name}-{seen[name]}" if seen[name] > 1 else name, section.title, section.lines, inside)


def _clauses(reading: Reading, lines: Sequence[str]) -> Iterator[Part]:
    found: list[Part] = []
    for clause in sorted(reading.clauses, key=lambda clause: clause.lines):
        first, last = clause.lines
        if found and first <= found[-1].lines[1]:
            before = found.pop()
            reach = before.lines[0], max(before.lines[1], last)
            found.append(Part(before.id, before.title, reach, (*before.clauses, clause.id)))
        else:
            found.append(Part(clause.id, clause.text, clause.lines, (clause.id,)))
    for part in found:
        yield Part(part.id, part.title, (part.lines[0], _with_comments(lines, part.lines[1])), part.clauses)


def _with_comments(lines: Sequence[str], last: int) -> int:
    """The last line, after the comments behind a clause that say what tests it: they would speak of another one."""
    following = last
    while following < len(lines) and (not lines[following].strip() or TESTS.fullmatch(lines[following].strip())):
        following += 1
        if lines[following - 1].strip():
            last = following
    return last
