"""Whether a deliverable holds what its contract asks for: every section, filled in, a runbook to follow.

Each check returns its problems, each with the text it found; an empty list is a pass. Style is not read:
levels of headings, bold text for headings, tables for lists and the like are the writer's choice.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from graders.contract import Contract, Part, Section, bracketed
from graders.diagram import read_diagram
from graders.entries import Entry, is_said, read_entries, sentences
from graders.markdown import (
    MAX_LENGTH,
    Block,
    content,
    heading_words,
    read,
    vocabulary,
    walk,
    without_code,
    without_number,
    words,
)

# What else a word of the contract is called by good writers.
ALSO_CALLED = {
    "validation": vocabulary("valid check test rule constraint expect assert reject quarantine unique null must"),
    "alert": vocabulary("alert threshold warn notif page pager slack email fail"),
    "source": vocabulary("input upstream"),
    "destination": vocabulary("target sink output"),
    "schedule": vocabulary("frequency cadence trigger cron"),
    "manually": vocabulary("manual hand demand adhoc trigger run start execute invoke launch"),
    "troubleshoot": vocabulary("debug diagnos fail error investigat break broken recover incident problem"),
    "backfill": vocabulary("back reprocess replay histor catchup reload"),
}


def deliverable_has_every_section(contract: Contract, text: str) -> list[str]:
    """Every section of the contract is there, in the contract's order."""
    if problem := too_long(text):
        return [problem]
    found = _find_sections(contract, read(text))
    problems = [f"section {name!r} is missing" for name in _names(contract) if name not in found]
    present = [name for name in _names(contract) if name in found]
    for earlier, later in itertools.pairwise(present):
        if found[earlier].position > found[later].position:
            problems.append(f"section {later!r} stands before {earlier!r}; the order is {', '.join(present)}")
    return problems


def deliverable_is_filled_in(contract: Contract, text: str) -> list[str]:
    """Every section but the runbook says something of its own; what isn't there isn't filled in."""
    if problem := too_long(text):
        return [problem]
    found = _find_sections(contract, read(text))
    problems = []
    for section in contract.sections:
        if section.kind == "steps":
            continue
        if section.name not in found:
            problems.append(f"{section.name}: nothing is there")
            continue
        body = found[section.name].body
        said = _FILLED[section.kind](section, body)
        problems.extend(f"{section.name}: {problem}" for problem in (*said, *_placeholders(contract, body)))
    return problems


def deliverable_runbook_is_complete(contract: Contract, text: str) -> list[str]:
    """The numbered section has each of its steps, and each step says something one can do."""
    if problem := too_long(text):
        return [problem]
    found = _find_sections(contract, read(text))
    problems = []
    for section in contract.sections:
        if section.kind != "steps":
            continue
        if section.name not in found:
            problems.append(f"section {section.name!r} is missing")
            continue
        body = found[section.name].body
        said = [*_step_problems(section, body), *_placeholders(contract, body)]
        problems.extend(f"{section.name}: {problem}" for problem in said)
    return problems


def too_long(text: str) -> str:
    """The problem of a text that is longer than anybody would read; empty if it is not."""
    return f"longer than {MAX_LENGTH:,} characters: {len(text):,}" if len(text) > MAX_LENGTH else ""


@dataclass(frozen=True)
class _Found:
    position: int
    body: tuple[Block, ...]


def _names(contract: Contract) -> list[str]:
    return [section.name for section in contract.sections]


def _find_sections(contract: Contract, blocks: tuple[Block, ...]) -> dict[str, _Found]:
    """Each section's heading and what stands below it, by the section's name."""
    headings = [(number, block) for number, block in enumerate(blocks) if block.kind == "heading"]
    starts: dict[str, int] = {}
    for name in _names(contract):
        fits = [(_fit(name, block), block.level, number) for number, block in headings]
        fits = [fit for fit in fits if fit[0] < _NO_FIT and fit[2] not in starts.values()]
        if fits:
            starts[name] = min(fits)[2]
    return {name: _Found(start, _body(blocks, start, set(starts.values()))) for name, start in starts.items()}


_NO_FIT = 9


def _fit(name: str, heading: Block) -> int:
    """How well a heading names a section: 0 is exactly; up to four words more are taken."""
    wanted, given = words(name), heading_words(heading.text)
    joined = "".join(given)
    if "".join(wanted) == joined:
        return 0
    extra = len(given) - len(wanted)
    if not 0 < extra <= 4 or "".join(wanted) not in joined:
        return _NO_FIT
    return 1 if joined.startswith("".join(wanted)) else 2


def _body(blocks: tuple[Block, ...], start: int, starts: set[int]) -> tuple[Block, ...]:
    """What belongs to a heading: up to the next of its rank; if that is nothing, up to the next section."""
    ends = [number for number in starts if number > start] or [len(blocks)]
    below = blocks[start + 1 : min(ends)]
    level = blocks[start].level
    own = next((number for number, block in enumerate(below) if 0 < block.level <= level), len(below))
    return below[:own] or below


def _field_problems(section: Section, body: Sequence[Block]) -> list[str]:
    entries = read_entries(body)
    values = {part.name: _values(part, entries) for part in section.parts}
    chosen = {word for part in section.parts if part.choices for value in values[part.name] for word in words(value)}
    problems = []
    for part in section.parts:
        if part.condition and not _begins(part.condition, chosen):
            continue
        given = [value for value in values[part.name] if is_said(value)]
        if not given:
            shown = f"says {values[part.name][0]!r}" if values[part.name] else "is missing"
            problems.append(f"{part.name} {shown}")
        elif part.choices and not any(_is_choice(part, value) for value in given):
            problems.append(f"{part.name} is {given[0]!r}, neither {' nor '.join(part.choices)}")
    return problems


def _values(part: Part, entries: Sequence[Entry]) -> list[str]:
    """What is said under a field's label; without the label, a sentence that starts with its word."""
    names = words(part.name)
    also = {other for name in names for other in ALSO_CALLED.get(name, ())}
    labelled = [
        (words(label), value)
        for entry in entries
        for label, value in ((entry.key, entry.value), (entry.context, entry.text))
        if label
    ]
    values = [value for label, value in labelled if len(label) <= 6 and all(_begins(n, label) for n in names)]
    values = values or [value for label, value in labelled if len(label) <= 3 and also & set(label)]
    return values or [
        sentence
        for entry in entries
        for sentence in sentences(entry.value or entry.text)
        if all(_begins(name, words(sentence)[:4]) for name in names) and len(words(sentence)) > len(names) + 2
    ]


def _begins(stem: str, given: Iterable[str]) -> bool:
    """Whether a word is there, in any form that begins with it."""
    return any(word == stem or (len(stem) > 4 and word.startswith(stem)) for word in given)


def _is_choice(part: Part, value: str) -> bool:
    if words(value) == words(part.hint):
        return False
    return any(_begins(choice.casefold().removesuffix("ing"), words(value)) for choice in part.choices)


def _table_problems(section: Section, body: Sequence[Block]) -> list[str]:
    wanted = [words(part.name) for part in section.parts]
    tables = [block for block in walk(body) if block.kind == "table"]
    if not tables:
        return ["no table"]
    for table in tables:
        header = [words(cell) for cell in table.rows[0]]
        places = [next((n for n, cell in enumerate(header) if set(want) <= set(cell)), None) for want in wanted]
        if None in places:
            continue
        cells = [[row[place] for place in places if place is not None] for row in table.rows[1:]]
        if any(all(map(is_said, row)) for row in cells):
            return []
        return [f"no row is filled in: {cells[:3]}" if cells else "the table has no row"]
    columns = ", ".join(part.name for part in section.parts)
    return [f"no table with the columns {columns}; found {' | '.join(tables[0].rows[0])!r}"]


def _diagram_problems(section: Section, body: Sequence[Block]) -> list[str]:
    diagram = read_diagram(body)
    if not diagram.edges:
        return ["no diagram: at least two named nodes, joined by arrows"]
    template = {tuple(words(part.name)) for part in section.parts}
    if {tuple(words(node)) for node in diagram.nodes} <= template:
        return [f"the diagram is the template's own: {' → '.join(diagram.nodes)}"]
    return []


def _item_problems(section: Section, body: Sequence[Block]) -> list[str]:
    entries = read_entries(body)
    return [f"nothing says: {part.name}" for part in section.parts if not _is_made(part, section, entries)]


def _is_made(part: Part, section: Section, entries: Sequence[Entry]) -> bool:
    """Whether a point of the contract is made: its subject is named, and something is said about it."""
    stems = _stems(part)
    others = [stem for other in section.parts if other != part for stem in _own_stems(other)]
    template = {word for other in section.parts for word in words(other.name)}
    for entry in entries:
        label = words(f"{entry.context} {entry.key}")
        is_other = _mentions(others, label) and not _mentions(_own_stems(part), label)
        if is_other or not _mentions(stems, [*label, *words(entry.text)]):
            continue
        own = [word for word in words(entry.value or entry.text) if word not in template]
        if not is_said(entry.value or entry.text) or len(own) < 2:
            continue
        if "threshold" not in words(part.name) or _has_quantity(entry.text):
            return True
    return False


def _own_stems(part: Part) -> list[str]:
    return [word for word in words(part.name.partition(":")[0]) if len(word) > 3 and word not in _FILLERS][:2]


def _stems(part: Part) -> list[str]:
    return [stem for word in _own_stems(part) for stem in (word, *ALSO_CALLED.get(word, ()))]


def _mentions(stems: Iterable[str], given: Sequence[str]) -> bool:
    return any(word.startswith(stem) for stem in stems for word in given)


_FILLERS = vocabulary("that what each when with from does have this implemented configured")
_QUANTITIES = vocabulary(
    "any every each first single zero no none one two three four five ten more fewer less empty missing late",
    "later all never twice double half",
)


def _has_quantity(text: str) -> bool:
    return any(word in _QUANTITIES or any(map(str.isdigit, word)) for word in words(text))


def _prose_problems(_: Section, body: Sequence[Block]) -> list[str]:
    return [] if any(is_said(content(block)) for block in body) else ["nothing is there"]


_FILLED: dict[str, Callable[[Section, Sequence[Block]], list[str]]] = {
    "fields": _field_problems,
    "table": _table_problems,
    "diagram": _diagram_problems,
    "items": _item_problems,
    "prose": _prose_problems,
}


def _placeholders(contract: Contract, body: Iterable[Block]) -> Iterator[str]:
    """What of the template, or of the writer's own draft, was left standing."""
    for block in walk(body):
        if block.kind == "code":
            continue
        for text in (block.text, *(cell for row in block.rows for cell in row)):
            prose = without_code(text)
            for inner in bracketed(prose):
                if " ".join(inner.casefold().split()) in contract.placeholders or _ASKS.match(inner):
                    yield f"the placeholder [{inner}] was left standing"
            if draft := _DRAFT.search(prose):
                yield f"{draft[0]!r} was left standing in {prose[:120]!r}"


_ASKS = re.compile(r"(?:insert|your|add|describe|list|fill|name of|link|todo|tbd|placeholder|e\.g\.|xxx?)\b", re.I)
_DRAFT = re.compile(r"\b(?:TODO|TBD|TBA|FIXME|XXX)\b|\blorem ipsum\b|<(?:your|insert|name|link)\b[^<>]{0,40}>")


@dataclass(frozen=True)
class _Step:
    title: str
    text: str


def _step_problems(section: Section, body: tuple[Block, ...]) -> list[str]:
    steps = list(_steps(body))
    problems = []
    if not any(block.is_numbered for block in walk(body)) and not any(_STARTS_NUMBERED.match(s.text) for s in steps):
        problems.append("its steps are not numbered")
    for part in section.parts:
        about = [step for step in steps if _is_about(step.title, part, section)]
        if not about:
            problems.append(f"no step says: {part.name}")
        elif not any(_is_concrete(step, part) for step in about):
            problems.append(f"the step {about[0].text.strip()[:120]!r} names nothing that one can do")
    return problems


_STARTS_NUMBERED = re.compile(r"\s*(?:step )?\d{1,2}[.):]", re.IGNORECASE)


def _steps(body: Sequence[Block]) -> Iterator[_Step]:
    """The steps in every reading: what is below a heading, items of a list, a paragraph and what follows."""
    for start, block in enumerate(body):
        if block.kind == "heading":
            following = body[start + 1 :]
            end = next((n for n, other in enumerate(following) if 0 < other.level <= block.level), len(following))
            text = "\n".join(map(content, following[:end]))
            yield _Step(block.text, f"{block.text}\n{text}")
        elif block.kind == "list":
            # A fence that isn't indented ends its list: it belongs to the last item all the same.
            trailing = "\n".join(map(content, _until_list(block, body[start + 1 :])))
            for number, item in enumerate(block.children, 1):
                text = content(item)
                yield _Step(_title(text), f"{text}\n{trailing}" if number == len(block.children) else text)
        elif block.kind == "paragraph":
            trailing = "\n".join(map(content, _until_paragraph(block, body[start + 1 :])))
            yield _Step(_title(block.text), f"{block.text}\n{trailing}")
        elif block.kind == "table":
            for row in block.rows[1:]:
                yield _Step(" ".join(row[:2]), " | ".join(row))


def _until_list(step: Block, blocks: Sequence[Block]) -> Sequence[Block]:
    """What follows a list: after a numbered one, up to the next that is numbered."""
    for number, block in enumerate(blocks):
        if block.kind == "heading" or (block.kind == "list" and (block.ordered or not step.ordered)):
            return blocks[:number]
    return blocks


def _until_paragraph(step: Block, blocks: Sequence[Block]) -> Sequence[Block]:
    """What follows a paragraph: after one that is numbered, up to the next that is."""
    is_numbered = bool(_STARTS_NUMBERED.match(step.text))
    for number, block in enumerate(blocks):
        ends = block.kind == "paragraph" and (not is_numbered or _STARTS_NUMBERED.match(block.text))
        if ends or block.kind == "heading":
            return blocks[:number]
    return blocks


def _title(text: str) -> str:
    """What a step is about: its label, or else its first sentence."""
    first = without_number(text.strip().partition("\n")[0])
    for separator in (": ", " — ", " – ", " - "):
        label, found, _ = f"{first} ".partition(separator)
        if found and len(label.split()) <= 8:
            return label
    return without_code(re.split(r"(?<=[.!?;])\s", first, maxsplit=1)[0])


def _is_about(title: str, part: Part, section: Section) -> bool:
    """Whether a title names the step; "run the backfill" is about the backfill, not about running by hand."""
    given = words(title)
    own = _own_stems(part)[-1:]
    if _mentions(own, given):
        return True
    others = [stem for other in section.parts if other != part for stem in _own_stems(other)[-1:]]
    if _mentions(others, given):
        return False
    also = [name for stem in own for name in ALSO_CALLED.get(stem, ())]
    return _mentions(also, given)


def _is_concrete(step: _Step, part: Part) -> bool:
    """A step one can follow: it shows a command, or says more than its own title in a few words."""
    rest = step.text.strip()
    if rest.startswith(step.title) and len(step.title) < len(rest):
        rest = rest[len(step.title) :]
    named = {*words(part.name), *_stems(part)}
    return is_said(rest) and ("`" in step.text or len([word for word in words(rest) if word not in named]) >= 5)
