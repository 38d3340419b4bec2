"""Evidence becomes tables again: what the graders write is what the report reads."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graders.tables import SHOWN, difference
from results.report.clipping import LONGEST_LINE, clipped
from results.report.evidence import TableDifference, blocks

VALUES = st.one_of(
    st.none(),
    st.integers(),
    st.text(max_size=12),
    st.sampled_from(["", "NULL", "a, b", 'say "hi"', "(1, 2)", "two\nlines", " padded ", "\\", "1 missing:"]),
    st.just(datetime.date(2025, 1, 2)),
    st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-1000, max_value=1000),
)
ROWS = st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=8)


def told(row: tuple[Any, ...]) -> tuple[str | None, ...]:
    return tuple(None if value is None else str(value) for value in row)


@given(found=ROWS, wanted=ROWS)
def test_every_difference_that_graders_tell_is_read_back(found, wanted):
    evidence = difference(found, wanted, ("id", "name", "city"))
    if not evidence:
        return
    # Rows are told in lines: what breaks a line is escaped, by the graders.
    table = blocks(f"why: orders: {evidence}")[1]
    assert isinstance(table, TableDifference)
    assert (table.found, table.expected, table.columns) == (len(found), len(wanted), ("id", "name", "city"))
    for kind, here, there in (("missing", wanted, found), ("unexpected", found, wanted)):
        shown = [tuple(cell.value for cell in row.cells) for row in table.rows if row.kind == kind]
        assert len(shown) == min(table.counts.get(kind, 0), SHOWN)
        assert len(shown) + table.more.get(kind, 0) == table.counts.get(kind, 0)
        assert {told(row) for row in here} >= set(shown)
        for row in here:
            if here.count(row) > there.count(row) and table.counts[kind] <= SHOWN:
                assert told(row) in shown


def test_rows_that_nearly_agree_stand_together_with_what_differs_marked():
    evidence = difference(
        [(1, "Kim", Decimal("2.50")), (9, "Zoe", Decimal("1.00"))],
        [(1, "Kim", Decimal("2.05")), (2, "Ng, Lee", None)],
        ("id", "name", "price"),
    )
    (table,) = blocks(evidence)
    assert isinstance(table, TableDifference)
    assert [(row.kind, [(cell.value, cell.differs) for cell in row.cells]) for row in table.rows] == [
        ("missing", [("1", False), ("Kim", False), ("2.05", True)]),
        ("unexpected", [("1", False), ("Kim", False), ("2.50", True)]),
        ("missing", [("2", False), ("Ng, Lee", False), (None, False)]),
        ("unexpected", [("9", False), ("Zoe", False), ("1.00", False)]),
    ]


@pytest.mark.parametrize(
    "evidence",
    [
        "3 rows, expected 4; columns: id, name",  # and no rows
        "3 rows, expected 4; columns: id, name\n1 missing:\n  (1)",  # one value for two columns
        "3 rows, expected 4; columns: id\n2 missing:\n  (1)",  # one row of two
        '3 rows, expected 4; columns: id\n1 missing:\n  ("1)',
        "3 rows, expected 4; columns: id\n1 missing:\n  1",
    ],
)
def test_what_is_no_table_stays_the_text_that_it_is(evidence):
    assert blocks(evidence) == [evidence]


def test_text_before_and_after_a_table_stays():
    first, table, last = blocks("a\nb: t: 1 rows, expected 0; columns: id\n1 unexpected:\n  (1)\n1 of the unexpected …")
    assert (first, last) == ("a\nb: t", "1 of the unexpected …")
    assert isinstance(table, TableDifference)


def test_what_is_cut_off_is_counted():
    assert clipped("short", 100) == "short"
    assert clipped("x" * (LONGEST_LINE + 7), 10_000).endswith("x [… 7 more characters in this line]")
    assert clipped("ab\n" * 2000, 3000).endswith("[… 3,000 more characters]")
