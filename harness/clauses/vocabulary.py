"""Canonical clauses: the vocabulary in which checks and tasks say what they test, and which a persona's clauses meet.

Two personas say the same in different words, so ids made of their texts differ. Checks therefore name canonical
clauses (``vocabulary.toml``), and each persona's own clauses are matched with those: by an equal id, by a comment
``<!-- tests: constraints/never-lose-data -->`` that its author put behind the clause, or by key terms.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.clauses.sections import HEADINGS, Kind, kind_of

# A sentence with one of these permits what the canonical clause forbids; it isn't that clause.
PERMISSION = re.compile(
    r"\b(acceptable|optional|unnecessary|no need|needn't|not (needed|required|necessary)"
    r"|(not|don't|doesn't) (need|have) to|may (lose|drop|skip))\b"
)
# A section whose heading says nothing may hold any of these.
KINDS_OF_STATEMENTS: tuple[Kind, ...] = (
    "constraints",
    "communication",
    "responsibilities",
    "collaboration",
    "standards",
)
# Key terms are looked for in no more of a text.
LONGEST_TEXT = 6_000
LONGEST_NAME = 4  # words: a text of so few is the name of a technology


@dataclass(frozen=True)
class Canonical:
    """A clause that checks can name. ``match`` are phrases as patterns of words, all of which must occur."""

    id: str
    kind: Kind
    match: tuple[tuple[re.Pattern[str], ...], ...]
    within: str = ""
    also: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        return self.id.partition("/")[2]

    def is_met_by(self, text: str) -> bool:
        return any(all(word.search(text) for word in phrase) for phrase in self.match)


@functools.cache
def vocabulary() -> dict[str, Canonical]:
    """All canonical clauses by id, in the order of their file."""
    raw = tomllib.loads(Path(__file__).with_name("vocabulary.toml").read_text(encoding="utf-8"))
    return {
        name: Canonical(
            name,
            _known_kind(kind),
            tuple(tuple(map(_word, phrase.split())) for phrase in entry["match"]),
            entry.get("within", ""),
            tuple(entry.get("also", ())),
        )
        for kind, entries in raw.items()
        for name, entry in entries.items()
    }


@functools.cache
def resolve(name: str) -> tuple[str, ...]:
    """The canonical clauses that a check means by a name: an id, another spelling of it, or a group of ids.

    The section may be called as in any persona (``collaboration/…`` for ``collaboration-protocol/…``). Empty if
    there is no such clause.
    """
    if not name:
        return ()
    known = vocabulary()
    grouped = tuple(entry.id for entry in known.values() if name in {entry.id, entry.within, *entry.also})
    if grouped:
        return grouped
    section, _, slug = name.partition("/")
    kind = kind_of(section)
    return tuple(
        entry.id
        for entry in known.values()
        if slug and entry.kind == kind and slug in {entry.slug, entry.within.partition("/")[2], *_slugs(entry.also)}
    )


def canonical_clauses(text: str, kind: Kind) -> tuple[str, ...]:
    """The canonical clauses that a text of a section of this kind is about, by key terms."""
    bare = _bare(text)
    if PERMISSION.search(bare):
        return ()
    kinds: Sequence[Kind] = (kind,)
    if kind == "other":
        kinds = KINDS_OF_STATEMENTS if len(bare.split()) > LONGEST_NAME else ("expertise", *KINDS_OF_STATEMENTS)
    for one in kinds:
        found = tuple(entry.id for entry in vocabulary().values() if entry.kind == one and entry.is_met_by(bare))
        if found:
            return found
    return ()


def technologies(names: Iterable[str]) -> tuple[str, ...]:
    """The canonical clauses of the technologies that a task's manifest lists."""
    return canonical_clauses(" ".join(names), "expertise")


def parties(name: str) -> tuple[str, ...]:
    """The canonical clauses of a task's collaboration: a clause, a group, or the name of whom it is with."""
    found = resolve(name)
    if found:
        return found
    word = _word(f"{name.casefold().removeprefix('with ').split(' ')[0]}*") if name.strip() else None
    return tuple(
        entry.id
        for entry in vocabulary().values()
        if entry.kind == "collaboration" and word and word.search(_bare(entry.within.partition("/")[2]))
    )


def _slugs(names: Iterable[str]) -> list[str]:
    return [name.partition("/")[2] for name in names]


def _known_kind(name: str) -> Kind:
    return next(kind for kind in HEADINGS if kind == name)


def _word(pattern: str) -> re.Pattern[str]:
    end = "" if pattern.endswith("*") else r"s?\b"
    return re.compile(rf"\b{re.escape(pattern.rstrip('*'))}{end}")


def _bare(text: str) -> str:
    """Lower case, every sign but an apostrophe turned into a space, so that words are divided at hyphens too."""
    return re.sub(r"[^\w'\s]|_", " ", text[:LONGEST_TEXT].casefold().replace("’", "'"))
