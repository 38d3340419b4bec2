"""A persona read as what it is made of: identity, clauses with ids, the contract of its deliverable.

    reading = read_persona(persona.load("data-engineer"))
    reading.clauses[0].id          # 'responsibilities/pipelines-etl-as-well-as-elt'
    reading.clauses[0].canonical   # the clauses that checks name: see docs/personas.md

``lint`` says what is wrong with it, ``differences`` what changed between two, ``coverage`` which check tests what.
"""

from harness.clauses.own_words import own_clauses
from harness.clauses.reading import Clause, Identity, Reading, SectionOfPersona, read_persona
from harness.clauses.vocabulary import Canonical, resolve, vocabulary

__all__ = [
    "Canonical",
    "Clause",
    "Identity",
    "Reading",
    "SectionOfPersona",
    "own_clauses",
    "read_persona",
    "resolve",
    "vocabulary",
]
