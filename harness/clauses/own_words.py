"""Which clauses of a persona a check is about: checks name canonical clauses, a persona says them in its own words."""

from __future__ import annotations

from harness.clauses.reading import Clause, Reading
from harness.clauses.vocabulary import resolve


def own_clauses(reading: Reading, name: str) -> list[Clause]:
    """The persona's clauses that a check means by a name, in their order; none if the persona doesn't say it.

    A group that is a clause itself (``deliverable-format``) means that clause where there is one.
    """
    exact = [clause for clause in reading.clauses if name in clause.canonical]
    meant = set(resolve(name))
    return exact or [clause for clause in reading.clauses if meant & set(clause.canonical)]
