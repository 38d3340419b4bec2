"""What a section of a persona is about, told from its heading; and how ids are made of texts."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from graders.contract import ABOUT_DELIVERABLE
from graders.markdown import heading_words, vocabulary

Kind = Literal[
    "identity",
    "responsibilities",
    "expertise",
    "standards",
    "deliverable",
    "collaboration",
    "constraints",
    "communication",
    "other",
]

# In the order in which they are tried: "Communication Standards" are about communication. Singular forms.
HEADINGS: dict[Kind, frozenset[str]] = {
    "deliverable": ABOUT_DELIVERABLE,
    "communication": vocabulary("communication communicate communicating tone style voice"),
    "collaboration": vocabulary("collaboration collaborate collaborating teamwork handoff interface"),
    "constraints": vocabulary("constraint rule principle must policy policie guardrail boundary boundarie never alway"),
    "responsibilities": vocabulary("responsibility responsibilitie duty dutie task goal mission"),
    "expertise": vocabulary("expertise skill technology technologie tool tooling stack knowledge"),
    "identity": vocabulary("identity role about profile persona who"),
    "standards": vocabulary(
        "standard structure framework pattern practice guideline convention design model modeling modelling quality",
        "warehouse streaming pipeline architecture example template method methodology process workflow",
    ),
}
KINDS: tuple[Kind, ...] = (
    "identity",
    "responsibilities",
    "expertise",
    "standards",
    "deliverable",
    "collaboration",
    "constraints",
    "communication",
    "other",
)

LONGEST_SLUG = 8  # words


def kind_of(heading: str) -> Kind:
    """The kind of section a heading opens; ``other`` if its words say nothing about it."""
    said = set(heading_words(heading.replace("-", " ")))
    return next((kind for kind, words in HEADINGS.items() if said & words), "other")


def slug(text: str) -> str:
    """The words of a text that make up an id: the first eight, without brackets and what follows a colon."""
    bare = re.sub(r"\([^()]*\)", " ", unicodedata.normalize("NFKC", text).casefold())
    before = bare.partition(":")[0] if ":" in bare else bare
    words = _words(before) or _words(bare) or _words(text.casefold())
    return "-".join(words[:LONGEST_SLUG])[:100] or "unnamed"


def _words(text: str) -> list[str]:
    # Marks are part of a word in scripts such as Devanagari; an apostrophe is no boundary.
    kept = "".join(
        character if character.isalnum() or unicodedata.category(character) in {"Mn", "Mc"} else " "
        for character in text.replace("'", "").replace("’", "")
    )
    return kept.split()
