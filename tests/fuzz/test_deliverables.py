"""Whatever a deliverable is: each check of it says yes or what is missing, in bounded time."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graders import communication, deliverable
from graders.markdown import MAX_LENGTH
from harness.grading import suite_contract
from tests.fuzz.strangers import bounded, meddled_bytes

SAMPLES = sorted((Path(__file__).parents[1] / "graders" / "deliverables").glob("*.md"))
GOOD = (Path(__file__).parents[1] / "graders" / "deliverables" / "good.md").read_bytes()
PIECES = (
    "## Runbook\n", "```mermaid\nflowchart LR\n", "a --> b", "-->|x|", "```\n", "| a | b |\n|---|---|\n", "1. ",
    "- [ ] ", "<details>", "every 15 minutes", "99.9 %", "trade-off", "**",
    "[" * 200, "`" * 99, "┌──┐\n│ x │→", "\u2192" * 50,
)  # fmt: skip


def judged(text: str) -> list[str]:
    contract = suite_contract()
    return [
        *deliverable.deliverable_has_every_section(contract, text),
        *deliverable.deliverable_is_filled_in(contract, text),
        *deliverable.deliverable_runbook_is_complete(contract, text),
        *communication.flow_diagram_names_the_real_ends(text, ("landing/orders",), ("warehouse.fct_orders",)),
        *communication.assumptions_about_the_source_are_stated(text),
        *communication.freshness_is_a_number(text),
        *communication.trade_off_names_its_cost(text),
    ]


@given(
    content=st.sampled_from(SAMPLES).flatmap(lambda path: meddled_bytes(path.read_bytes(), PIECES))
    | st.binary(max_size=200)
)
def test_any_deliverable_is_judged(content: bytes) -> None:
    with bounded():
        assert all(isinstance(problem, str) for problem in judged(content.decode(errors="replace")))


@given(pieces=st.lists(st.sampled_from(PIECES) | st.text(max_size=20), max_size=40))
def test_any_heap_of_pieces_is_judged(pieces: list[str]) -> None:
    with bounded():
        judged("\n".join(pieces))


@pytest.mark.parametrize("piece", PIECES, ids=range(len(PIECES)))
def test_as_much_of_one_piece_as_is_read(piece: str) -> None:
    with bounded(20):
        assert judged((piece * (MAX_LENGTH // len(piece) + 1))[: MAX_LENGTH + 10])
