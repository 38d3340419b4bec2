"""What is left out of a persona: a section or a clause, whole, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given

from harness import persona
from harness.clauses import Reading
from harness.clauses.blocks import lines_of
from harness.clauses.parts import By, parts, without
from tests.clauses.conftest import THEIRS, reading_of
from tests.clauses.test_any_text import bounded, documents

BOTH: list[By] = ["section", "clause"]


@pytest.mark.parametrize("by", BOTH)
@pytest.mark.parametrize("whose", ["bundled", "theirs"])
def test_without_a_part_the_persona_says_all_the_rest(whose: str, by: By, request: pytest.FixtureRequest) -> None:
    reading: Reading = request.getfixturevalue(whose)
    text = persona.load(None if whose == "bundled" else str(THEIRS)).text
    known = parts(reading, text, by)
    assert len({part.id for part in known}) == len(known)
    assert {name for part in known for name in part.clauses} == {clause.id for clause in reading.clauses}
    for part in known:
        left = reading_of(without(text, part))
        assert [one.text for one in left.clauses] == [
            one.text for one in reading.clauses if one.id not in part.clauses
        ], part.id


def test_the_bundled_persona_has_twelve_sections_and_its_deliverable_is_one_clause(bundled: Reading) -> None:
    text = persona.load(None).text
    assert len(parts(bundled, text, "section")) == 12
    clauses = {part.id: part for part in parts(bundled, text, "clause")}
    assert len(clauses["deliverable-format"].clauses) == 7
    assert [part.clauses for part in clauses.values() if "expertise/python" in part.clauses] == [
        ("expertise/python", "expertise/sql", "expertise/spark-in-pyspark-and-in-scala")
    ]


def test_what_is_left_is_kept_to_the_byte() -> None:
    text = "\ufeffTitle\r\n\r\n## A\r- one\r\n## B\n\n\n- two  \n- three"
    reading = reading_of(text)
    a, b = parts(reading, text, "section")
    assert without(text, a) == "\ufeffTitle\r\n\r\n## B\n\n\n- two  \n- three"
    assert without(text, b) == "\ufeffTitle\r\n\r\n## A\r- one\r\n"
    (two,) = [part for part in parts(reading, text, "clause") if part.id == "b/two"]
    assert without(text, two) == "\ufeffTitle\r\n\r\n## A\r- one\r\n## B\n\n\n- three"


def test_a_comment_that_names_what_tests_a_clause_goes_with_it() -> None:
    text = "## Regeln\n\nVerliere nie Daten.\n\n<!-- tests: constraints/never-lose-data -->\n\nSei nett.\n"
    lose, nice = parts(reading_of(text), text, "clause")
    assert without(text, lose) == "## Regeln\n\n\nSei nett.\n"
    assert reading_of(without(text, nice)).clauses[0].canonical == ("constraints/never-lose-data",)


def test_sections_of_one_name_are_two() -> None:
    text = "## Rules\n\n- a\n\n## Rules\n\n- b\n"
    assert [part.id for part in parts(reading_of(text), text, "section")] == ["rules", "rules-2"]


@bounded
@given(documents)
def test_of_any_text_the_parts_lie_apart_and_in_order(text: str) -> None:
    reading, lines = reading_of(text), lines_of(text)
    for by in BOTH:
        last = 0
        for part in parts(reading, text, by):
            assert last < part.lines[0] <= part.lines[1] <= len(lines)
            last = part.lines[1]
            kept = lines[: part.lines[0] - 1] + lines[part.lines[1] :]
            assert "".join(lines_of(without(text, part))) == "".join(kept)
