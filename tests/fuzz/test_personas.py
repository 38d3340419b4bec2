"""Whatever bytes a persona is: it is shown and judged, or refused with a reason; see also tests/clauses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import persona
from harness.errors import UsageError
from tests.fuzz.strangers import meddled_bytes, said

BUNDLED = persona.load().text.encode()
PIECES = (
    "# Deliverable Format\n",
    "```\n",
    "- [ ]",
    "| a | b |\n",
    "<!--",
    "-->",
    "&#x0;",
    "[x]: y",
    "\t",
    "1. ",
    "> " * 40,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("personas") / "stranger.md"


@given(content=meddled_bytes(BUNDLED, PIECES) | st.binary(max_size=200))
def test_any_file_is_a_persona_or_none(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    try:
        read = persona.load(str(file))
    except UsageError as error:
        assert str(file) in error.problem
    else:
        assert read.text.encode() == content


@pytest.mark.parametrize("command", ["show", "lint"])
@given(content=meddled_bytes(BUNDLED[:1500], PIECES) | st.binary(max_size=80))
def test_the_program_shows_any(file: Path, command: str, content: bytes) -> None:
    file.write_bytes(content)
    code, out, err = said(["persona", command, str(file)])
    assert code in (0, 1, 2), err
    assert code == 2 or content.decode().strip()
    assert "\x1b" not in out + err


@given(name=st.text(max_size=20) | st.sampled_from(["\0", "~nobody/x", "~", ".", "/", "a" * 300, "/proc/self/mem"]))
def test_any_name_is_a_persona_or_none(name: str) -> None:
    try:
        persona.load(name)
    except UsageError as error:
        assert error.problem
