"""What a section says, point by point: labelled values and statements, whichever way they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from graders.markdown import Block, content, words


@dataclass(frozen=True)
class Entry:
    """One point: ``key`` is its label, ``value`` what follows it, ``context`` the heading or point above."""

    text: str
    key: str = ""
    value: str = ""
    context: str = ""


def read_entries(blocks: Iterable[Block]) -> list[Entry]:
    return list(_entries(tuple(blocks), ""))


def is_said(text: str) -> bool:
    """Whether a text says anything: it isn't empty, a placeholder or a word for nothing."""
    bare = text.strip().strip("`*_ .;-–—")
    if not any(map(str.isalnum, bare)):
        return False
    if re.fullmatch(r"\[[^\[\]]*\]|<[^<>]*>|\{\{[^{}]*\}\}", bare):
        return False
    return " ".join(re.findall(r"\w+", bare.casefold())) not in _NOTHING


_NOTHING = frozenset(
    [
        *(
            "n a",
            "na",
            "nil",
            "none",
            "null",
            "nothing",
            "tbd",
            "tba",
            "todo",
            "fixme",
            "unknown",
            "pending",
            "xxx",
        ),
        *(
            "not applicable",
            "to be determined",
            "to be defined",
            "to be done",
            "coming soon",
            "not yet",
            "later",
        ),
        *(
            "lorem ipsum",
            "placeholder",
            "none configured",
            "not configured",
            "none yet",
            "see above",
            "see below",
        ),
    ]
)


def sentences(text: str) -> list[str]:
    """The sentences of a text; a point inside a number or a name doesn't end one."""
    return re.split(r"(?<=[.!?;])\s+(?=[A-Z`])", text)


def _entries(blocks: Sequence[Block], context: str) -> Iterator[Entry]:
    heading = lead = context
    for block in blocks:
        if block.kind == "heading":
            heading = lead = block.text
            continue
        if block.kind == "paragraph":
            said = [_entry(line, lead) for line in _statements(block.text)]
            yield from said
            last = block.text.rpartition("\n")[2]
            # "Sources:", or "Sources (both daily)" with the first word in bold, and then a list: the list's label.
            lead = last.rstrip(": ") if last.endswith(":") else said[-1].key or heading
            continue
        if block.kind == "list":
            for item in block.children:
                yield from _item_entries(item, lead)
        elif block.kind == "table":
            yield from _table_entries(block, lead)
        elif block.kind == "code":
            yield Entry(block.text, value=block.text, context=lead)
        else:
            yield from _entries(block.children, lead)
        lead = heading


def _item_entries(item: Block, context: str) -> Iterator[Entry]:
    """A point with all that is below it as its value, then each point below it by itself."""
    if not item.children:
        return
    first, *rest = item.children
    if first.kind != "paragraph":
        yield from _entries(item.children, context)
        return
    head, *others = [_entry(statement, context) for statement in _statements(first.text)]
    below = "\n".join(map(content, rest))
    # "Sources" and then a list is a label too, colon or not.
    key = head.key or (head.text if below else "")
    yield Entry(head.text, key, f"{head.value}\n{below}".strip(), context)
    yield from others
    yield from _entries(rest, (head.key or head.text).rstrip(":"))


def _statements(text: str) -> list[str]:
    """A paragraph's labelled lines, each with the lines that continue it; several labels may share a line."""
    found: list[str] = []
    for line in text.split("\n"):
        first, *others = _NEXT_LABEL.split(line) if _is_labelled(line) else [line]
        if found and not _is_labelled(first):
            found[-1] += f" {first}"
        else:
            found.append(first)
        found += others
    return found


def _table_entries(table: Block, context: str) -> Iterator[Entry]:
    """A row is a point labelled by its first cell; a table of one row may also be read by its header."""
    header, *rows = table.rows
    if len(header) == 2:
        yield Entry(": ".join(header), header[0], header[1], context)
    for row in rows:
        text = "; ".join(f"{name}: {cell}" for name, cell in zip(header, row, strict=False) if cell)
        yield Entry(text, row[0].rstrip(":"), "; ".join(row[1:]), context)
    if len(rows) == 1:
        yield from (Entry(cell, name, cell, context) for name, cell in zip(header, rows[0], strict=False))


_NEXT_LABEL = re.compile(r"(?<=[.;|·•])\s+(?=[A-Z][\w() -]{1,30}:\s)|\s+[|·•]\s+(?=[A-Z])")
_LABEL = re.compile(r"([^:=]{1,80}?)\s?(?::(?=\s|$|`)|\s[—–-]\s|\s?=\s)\s?(.*)$", re.DOTALL)


def _is_labelled(line: str) -> bool:
    match = _LABEL.match(line.strip())
    return match is not None and len(words(match[1])) <= 4 and match[1][:1].isupper()


def _entry(line: str, context: str) -> Entry:
    match = _LABEL.match(line.strip())
    if match is None or len(words(match[1])) > 8:
        return Entry(line, context=context)
    return Entry(line, match[1].strip(" `"), match[2].strip(), context)
