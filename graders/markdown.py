"""Markdown as a tree of a few kinds of block, read with a CommonMark parser, bounded against hostile text.

Links, images and reference definitions are read as plain text: a template has its placeholders in brackets.
HTML is dropped, so that nothing hidden in a comment counts as said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_LENGTH = 200_000
# Inline rules of a Markdown parser are quadratic in the worst case; no honest paragraph is longer.
MAX_INLINE = 4_000
# A paragraph that is nothing but bold text serves many writers as a heading; it ranks below the real ones.
BOLD_HEADING = 7

Kind = Literal["heading", "paragraph", "list", "item", "table", "code", "quote"]


@dataclass(frozen=True)
class Block:
    """One block. ``text`` is what a reader sees, code spans still in backticks, lines divided by newlines."""

    kind: Kind
    text: str = ""
    level: int = 0
    info: str = ""
    ordered: bool = False
    rows: tuple[tuple[str, ...], ...] = ()
    children: tuple[Block, ...] = ()

    @property
    def is_numbered(self) -> bool:
        """Whether it is an ordered list, or a heading that starts with a number."""
        return self.ordered or (self.kind == "heading" and bool(_NUMBER.match(self.text)))


@lru_cache(maxsize=16)
def read(text: str) -> tuple[Block, ...]:
    """The blocks of a text. A text that is wrapped as a whole in a Markdown fence is unwrapped first."""
    parser = _parser()
    return _tree(parser.parse(_unwrapped(text.removeprefix("\ufeff"))), parser)


def walk(blocks: Iterable[Block]) -> Iterator[Block]:
    """All blocks, parents before children."""
    for block in blocks:
        yield block
        yield from walk(block.children)


def content(block: Block) -> str:
    """The whole text of a block with all that is in it, code in backticks."""
    rows = (" | ".join(row) for row in block.rows)
    text = f"`{block.text.strip()}`" if block.kind == "code" else block.text
    return "\n".join(part for part in (text, *rows, *map(content, block.children)) if part)


def words(text: str) -> list[str]:
    """Words for comparing names: lower case, ``(s)`` and a plural ``s`` taken off, punctuation dropped."""
    return [_singular(word) for word in re.findall(r"\w+", text.casefold().replace("(s)", ""))]


def heading_words(text: str) -> list[str]:
    """The words of a heading without its number."""
    return words(without_number(text))


def without_number(text: str) -> str:
    """A heading or step without the number it starts with: ``2.``, ``Step 2:``."""
    return _NUMBER.sub("", text, count=1)


def vocabulary(*lines: str) -> frozenset[str]:
    """A set of words, written as text."""
    return frozenset(" ".join(lines).split())


def without_code(text: str) -> str:
    """A text with its code spans blanked."""
    return "".join(part if index % 2 == 0 else " " for index, part in enumerate(text.split("`")))


def fence_end(lines: Sequence[str], opening: int) -> int:
    """The line that closes the fence opened at ``opening``, also where the writer nested equal fences.

    CommonMark ends a fence at the first bare fence line. Templates are often written with a fence inside a
    fence of the same length; read so, the second half of the template becomes code and the prose around it is
    torn apart. Every bare fence line is therefore tried as the end, and the one is taken under which, reading
    what is inside and what comes after, fewest fences stay open and fewest headings hide in bare code blocks.
    """
    sign, _ = _fence(lines[opening]) or ("```", "")
    marks = _marks(lines, opening + 1)
    ends = [index for index, mark in enumerate(marks) if _closes(mark, sign)][:50]
    if not ends:
        return len(lines)
    best = min(ends, key=lambda index: (_disorder(marks[:index]) + _disorder(marks[index + 1 :]), index))
    return marks[best].line


@dataclass(frozen=True)
class _Mark:
    """A line that matters when fences are paired: a fence (``sign`` is its backticks) or a heading."""

    line: int
    sign: str
    info: str = ""


def _marks(lines: Sequence[str], start: int) -> list[_Mark]:
    found: list[_Mark] = []
    for number in range(start, len(lines)):
        fence = _fence(lines[number])
        if fence is not None:
            found.append(_Mark(number, *fence))
        elif re.match(r" {0,3}#{1,6} ", lines[number]):
            found.append(_Mark(number, "#"))
        if len(found) == 2_000:
            break
    return found


def _closes(mark: _Mark, sign: str) -> bool:
    return mark.sign[0] == sign[0] and len(mark.sign) >= len(sign) and not mark.info


def _disorder(marks: Sequence[_Mark]) -> int:
    hidden = 0
    fence: _Mark | None = None
    for mark in marks:
        if mark.sign == "#":
            hidden += fence is not None and not fence.info
        elif fence is None:
            fence = mark
        elif _closes(mark, fence.sign):
            fence = None
    return hidden + (1_000 if fence else 0)


_NUMBER = re.compile(
    r"^\s*(?:(?:step|part|section)\s+)?\(?\d{1,2}(?:\.\d{1,2}){0,3}\s?[.):\-–—]?(?=\s|$)\s?", re.IGNORECASE
)
_FENCE = re.compile(r"[ \t]{0,12}(`{3,}|~{3,})([^`]*)$")
_LINE_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
_SEPARATORS = (":", "-", "–", "—", "=", "→", ".", ",", ";")


def _fence(line: str) -> tuple[str, str] | None:
    match = _FENCE.match(line[:500].rstrip())
    return (match[1], match[2].strip()) if match else None


def _unwrapped(text: str) -> str:
    lines = text.splitlines()
    first = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    fence = _fence(lines[first]) if first < len(lines) else None
    if fence is None or fence[1].casefold() not in {"markdown", "md"}:
        return text
    end = fence_end(lines, first)
    return "\n".join([*lines[first + 1 : end], *lines[end + 1 :]])


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table").disable(["reference", "link", "image", "autolink"])
    # Inline text is parsed by _inline, because its length must be looked at first.
    parser.core.ruler.disable(["inline", "text_join"])
    return parser


def _tree(tokens: Sequence[Token], parser: MarkdownIt) -> tuple[Block, ...]:
    """Blocks from the flat list of tokens, without recursion."""
    parents: list[tuple[Token, list[Block]]] = []
    siblings: list[Block] = []
    for token in tokens:
        if token.nesting == 1:
            parents.append((token, siblings))
            siblings = []
        elif token.nesting == -1:
            opened, outer = parents.pop()
            outer.extend(_closed(opened, siblings))
            siblings = outer
        elif token.type in {"fence", "code_block"}:
            info = token.info.strip().partition(" ")[0].casefold()
            siblings.append(Block("code", token.content, info=info))
        elif token.type == "inline":
            text, is_bold = _inline(token.content, parser)
            siblings.append(Block("paragraph", text, level=BOLD_HEADING if is_bold else 0))
    return tuple(siblings)


def _closed(opened: Token, children: list[Block]) -> list[Block]:
    """What an element becomes when it ends."""
    kind = opened.type.removesuffix("_open")
    if kind == "heading":
        return [Block("heading", _text(children), level=int(opened.tag[1]))]
    if kind == "paragraph":
        return _paragraph(children, is_top=opened.level == 0)
    if kind in _CONTAINERS:
        return [Block(_CONTAINERS[kind], ordered=kind == "ordered_list", children=tuple(children))]
    if kind == "tr":
        return [Block("table", rows=(tuple(child.text for child in children),))]
    if kind == "table":
        return [Block("table", rows=tuple(row for child in children for row in child.rows))]
    # A cell holds at most one text, but each row needs all its cells.
    return (children or [Block("paragraph")]) if kind in {"td", "th"} else children


_CONTAINERS: dict[str, Kind] = {
    "bullet_list": "list",
    "ordered_list": "list",
    "list_item": "item",
    "blockquote": "quote",
}


def _paragraph(children: list[Block], is_top: bool) -> list[Block]:
    text = _text(children)
    if not text:
        return []
    is_bold = bool(children[0].level)
    if is_top and is_bold and "\n" not in text and len(text.split()) <= 10:
        return [Block("heading", text.rstrip(":"), level=BOLD_HEADING)]
    return [Block("paragraph", text)]


def _text(children: list[Block]) -> str:
    return "\n".join(child.text for child in children if child.text)


def _inline(source: str, parser: MarkdownIt) -> tuple[str, bool]:
    """The text of a paragraph, and whether all of it is bold."""
    if len(source) > MAX_INLINE:
        return source, False
    tokens: list[Token] = []
    parser.inline.parse(source, parser, {}, tokens)
    shown = [_shown(token) for token in tokens]
    starts_line = True
    label_from: int | None = None
    is_bold, depth = True, 0
    for index, token in enumerate(tokens):
        if token.type == "strong_open":
            label_from = index if starts_line and depth == 0 else label_from
            depth += 1
        elif token.type == "strong_close":
            depth -= 1
            if label_from is not None and depth == 0:
                _end_label(shown, label_from, index)
                label_from = None
        elif shown[index].strip(" "):
            starts_line = shown[index] == "\n"
            is_bold = is_bold and (depth > 0 or starts_line)
    text = "\n".join(line.strip() for line in "".join(shown).split("\n")).strip()
    return text, bool(text) and is_bold


def _end_label(shown: list[str], start: int, end: int) -> None:
    """Bold text at the start of a line is a label: ``**Name** orders`` gets the colon its writer left out."""
    label = "".join(shown[start:end]).rstrip()
    after = "".join(shown[end + 1 : end + 3]).lstrip(" ")
    if after and not after.startswith(("\n", *_SEPARATORS)) and not label.endswith(_SEPARATORS):
        shown[end] = ":"


def _shown(token: Token) -> str:
    if token.type == "code_inline":
        return f"`{token.content}`"
    if token.type in {"softbreak", "hardbreak"}:
        return "\n"
    if token.type == "html_inline":
        return "\n" if _LINE_BREAK.fullmatch(token.content) else ""
    return token.content


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
