"""What changed between two versions of a persona, clause by clause.

Clauses of equal id or equal text are the same clause. What is left on both sides is paired by likeness: of the same
kind and form, about the same canonical clause or in similar words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from harness.clauses.reading import Clause, Reading

Change = Literal["added", "removed", "changed", "moved"]

# Below it two clauses are two clauses, one removed and one added.
LEAST_LIKENESS = 0.5
# What being about the same canonical clause counts for, besides the words.
SAME_MEANING = 0.5
# Every pair is looked at; beyond so many left over on a side, they stay unpaired.
MAX_UNPAIRED = 300
LONGEST_COMPARED = 600  # words


@dataclass(frozen=True)
class Difference:
    """One clause that isn't as it was. ``likeness`` is that of the two texts, 0 to 1."""

    change: Change
    old: Clause | None
    new: Clause | None
    likeness: float = 0.0


def differences(old: Reading, new: Reading) -> list[Difference]:
    """All that changed, in the order of the new version; what was removed comes last."""
    before, after = list(old.clauses), list(new.clauses)
    found: list[Difference] = []
    for same in (_by_id_and_text, _by_id, _by_text):
        pairs, before, after = _taken(before, after, same)
        found += [pair for pair in (_difference(*pair) for pair in pairs) if pair]
    pairs = _alike(before, after)
    found += [pair for pair in (_difference(*pair) for pair in pairs) if pair]
    paired = {id(clause) for pair in pairs for clause in pair}
    found += [Difference("added", None, clause) for clause in after if id(clause) not in paired]
    removed = [Difference("removed", clause, None) for clause in before if id(clause) not in paired]
    return [*sorted(found, key=_line), *removed]


def likeness(old: Clause, new: Clause) -> float:
    """How much of two texts is the same, word by word."""
    first, second = _words(old.text), _words(new.text)
    return SequenceMatcher(None, first, second, autojunk=False).ratio() if first or second else 1.0


def _by_id_and_text(clause: Clause) -> tuple[str, ...]:
    return (clause.id, clause.text)


def _by_id(clause: Clause) -> tuple[str, ...]:
    return (clause.id, clause.form)


def _by_text(clause: Clause) -> tuple[str, ...]:
    return (clause.text, clause.form)


def _taken(
    before: Sequence[Clause], after: Sequence[Clause], key: Callable[[Clause], tuple[str, ...]]
) -> tuple[list[tuple[Clause, Clause]], list[Clause], list[Clause]]:
    """The pairs of equal keys, first with first; and what is left on both sides."""
    waiting: dict[tuple[str, ...], list[Clause]] = {}
    for clause in reversed(before):
        waiting.setdefault(key(clause), []).append(clause)
    pairs, left = [], []
    for clause in after:
        same = waiting.get(key(clause))
        if same:
            pairs.append((same.pop(), clause))
        else:
            left.append(clause)
    taken = {id(old) for old, _ in pairs}
    return pairs, [clause for clause in before if id(clause) not in taken], left


def _alike(before: Sequence[Clause], after: Sequence[Clause]) -> list[tuple[Clause, Clause]]:
    """Pairs of what is left, the likest first; each clause in one pair at most."""
    if max(len(before), len(after)) > MAX_UNPAIRED:
        return []
    ranked = sorted(_candidates(before, after), key=lambda candidate: candidate[0], reverse=True)
    pairs: list[tuple[Clause, Clause]] = []
    taken: set[int] = set()
    for _, old, new in ranked:
        if id(old) not in taken and id(new) not in taken:
            pairs.append((old, new))
            taken |= {id(old), id(new)}
    return pairs


def _candidates(before: Iterable[Clause], after: Sequence[Clause]) -> Iterator[tuple[float, Clause, Clause]]:
    for old in before:
        for new in after:
            if (old.kind, old.form) != (new.kind, new.form):
                continue
            score = likeness(old, new) + SAME_MEANING * bool(set(old.canonical) & set(new.canonical))
            if score >= LEAST_LIKENESS:
                yield score, old, new


def _difference(old: Clause, new: Clause) -> Difference | None:
    if old.text != new.text:
        return Difference("changed", old, new, likeness(old, new))
    is_same_place = (old.section, old.group, old.kind) == (new.section, new.group, new.kind)
    return None if is_same_place else Difference("moved", old, new, 1.0)


def _line(difference: Difference) -> int:
    return difference.new.lines[0] if difference.new else 0


def _words(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text)[:LONGEST_COMPARED]
