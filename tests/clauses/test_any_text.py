"""Whatever a persona's text is, it is read: no exception, no id twice, no line that isn't there, no endless work."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clauses import Reading
from harness.clauses.blocks import lines_of
from harness.clauses.difference import differences
from harness.clauses.lint import ABOUTS, lint
from harness.clauses.sections import KINDS
from harness.persona import MAX_BYTES
from tests.clauses.conftest import reading_of

bounded = settings(max_examples=120, deadline=None, derandomize=True, database=None)

HEADINGS = ["Constraints", "Role", "Deliverable Format", "Expertise", "Responsibilities", "With Backend", "Zwänge", ""]
texts = st.text(max_size=40) | st.sampled_from(
    [
        "Never lose data",
        "Airflow, dbt (core), SQL",
        "Name: [what]",
        "a | b",
        "<!-- tests: nothing/known -->",
        "**Bold**:",
    ]
)
fences = st.sampled_from(["```", "````", "~~~", "```markdown", "```sql", "```python"])
pieces = st.one_of(
    st.builds("{} {}".format, st.sampled_from(["#", "##", "###", "######"]), st.sampled_from(HEADINGS)),
    st.builds("{}{} {}".format, st.sampled_from(["", "  ", "      "]), st.sampled_from(["-", "1.", "*", ">"]), texts),
    fences,
    texts,
    st.sampled_from(
        ["", "---", "===", "|-|-|", "| a | b |", "<div>", "</div>", "\t", "\ufeff", "\\", "[x]: y", "&amp;"]
    ),
)
documents = st.lists(pieces, max_size=30).map("\n".join)


def is_whole(reading: Reading, text: str) -> None:
    ids = [clause.id for clause in reading.clauses]
    assert len(set(ids)) == len(ids)
    last = len(lines_of(text))
    for place in (*reading.clauses, *reading.sections):
        first, end = place.lines
        assert 1 <= first <= end <= last, place
        assert place.kind in KINDS
    for finding in lint(reading):
        assert 1 <= finding.line <= last, finding
        assert finding.about in ABOUTS
        assert not finding.clause or finding.clause in ids
    assert differences(reading, reading) == []


@bounded
@given(documents)
def test_any_markdown_is_read(text: str) -> None:
    is_whole(reading_of(text), text)


@bounded
@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    is_whole(reading_of(text), text)


@bounded
@given(documents)
def test_reading_twice_reads_the_same(text: str) -> None:
    assert reading_of(text) == reading_of(text)


words = st.text(st.characters(categories=["Ll", "Lu"], max_codepoint=0x24F), min_size=1, max_size=8)
statements = st.lists(words, min_size=2, max_size=6).map(" ".join)


@bounded
@given(st.lists(statements, max_size=10), documents.filter(lambda text: not set(text) & set("`~<#")))
def test_every_point_of_a_section_is_a_clause(points: list[str], before: str) -> None:
    text = f"{before}\n\n# Constraints\n\n" + "\n".join(f"- {point}" for point in points)
    read = [clause.text for clause in reading_of(text).clauses if clause.section == "Constraints"]
    assert read == points


@bounded
@given(st.lists(statements, min_size=1, max_size=8, unique_by=str.casefold), st.data())
def test_leaving_a_clause_out_removes_that_clause(points: list[str], data: st.DataObject) -> None:
    text = "## Constraints\n" + "".join(f"- {point}\n" for point in points)
    left_out = data.draw(st.sampled_from(points))
    found = differences(reading_of(text), reading_of(text.replace(f"- {left_out}\n", "", 1)))
    assert [(one.change, one.old and one.old.text) for one in found] == [("removed", left_out)]


SHAPES = {
    "points": "- a\n",
    "headings": "## a\n\n",
    "nested quotes": ">",
    "open fences": "```markdown\n",
    "fences of a deliverable": "```\n",
    "rows": "| a | b |\n|---|---|\n",
    "cells": "| a ",
    "brackets": "[",
    "HTML": "<div>\n\n",
    "emphasis": "*a",
    "technologies": "a, ",
    "updates": "update t; ",
    "one line": "never lose data ",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_megabyte_is_read_in_bounded_time_and_what_is_left_out_is_told(shape: str) -> None:
    start = "## Deliverable\n" if "deliverable" in shape else "## Expertise\n- " if shape == "technologies" else ""
    text = start + (SHAPES[shape] * (MAX_BYTES // len(SHAPES[shape])))[: MAX_BYTES - len(start)]
    started = time.process_time()
    reading = reading_of(text)
    is_whole(reading, text)
    assert time.process_time() - started < 60
    assert reading.notes
