"""A persona's Markdown as a flat list of blocks, each with its lines: headings, statements, table rows, code, HTML.

Parsed by CommonMark rules with tables, and three kindnesses to how prompts are written: YAML front matter is set
aside, a paragraph that is nothing but bold text is a heading, and a Markdown fence that holds an equal fence ends
where its writer meant it to end.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from graders.contract import ABOUT_DELIVERABLE
from graders.markdown import BOLD_HEADING, MAX_INLINE, fence_end, heading_words

# A parser of Markdown takes seconds for a megabyte of tiny lines; no honest prompt has so many.
MAX_LINES = 10_000
LONGEST_LINE = 20_000
# How many fences that may be templates are looked into, and how many of those are mended.
MAX_TEMPLATES = 12
LONGEST_FRONT_MATTER = 200

Kind = Literal["heading", "statement", "row", "code", "html"]


@dataclass(frozen=True)
class Block:
    """One block. ``lines`` are the first and the last line, counted from 1; ``text`` is what a reader sees."""

    kind: Kind
    text: str
    lines: tuple[int, int]
    level: int = 0  # of a heading: 1 to 7; of a statement: how many lists it is in
    info: str = ""  # of code: its language
    cells: tuple[str, ...] = ()
    source: str = ""  # of a statement or a row: the Markdown it was written in


@dataclass(frozen=True)
class Front:
    """What was found about a text as a whole."""

    fields: tuple[tuple[str, str], ...] = ()  # of the YAML front matter
    nested_fences: tuple[int, ...] = ()  # lines at which a Markdown fence opens that holds an equal fence
    unclosed_fence: int = 0  # the line at which a fence opens that nobody closes
    lines_left_out: int = 0
    long_line: int = 0  # the first line that was read only in part


def lines_of(text: str) -> list[str]:
    """The lines of a text, as editors count them."""
    return re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff").replace("\0", "\ufffd"))


def readable(lines: Sequence[str]) -> list[str]:
    """What of the lines is read: so many, and so much of each."""
    return [line[:LONGEST_LINE] for line in lines[:MAX_LINES]]


def read_blocks(all_lines: Sequence[str]) -> tuple[list[Block], Front]:
    """The blocks of a text in their order, and what was found about it."""
    left_out = max(len(all_lines) - MAX_LINES, 0)
    lines = readable(all_lines)
    long = (number for number, line in enumerate(all_lines[:MAX_LINES], 1) if len(line) > LONGEST_LINE)
    fields = _take_front_matter(lines)
    parser = MarkdownIt("commonmark").enable("table")
    # Inline text is parsed later, because its length must be looked at first.
    parser.core.ruler.disable(["inline", "text_join"])
    tokens, nested = _parsed(parser, lines)
    front = Front(fields, nested, _unclosed(tokens, lines), left_out, next(long, 0))
    return list(_blocks(parser, tokens)), front


def _take_front_matter(lines: list[str]) -> tuple[tuple[str, str], ...]:
    """The plain ``key: value`` lines of the front matter, which is blanked so that all lines keep their numbers."""
    if not lines or lines[0].rstrip() != "---":
        return ()
    ends = (number for number in range(1, min(len(lines), LONGEST_FRONT_MATTER)) if lines[number].rstrip() == "---")
    end = next(ends, 0)
    inside = [line for line in lines[1:end] if line.strip()]
    if not inside or not all(re.match(r"[\w-]+\s*:|\s|#|-", line) for line in inside):
        return ()  # two thematic breaks
    found = [re.match(r"([\w-]+)\s*:\s*(\S.*)$", line) for line in inside]
    lines[: end + 1] = [""] * (end + 1)
    return tuple((match[1], match[2].strip().strip("\"'")) for match in found if match)


def _parsed(parser: MarkdownIt, lines: list[str]) -> tuple[list[Token], tuple[int, ...]]:
    """Tokens, after each template's fences were lengthened so that what it holds can't end it."""
    nested: list[int] = []
    tokens = parser.parse("\n".join(lines))
    while len(nested) < MAX_TEMPLATES:
        opening, end = next(_torn_templates(tokens, lines), (-1, -1))
        if opening < 0:
            break
        for number in (opening, end):
            lines[number] = re.sub(r"`{3,}|~{3,}", lambda match: match[0] * 20, lines[number], count=1)
        nested.append(opening + 1)
        tokens = parser.parse("\n".join(lines))
    return tokens, tuple(nested)


def _torn_templates(tokens: Sequence[Token], lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Opening and closing line of Markdown fences that CommonMark ends earlier than their writer."""
    for template in itertools.islice(_templates(tokens), MAX_TEMPLATES):
        opening, end = template.map or (0, 0)
        meant = fence_end(lines, opening)
        if end - 1 < meant < len(lines):
            yield opening, meant


def _templates(tokens: Sequence[Token]) -> Iterator[Token]:
    """Fences in Markdown, and those without a language in a section on the deliverable."""
    level = 0  # of the heading on the deliverable that is open
    for index, token in enumerate(tokens):
        if token.type == "heading_open" and (not level or int(token.tag[1]) <= level):
            is_about = bool(set(heading_words(tokens[index + 1].content)) & ABOUT_DELIVERABLE)
            level = int(token.tag[1]) if is_about else 0
        elif token.type == "fence" and token.info.strip().casefold() in {"markdown", "md", *([""] if level else [])}:
            yield token


def _unclosed(tokens: Sequence[Token], lines: Sequence[str]) -> int:
    """The line of a fence that swallows the rest of the text, or 0."""
    fences = [token for token in tokens if token.type == "fence" and token.map and not token.level]
    if not fences or not fences[-1].map:
        return 0
    opening, end = fences[-1].map
    closing = lines[min(end, len(lines)) - 1].strip()
    sign = fences[-1].markup
    is_closed = end - 1 > opening and len(closing) >= len(sign) and set(closing) == {sign[0]}
    return 0 if is_closed else opening + 1


def _blocks(parser: MarkdownIt, tokens: Sequence[Token]) -> Iterator[Block]:
    depth = 0
    is_header = False
    cells: list[str] = []
    for index, token in enumerate(tokens):
        lines = (token.map[0] + 1, max(token.map[1], token.map[0] + 1)) if token.map else (0, 0)
        if token.type in {"bullet_list_open", "ordered_list_open"}:
            depth += 1
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            depth -= 1
        elif token.type in {"thead_open", "thead_close"}:
            is_header = token.type == "thead_open"
        elif token.type == "tr_open":
            cells = []
        elif token.type in {"td_open", "th_open"}:
            cells.append("")
        elif token.type == "tr_close" and not is_header:
            yield _row(parser, tokens, index, cells)
        elif token.type in {"fence", "code_block"}:
            language = token.info.strip().partition(" ")[0].casefold()
            yield Block("code", token.content, lines, info=language)
        elif token.type == "html_block":
            yield Block("html", token.content, lines)
        elif token.type == "inline":
            parent = tokens[index - 1]
            if parent.type in {"td_open", "th_open"}:
                cells[-1] = token.content
            elif parent.type == "heading_open" and parent.level == 0:
                yield Block("heading", plain(parser, token.content), lines, level=int(parent.tag[1]))
            else:
                yield from _statement(parser, token, lines, depth)


def _row(parser: MarkdownIt, tokens: Sequence[Token], end: int, cells: Sequence[str]) -> Block:
    start = next(number for number in range(end, -1, -1) if tokens[number].type == "tr_open")
    lines = tokens[start].map or [0, 1]
    shown = tuple(plain(parser, cell) for cell in cells)
    return Block("row", " | ".join(shown), (lines[0] + 1, lines[1]), cells=shown, source=" | ".join(cells))


def _statement(parser: MarkdownIt, token: Token, lines: tuple[int, int], depth: int) -> Iterator[Block]:
    text = plain(parser, token.content)
    if not text:
        return
    is_bold = re.fullmatch(r"(\*\*|__)(?!\s)[^*_\n]+\1:?", token.content.strip()) is not None
    if is_bold and token.level == 1 and len(text.split()) <= 10:
        yield Block("heading", text.rstrip(":"), lines, level=BOLD_HEADING)
    else:
        yield Block("statement", text, lines, level=depth, source=token.content)


def plain(parser: MarkdownIt, source: str) -> str:
    """The text of a paragraph as one line: code spans keep their backticks, links their text; HTML is dropped."""
    if len(source) > MAX_INLINE:
        return " ".join(source.split())
    tokens: list[Token] = []
    parser.inline.parse(source, parser, {}, tokens)
    return " ".join("".join(map(_shown, tokens)).split())


def _shown(token: Token) -> str:
    if token.type == "code_inline":
        return f"`{token.content}`"
    if token.type in {"softbreak", "hardbreak"}:
        return " "
    return "" if token.type == "html_inline" else token.content
