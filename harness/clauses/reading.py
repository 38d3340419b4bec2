"""Reads a persona: its identity, its sections, and every clause with an id, a text and its lines.

A clause is one statement: a point of a list, a row of a table, a paragraph, a technology, an example of code, a
section of the deliverable. Its id is ``section/first-words-of-its-text``; an example is called like the heading
above it. The same text has the same id wherever it stands in its section; a second one with the same words gets
``-2``. Nothing is refused: what isn't read is told in ``notes``.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from graders.contract import Contract, Section, read_contract
from graders.markdown import without_number
from harness.clauses.blocks import LONGEST_LINE, MAX_LINES, Block, Front, lines_of, read_blocks, readable
from harness.clauses.sections import KINDS, Kind, kind_of, slug
from harness.clauses.vocabulary import canonical_clauses, resolve, vocabulary
from harness.persona import Persona

Form = Literal["statement", "technology", "example", "deliverable"]

# More than any prompt has; a file of tiny list items must not take minutes.
MAX_CLAUSES = 2_000
# A short line that ends with a colon only announces what follows.
LONGEST_ANNOUNCEMENT = 6
TESTS = re.compile(r"<!--\s*tests:\s*([^<>]*?)\s*-->")


@dataclass(frozen=True)
class Clause:
    """One statement of a persona. ``canonical`` are the clauses of the vocabulary that it amounts to."""

    id: str
    kind: Kind
    section: str  # the heading of its section, as written
    group: str  # the nearest heading or label above it, if that isn't the section's
    form: Form
    text: str
    lines: tuple[int, int]
    language: str = ""  # of an example
    canonical: tuple[str, ...] = ()


@dataclass(frozen=True)
class SectionOfPersona:
    """A section, from its heading to the line before the next one."""

    title: str
    kind: Kind
    lines: tuple[int, int]


@dataclass(frozen=True)
class Identity:
    """Who the persona says it is: fields in the order they are written, and its description of its role."""

    title: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    role: str = ""


@dataclass(frozen=True)
class Note:
    """Something of the text that was not read as its writer may have meant it. ``line`` is where it begins."""

    line: int
    says: str
    is_fault: bool = False


@dataclass(frozen=True)
class Reading:
    """A persona as data. ``notes`` say what of the text was not read, and why."""

    name: str
    identity: Identity
    sections: tuple[SectionOfPersona, ...]
    clauses: tuple[Clause, ...]
    contract: Contract | None
    front: Front
    notes: tuple[Note, ...] = ()
    # Comments of the author that name a clause nobody knows, with their lines.
    unknown_names: tuple[tuple[str, int], ...] = ()

    def of_kind(self, kind: Kind) -> list[Clause]:
        return [clause for clause in self.clauses if clause.kind == kind]

    @cached_property
    def kinds(self) -> list[Kind]:
        """The kinds of clauses that occur, in the order of ``KINDS``."""
        present = {clause.kind for clause in self.clauses}
        return [kind for kind in KINDS if kind in present]


@dataclass
class _Reader:
    """State while the blocks are gone through: which headings are open, what was found."""

    headings: list[Block] = field(default_factory=list)
    labels: dict[int, str] = field(default_factory=dict)
    found: list[tuple[Clause, str]] = field(default_factory=list)  # with the source
    fields: list[tuple[str, str]] = field(default_factory=list)
    role: list[str] = field(default_factory=list)
    html: list[int] = field(default_factory=list)


def read_persona(persona: Persona) -> Reading:
    """What a persona is made of; never fails, whatever its text is."""
    lines = lines_of(persona.text)
    blocks, front = read_blocks(lines)
    title, top = _title(blocks)
    reader = _Reader()
    for block, following in itertools.zip_longest(blocks, blocks[1:]):
        if block.kind == "heading":
            _open_heading(reader, block, top)
        else:
            _read_block(reader, block, following)
    contract = read_contract("\n".join(readable(lines)))
    found = list(_merged_deliverable(reader.found, contract))
    named = _with_ids(clause for clause, _ in found[:MAX_CLAUSES])
    clauses, unknown = _matched(named, [source for _, source in found])
    return Reading(
        name=persona.name,
        identity=Identity(title, (*front.fields, *reader.fields), " ".join(reader.role)),
        sections=tuple(_sections(blocks, top, len(lines))),
        clauses=clauses,
        contract=contract,
        front=front,
        notes=tuple(_notes(front, reader.html, [clause for clause, _ in found])),
        unknown_names=unknown,
    )


def _title(blocks: Sequence[Block]) -> tuple[str, int]:
    """The title, and the level of headings that are nothing but the title (0 if there is none such)."""
    levels = [block.level for block in blocks if block.kind == "heading"]
    first = next((block for block in blocks if block.kind == "heading"), None)
    if first is None or levels.count(min(levels)) > 1 or first.level != min(levels):
        return "", 0
    is_title = len(levels) > 1 or (first.level == 1 and kind_of(first.text) == "other")
    return (first.text, first.level) if is_title else ("", 0)


def _open_heading(reader: _Reader, block: Block, top: int) -> None:
    reader.headings = [heading for heading in reader.headings if heading.level < block.level]
    reader.labels = {}
    if block.level != top:
        reader.headings.append(block)


def _place(headings: Sequence[Block]) -> tuple[str, Kind, str]:
    """Title and kind of the section, and the group within it, at the place below these headings."""
    if not headings:
        return "", "other", ""
    about_deliverable = [heading for heading in headings if kind_of(heading.text) == "deliverable"]
    known = [heading for heading in headings if kind_of(heading.text) != "other"]
    section = [*about_deliverable, *known, *headings][0]
    nearest = headings[-1]
    return section.text, kind_of(section.text), "" if nearest is section else nearest.text


def _read_block(reader: _Reader, block: Block, following: Block | None) -> None:
    section, kind, group = _place(reader.headings)
    labels = [reader.labels[level] for level in sorted(reader.labels) if level < block.level]
    group = labels[-1] if labels and block.kind == "statement" else group
    clause = Clause("", kind, section, group, "statement", block.text, block.lines)
    if block.kind == "html":
        if reader.found and TESTS.search(block.text):
            last, source = reader.found[-1]
            reader.found[-1] = (last, source + block.text)
        elif not block.text.lstrip().startswith("<!--"):
            reader.html.append(block.lines[0])
    elif block.kind == "code":
        form: Form = "deliverable" if kind == "deliverable" else "example"
        reader.found.append((replace(clause, form=form, language=block.info), ""))
    elif kind == "identity":
        _read_identity(reader, block, clause)
    elif block.kind == "statement" and _announces(block, following):
        reader.labels = {level: label for level, label in reader.labels.items() if level < block.level}
        reader.labels[block.level] = block.text.rstrip(":")
    elif kind == "expertise" and (block.kind == "row" or block.level):
        reader.found += [(one, block.source) for one in _technologies(clause, block)]
    elif block.kind == "row":
        label, *rest = [cell for cell in block.cells if cell] or [""]
        text = f"{label}: {'; '.join(rest)}" if rest else label
        reader.found.append((replace(clause, text=text), block.source))
    else:
        reader.found.append((clause, block.source))


def _announces(block: Block, following: Block | None) -> bool:
    is_followed = following is not None and (following.level > block.level or following.kind != "statement")
    return is_followed and block.text.endswith((":", "：")) and len(block.text.split()) <= LONGEST_ANNOUNCEMENT


def _read_identity(reader: _Reader, block: Block, clause: Clause) -> None:
    if block.kind == "row" and len(block.cells) > 1:
        name, value = block.cells[0], ", ".join(cell for cell in block.cells[1:] if cell)
    else:
        name, _, value = block.text.partition(":") if block.level else ("", "", "")
    name, value = name.strip(" :"), value.strip()
    if name and value:
        reader.fields.append((name, value))
        reader.found.append((replace(clause, text=f"{name}: {value}"), block.source))
    else:
        reader.role.append(block.text)
        reader.found.append((clause, block.source))


def _technologies(clause: Clause, block: Block) -> Iterator[Clause]:
    """The technologies that a point or a row lists: divided at commas outside of brackets."""
    listed = [cell for cell in block.cells if cell]
    group, text = (listed[0], ", ".join(listed[1:])) if len(listed) > 1 else (clause.group, block.text)
    label, colon, rest = text.partition(":")
    if colon and rest.strip():
        group, text = label.strip(), rest
    for name in re.split(r"[,;](?![^()]*\))", text):
        if name.strip(" ."):
            yield replace(clause, group=group, form="technology", text=name.strip(" ."))


def _merged_deliverable(found: Sequence[tuple[Clause, str]], contract: Contract | None) -> Iterator[tuple[Clause, str]]:
    """The section on the deliverable becomes one clause, and one more for each section of the contract."""
    own = [clause for clause, _ in found if clause.kind == "deliverable"]
    if not own or contract is None:
        yield from found
        return
    lines = (own[0].lines[0], own[-1].lines[1])
    said = " ".join(clause.text for clause in own if clause.form == "statement" and not clause.group)
    whole = replace(own[0], form="deliverable", group="", text=said or contract.title, lines=lines, language="")
    for clause, source in found:
        if clause.kind != "deliverable":
            yield clause, source
        elif clause is own[0]:
            yield whole, source
            for section in contract.sections:
                yield replace(whole, group=section.name, text=_asked(section)), ""


def _asked(section: Section) -> str:
    names = ", ".join(part.name for part in section.parts)
    return f"{section.name}: {section.kind}{f' ({names})' if names else ''}"


def _with_ids(clauses: Iterable[Clause]) -> list[Clause]:
    made: Counter[str] = Counter()
    named = []
    for clause in clauses:
        section = slug(without_number(clause.section)) if clause.section else "persona"
        own = _own_part(clause)
        name = f"{section}/{own}" if own else section
        made[name] += 1
        number = made[name]
        while number > 1 and f"{name}-{number}" in made:
            number += 1
        unique = name if number == 1 else f"{name}-{number}"
        made[unique] += number > 1
        named.append(replace(clause, id=unique))
    return named


def _own_part(clause: Clause) -> str:
    if clause.form in {"statement", "technology"}:
        return slug(clause.text)
    return slug(without_number(clause.group)) if clause.group else ""


def _matched(
    clauses: Sequence[Clause], sources: Sequence[str]
) -> tuple[tuple[Clause, ...], tuple[tuple[str, int], ...]]:
    matched, unknown = [], []
    for clause, source in zip(clauses, sources, strict=False):
        said = [name for names in TESTS.findall(source) for name in re.split(r"[,\s]+", names) if name]
        unknown += [(name, clause.lines[0]) for name in said if not resolve(name)]
        named = [canonical for name in said for canonical in resolve(name)]
        matched.append(replace(clause, canonical=tuple(dict.fromkeys(named)) or _canonical(clause)))
    return tuple(matched), tuple(unknown)


def _canonical(clause: Clause) -> tuple[str, ...]:
    if clause.id in vocabulary():
        return (clause.id,)
    if clause.form == "deliverable":
        return canonical_clauses(clause.group or "deliverable", "deliverable")
    headings = f"{clause.section} {clause.group} " if clause.kind == "standards" else ""
    return canonical_clauses(headings + clause.text, clause.kind)


def _sections(blocks: Sequence[Block], top: int, last_line: int) -> Iterator[SectionOfPersona]:
    """The sections on the level below the title; what stands in them belongs to them."""
    headings = [block for block in blocks if block.kind == "heading" and block.level != top]
    if not headings:
        return
    level = min(block.level for block in headings)
    opening = [block for block in headings if block.level == level]
    for number, block in enumerate(opening):
        end = opening[number + 1].lines[0] - 1 if number + 1 < len(opening) else last_line
        yield SectionOfPersona(block.text, kind_of(block.text), (block.lines[0], end))


def _notes(front: Front, html: Sequence[int], found: Sequence[Clause]) -> Iterator[Note]:
    if front.lines_left_out:
        says = f"only the first {MAX_LINES:,} lines are read; {front.lines_left_out:,} more are part of the prompt"
        yield Note(MAX_LINES + 1, says)
    if front.long_line:
        yield Note(front.long_line, f"only the first {LONGEST_LINE:,} characters of line {front.long_line} are read")
    if len(found) > MAX_CLAUSES:
        yield Note(found[MAX_CLAUSES].lines[0], f"only the first {MAX_CLAUSES:,} of {len(found):,} clauses are read")
    if front.unclosed_fence:
        yield Note(front.unclosed_fence, "a fence is never closed: all that follows is code", is_fault=True)
    if html:
        more = f", and in {len(html) - 1:,} more places" if len(html) > 1 else ""
        yield Note(html[0], f"HTML is not read as clauses (line {html[0]}{more})")
