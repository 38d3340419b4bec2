"""Where a deliverable says what: the sections of its contract, the values of its fields, the words for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graders.contract import Contract, Part
from graders.entries import Entry, sentences
from graders.markdown import MAX_LENGTH, Block, heading_words, vocabulary, words

# What else a word of the contract is called by good writers.
ALSO_CALLED = {
    "validation": vocabulary(
        "valid check test rule constraint expect assert reject quarantine unique null must",
        "refus abort rollback rolled damag malform broken missing",
    ),
    "alert": vocabulary("alert threshold warn notif page pager slack email fail"),
    "source": vocabulary("input upstream"),
    "destination": vocabulary("target sink output"),
    "schedule": vocabulary("frequency cadence trigger cron"),
    "manually": vocabulary("manual hand demand adhoc trigger run start execute invoke launch"),
    "troubleshoot": vocabulary(
        "trouble debug diagnos fail error investigat break broken recover incident problem",
        "crash died hang stuck symptom wrong",
    ),
    "backfill": vocabulary("back reprocess replay histor catchup reload rerun redo"),
}


def too_long(text: str) -> str:
    """The problem of a text that is longer than anybody would read; empty if it is not."""
    return f"longer than {MAX_LENGTH:,} characters: {len(text):,}" if len(text) > MAX_LENGTH else ""


@dataclass(frozen=True)
class Found:
    position: int
    body: tuple[Block, ...]


def section_names(contract: Contract) -> list[str]:
    return [section.name for section in contract.sections]


def find_sections(contract: Contract, blocks: tuple[Block, ...]) -> dict[str, Found]:
    """Each section's heading and what stands below it, by the section's name."""
    headings = [(number, block) for number, block in enumerate(blocks) if block.kind == "heading"]
    starts: dict[str, int] = {}
    for name in section_names(contract):
        fits = [(_fit(name, block), block.level, number) for number, block in headings]
        fits = [fit for fit in fits if fit[0] < _NO_FIT and fit[2] not in starts.values()]
        if fits:
            starts[name] = min(fits)[2]
    return {name: Found(start, _body(blocks, start, set(starts.values()))) for name, start in starts.items()}


_NO_FIT = 9


def _fit(name: str, heading: Block) -> int:
    """How well a heading names a section: 0 is exactly; up to four words more, or the last alone, are taken."""
    wanted, given = words(name), heading_words(heading.text)
    joined = "".join(given)
    if "".join(wanted) == joined:
        return 0
    if given == wanted[-1:]:
        return 3
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


def values_of(part: Part, entries: Sequence[Entry]) -> list[str]:
    """What is said under a field's label; without the label, a sentence that starts with its word."""
    names = words(part.name)
    also = {other for name in names for other in ALSO_CALLED.get(name, ())}
    labelled = [
        (words(label), value)
        for entry in entries
        for label, value in ((entry.key, entry.value), (entry.context, entry.text))
        if label
    ]
    values = [value for label, value in labelled if len(label) <= 6 and all(begins(n, label) for n in names)]
    values = values or [value for label, value in labelled if len(label) <= 3 and also & set(label)]
    return values or [
        sentence
        for entry in entries
        for sentence in sentences(entry.value or entry.text)
        if all(begins(name, words(sentence)[:4]) for name in names) and len(words(sentence)) > len(names) + 2
    ]


def begins(stem: str, given: Iterable[str]) -> bool:
    """Whether a word is there, in any form that begins with it."""
    return any(word == stem or (len(stem) > 4 and word.startswith(stem)) for word in given)


def own_stems(part: Part) -> list[str]:
    return [word for word in words(part.name.partition(":")[0]) if len(word) > 3 and word not in _FILLERS][:2]


def stems(part: Part) -> list[str]:
    return [stem for word in own_stems(part) for stem in (word, *ALSO_CALLED.get(word, ()))]


def mentions(stems: Iterable[str], given: Sequence[str]) -> bool:
    return any(word.startswith(stem) for stem in stems for word in given)


_FILLERS = vocabulary("that what each when with from does have this implemented configured")
