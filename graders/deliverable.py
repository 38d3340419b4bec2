"""Whether a deliverable holds what its contract asks for: every section, filled in, a runbook to follow.

Each check returns its problems, each with the text it found; an empty list is a pass. Style is not read:
levels of headings, bold text for headings, tables for lists and the like are the writer's choice.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from graders.contract import Contract, Part, Section, bracketed
from graders.diagram import read_diagram
from graders.entries import Entry, is_said, read_entries
from graders.markdown import Block, content, read, vocabulary, walk, without_code, words
from graders.sections import begins, find_sections, mentions, own_stems, section_names, stems, too_long, values_of
from graders.steps import STARTS_NUMBERED, Step, steps_about, steps_in


def deliverable_has_every_section(contract: Contract, text: str) -> list[str]:
    """Every section of the contract is there, in the contract's order."""
    if problem := too_long(text):
        return [problem]
    found = find_sections(contract, read(text))
    problems = [f"section {name!r} is missing" for name in section_names(contract) if name not in found]
    present = [name for name in section_names(contract) if name in found]
    for earlier, later in itertools.pairwise(present):
        if found[earlier].position > found[later].position:
            problems.append(f"section {later!r} stands before {earlier!r}; the order is {', '.join(present)}")
    return problems


def deliverable_is_filled_in(contract: Contract, text: str) -> list[str]:
    """Every section but the runbook says something of its own; what isn't there isn't filled in."""
    if problem := too_long(text):
        return [problem]
    found = find_sections(contract, read(text))
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
    found = find_sections(contract, read(text))
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


def _field_problems(section: Section, body: Sequence[Block]) -> list[str]:
    entries = read_entries(body)
    values = {part.name: values_of(part, entries) for part in section.parts}
    chosen = {word for part in section.parts if part.choices for value in values[part.name] for word in words(value)}
    problems = []
    for part in section.parts:
        if part.condition and not begins(part.condition, chosen):
            continue
        given = [value for value in values[part.name] if is_said(value)]
        if not given:
            shown = f"says {values[part.name][0]!r}" if values[part.name] else "is missing"
            problems.append(f"{part.name} {shown}")
        elif part.choices and not any(_is_choice(part, value) for value in given):
            problems.append(f"{part.name} is {given[0]!r}, neither {' nor '.join(part.choices)}")
    return problems


def _is_choice(part: Part, value: str) -> bool:
    if words(value) == words(part.hint):
        return False
    return any(begins(choice.casefold().removesuffix("ing"), words(value)) for choice in part.choices)


def _table_problems(section: Section, body: Sequence[Block]) -> list[str]:
    wanted = [words(part.name) for part in section.parts]
    tables = [block for block in walk(body) if block.kind == "table"]
    if not tables:
        return ["no table"]
    for table in tables:
        header = [words(cell) for cell in table.rows[0]]
        # The first column holds the things themselves, whatever they are called: "File", "Step".
        places = [next((n for n, cell in enumerate(header) if set(want) <= set(cell)), None) for want in wanted]
        if places[0] is None and 0 not in places:
            places[0] = 0
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
    others = [stem for other in section.parts if other != part for stem in own_stems(other)]
    template = {word for other in section.parts for word in words(other.name)}
    for entry in entries:
        label = words(f"{entry.context} {entry.key}")
        is_other = mentions(others, label) and not mentions(own_stems(part), label)
        if is_other or not mentions(stems(part), [*label, *words(entry.text)]):
            continue
        own = [word for word in words(entry.value or entry.text) if word not in template]
        if not is_said(entry.value or entry.text) or len(own) < 2:
            continue
        if "threshold" not in words(part.name) or _has_quantity(entry.text):
            return True
    return False


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


def _step_problems(section: Section, body: tuple[Block, ...]) -> list[str]:
    steps = list(steps_in(body))
    problems = []
    if not any(block.is_numbered for block in walk(body)) and not any(STARTS_NUMBERED.match(s.text) for s in steps):
        problems.append("its steps are not numbered")
    for part in section.parts:
        about = steps_about(part, section, steps)
        if not about:
            problems.append(f"no step says: {part.name}")
        elif not any(_is_concrete(step, part) for step in about):
            problems.append(f"the step {about[0].text.strip()[:120]!r} names nothing that one can do")
    return problems


def _is_concrete(step: Step, part: Part) -> bool:
    """A step one can follow: it shows a command, or says more than its own title in a few words."""
    rest = step.text.strip()
    if rest.startswith(step.title) and len(step.title) < len(rest):
        rest = rest[len(step.title) :]
    named = {*words(part.name), *stems(part)}
    return is_said(rest) and ("`" in step.text or len([word for word in words(rest) if word not in named]) >= 5)
