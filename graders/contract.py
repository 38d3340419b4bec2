"""The contract of a deliverable: the sections and fields that a persona's template asks for, as data.

A grader gets the contract of the suite, not that of the persona under test: a persona that loses its template
is measured by the same deliverable as before.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from graders.diagram import read_diagram
from graders.markdown import Block, content, fence_end, heading_words, read, words

MAX_LENGTH = 1_000_000
MAX_TEMPLATE = 50_000
# How many fences and sections are tried before it is said that there is no template.
MAX_TEMPLATES = 12
# A heading with one of these words opens the section that says what is handed in.
ABOUT_DELIVERABLE = frozenset({"deliverable", "handover", "report"})

# What a section is made of: "fields" are labelled values, "items" points to be made, "steps" are numbered.
SectionKind = Literal["fields", "table", "diagram", "items", "steps", "prose"]


@dataclass(frozen=True)
class Part:
    """One thing a section must hold: a field, a column, a point, a step. ``hint`` is the template's text."""

    name: str
    hint: str = ""

    @property
    def choices(self) -> tuple[str, ...]:
        """The values a template allows: ``Batch/Streaming`` allows two. Empty when any value will do."""
        values = [value.strip() for value in self.hint.split("/")]
        return tuple(values) if len(values) > 1 and all(map(str.isalpha, values)) else ()

    @property
    def condition(self) -> str:
        """The choice that makes the part required: ``[Schedule if batch]`` is conditional on ``batch``."""
        match = re.search(r"\bif (\w+)\]?$", self.hint)
        return match[1].casefold() if match else ""


@dataclass(frozen=True)
class Section:
    """One section of the deliverable. The parts of a diagram are the nodes that the template draws."""

    name: str
    kind: SectionKind
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Contract:
    """What a deliverable must hold, in order. ``placeholders`` are the template's texts in brackets."""

    title: str
    sections: tuple[Section, ...]
    placeholders: frozenset[str] = frozenset()

    def section(self, name: str) -> Section | None:
        return next((section for section in self.sections if words(section.name) == words(name)), None)


def read_contract(markdown: str) -> Contract | None:
    """The contract in a persona's section on its deliverable; ``None`` without such a section or template.

    The template stands in a Markdown fence, or directly below the section's heading as deeper headings.
    """
    lines = markdown[:MAX_LENGTH].splitlines()
    tokens = MarkdownIt("commonmark").disable("inline").parse("\n".join(lines))
    for template in itertools.islice(_templates(lines, tokens), MAX_TEMPLATES):
        contract = _contract(template[:MAX_TEMPLATE])
        if contract is not None:
            return contract
    return None


def bracketed(text: str) -> list[str]:
    """The texts in square brackets that are no links, check boxes or footnotes."""
    found = re.findall(r"\[([^\[\]\n]{2,80})\](?!\()", text)
    return [inner for inner in found if any(map(str.isalpha, inner)) and not inner.startswith("^")]


def _templates(lines: Sequence[str], tokens: Sequence[Token]) -> Iterator[str]:
    """Texts that may be the template: fences below a heading on deliverables, then that section itself."""
    headings = [
        (token.map[0], int(token.tag[1]), tokens[index + 1].content)
        for index, token in enumerate(tokens)
        if token.type == "heading_open" and token.level == 0 and token.map
    ]
    for number, (start, level, title) in enumerate(headings):
        if not set(heading_words(title)) & ABOUT_DELIVERABLE:
            continue
        following = (line for line, depth, _ in headings[number + 1 :] if depth <= level)
        end = next(following, len(lines))
        for token in tokens:
            is_template = token.type == "fence" and token.info.strip().casefold() in {"", "markdown", "md"}
            if is_template and token.map and start < token.map[0] < end:
                yield _inside_fence(lines, token.map[0])
        yield "\n".join(lines[start + 1 : end])


def _inside_fence(lines: Sequence[str], opening: int) -> str:
    inside = lines[opening + 1 : fence_end(lines, opening)]
    indent = len(lines[opening]) - len(lines[opening].lstrip())
    return "\n".join(line[indent:] if not line[:indent].strip() else line for line in inside)


def _contract(template: str) -> Contract | None:
    blocks = read(template)
    levels = [block.level for block in blocks if block.kind == "heading"]
    if not levels:
        return None
    title = ""
    level = min(levels)
    if levels.count(level) == 1 and len(levels) > 1:
        title = next(block.text for block in blocks if block.level == level)
        level = sorted(set(levels))[1]
    sections = []
    for start, block in enumerate(blocks):
        if block.kind == "heading" and block.level == level:
            body = list(itertools.takewhile(lambda other: not 0 < other.level <= level, blocks[start + 1 :]))
            sections.append(_section(block.text, body))
    return Contract(title, tuple(sections), frozenset(_squeezed(text) for text in bracketed(template)))


def _section(name: str, body: Sequence[Block]) -> Section:
    for block in body:
        if block.kind == "table":
            return Section(name, "table", tuple(Part(column) for column in block.rows[0]))
        if block.kind == "list" and block.ordered:
            return Section(name, "steps", tuple(_point(item) for item in block.children))
    points = [_point(item) for block in body if block.kind == "list" for item in block.children]
    if points:
        return Section(name, "fields" if all(point.hint for point in points) else "items", tuple(points))
    nodes = read_diagram(body).nodes
    if nodes:
        return Section(name, "diagram", tuple(Part(node) for node in nodes))
    return Section(name, "prose")


def _point(item: Block) -> Part:
    """``Name: [what]`` is a part with a hint; a point without a label, or all in brackets, is a part."""
    text = content(item).strip()
    name, colon, hint = text.partition(":")
    if colon and not name.startswith("["):
        return Part(name.strip(), hint.strip())
    return Part(text.strip("[]"))


def _squeezed(text: str) -> str:
    return " ".join(text.casefold().split())
