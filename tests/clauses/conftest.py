from __future__ import annotations

from pathlib import Path

import pytest

from harness import persona
from harness.clauses import Reading, read_persona
from harness.persona import Persona

THEIRS = Path(__file__).parents[3] / "shared" / "persona" / "data-engineer.md"


def reading_of(text: str) -> Reading:
    return read_persona(Persona("test", text))


@pytest.fixture(scope="session")
def bundled() -> Reading:
    return read_persona(persona.load(None))


@pytest.fixture(scope="session")
def theirs() -> Reading:
    """The persona that the bundled one was written after, in other words and another structure."""
    if not THEIRS.is_file():
        pytest.skip("the persona that the bundled one was written after is not beside the checkout")
    return read_persona(persona.load(str(THEIRS)))
