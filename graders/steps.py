"""The steps of a runbook, in whichever way they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graders.contract import Part, Section
from graders.markdown import Block, content, without_code, without_number, words
from graders.sections import ALSO_CALLED, mentions, own_stems


@dataclass(frozen=True)
class Step:
    title: str
    text: str


# Of a section's blocks; nobody follows a longer runbook, and reading one takes time that grows with its square.
MOST_BLOCKS = 1_000
STARTS_NUMBERED = re.compile(r"\s*(?:step )?\d{1,2}(?:[.):]| \|)", re.IGNORECASE)


def steps_in(body: Sequence[Block]) -> Iterator[Step]:
    """The steps in every reading: what is below a heading, items of a list, a paragraph and what follows."""
    body = body[:MOST_BLOCKS]
    for start, block in enumerate(body):
        if block.kind == "heading":
            following = body[start + 1 :]
            end = next((n for n, other in enumerate(following) if 0 < other.level <= block.level), len(following))
            text = "\n".join(map(content, following[:end]))
            yield Step(block.text, f"{block.text}\n{text}")
        elif block.kind == "list":
            # A fence that isn't indented ends its list: it belongs to the last item all the same.
            trailing = "\n".join(map(content, _until_list(block, body[start + 1 :])))
            for number, item in enumerate(block.children, 1):
                text = content(item)
                yield Step(_title(text), f"{text}\n{trailing}" if number == len(block.children) else text)
        elif block.kind == "paragraph":
            trailing = "\n".join(map(content, _until_paragraph(block, body[start + 1 :])))
            yield Step(_title(block.text), f"{block.text}\n{trailing}")
        elif block.kind == "table":
            for row in block.rows[1:]:
                yield Step(" ".join(row[:2]), " | ".join(row))


def _until_list(step: Block, blocks: Sequence[Block]) -> Sequence[Block]:
    """What follows a list: after a numbered one, up to the next that is numbered."""
    for number, block in enumerate(blocks):
        if block.kind == "heading" or (block.kind == "list" and (block.ordered or not step.ordered)):
            return blocks[:number]
    return blocks


def _until_paragraph(step: Block, blocks: Sequence[Block]) -> Sequence[Block]:
    """What follows a paragraph: after one that is numbered, up to the next that is."""
    is_numbered = bool(STARTS_NUMBERED.match(step.text))
    for number, block in enumerate(blocks):
        ends = block.kind == "paragraph" and (not is_numbered or STARTS_NUMBERED.match(block.text))
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


def steps_about(part: Part, section: Section, steps: Sequence[Step]) -> list[Step]:
    """The steps on a part of the contract; a run by hand may be titled by what it does: "Load a day: `load.sh 5`"."""
    named = [step for step in steps if is_about(step.title, part, section)]
    if named or "manual" not in part.name.casefold():
        return named
    others = [step for step in steps if not any(is_about(step.title, other, section) for other in section.parts)]
    return [step for step in others if _COMMAND.search(step.text)]


_COMMAND = re.compile(r"`[\w./$-]+\s+[^`]+`")


def is_about(title: str, part: Part, section: Section) -> bool:
    """Whether a title names the step; "run the backfill" is about the backfill, not about running by hand."""
    given = words(title)
    own = own_stems(part)[-1:]
    if mentions(own, given):
        return True
    others = [stem for other in section.parts if other != part for stem in own_stems(other)[-1:]]
    if mentions(others, given):
        return False
    also = [name for stem in own for name in ALSO_CALLED.get(stem, ())]
    return mentions(also, given)
