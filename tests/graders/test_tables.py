from __future__ import annotations

import datetime
import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graders.tables import (
    WrongTypeError,
    assert_same_rows,
    assert_unique,
    canonical,
    canonical_rows,
    difference,
    rows_with,
)
from harness.tables import Table

DAY = datetime.date(2026, 3, 1)
NOON = datetime.datetime(2026, 3, 1, 12)
PLUS_TWO = datetime.timezone(datetime.timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "kind", "wanted"),
    [
        (None, "integer", None),
        (7, "integer", 7),
        (7.0, "integer", 7),
        (Decimal("7.00"), "integer", 7),
        (2**70, "integer", 2**70),
        (1, "decimal", Decimal("1.000000")),
        (1.1, "decimal(2)", Decimal("1.10")),
        (Decimal("1.005"), "decimal(2)", Decimal("1.00")),
        (Decimal("-0.001"), "decimal(2)", Decimal("0.00")),
        (1, "float", 1.0),
        (Decimal("0.5"), "float", 0.5),
        ("", "text", ""),
        (True, "boolean", True),
        (DAY, "date", DAY),
        (datetime.datetime(2026, 3, 1), "date", DAY),
        (NOON, "timestamp", NOON),
        (NOON.replace(tzinfo=PLUS_TWO), "timestamp", datetime.datetime(2026, 3, 1, 10)),
        (DAY, "timestamp", datetime.datetime(2026, 3, 1)),
    ],
)
def test_a_value_is_taken_as_what_its_column_is_declared(value: Any, kind: str, wanted: Any) -> None:
    found = canonical(value, kind, "column")
    assert found == wanted
    assert type(found) is type(wanted)
    assert str(found) == str(wanted)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1.5, "integer"),
        (True, "integer"),
        ("7", "integer"),
        (float("nan"), "integer"),
        (float("inf"), "integer"),
        ("1.1", "decimal(2)"),
        (True, "decimal"),
        (Decimal("NaN"), "decimal(2)"),
        (Decimal("Infinity"), "decimal"),
        (float("inf"), "decimal"),
        (10**40, "decimal(2)"),
        (False, "float"),
        ("0.5", "float"),
        (10**400, "float"),
        (7, "text"),
        (b"bytes", "text"),
        (1, "boolean"),
        ("true", "boolean"),
        (NOON, "date"),
        ("2026-03-01", "date"),
        ("2026-03-01 12:00", "timestamp"),
        (datetime.datetime(1, 1, 1, tzinfo=PLUS_TWO), "timestamp"),
        ([1], "integer"),
        ({"a": 1}, "text"),
        (1, "no kind at all"),
    ],
)
def test_a_value_of_another_type_is_told_with_its_column(value: Any, kind: str) -> None:
    with pytest.raises(WrongTypeError, match="column amount holds"):
        canonical(value, kind, "amount")


TYPES = {"id": "integer", "amount": "decimal(2)"}


def table(*rows: tuple[Any, ...], columns: tuple[str, ...] = ("id", "amount")) -> Table:
    return Table("orders", columns, rows)


def row(number: int | None, amount: str | None) -> dict[str, Any]:
    return {"id": number, "amount": None if amount is None else Decimal(amount)}


def complaint(actual: Table, *expected: dict[str, Any], **options: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        assert_same_rows(actual, list(expected), TYPES, **options)
    return str(caught.value)


def test_order_case_and_further_columns_dont_matter() -> None:
    actual = table((Decimal("2.5"), "batch 1", 2), (Decimal("1"), "batch 2", 1), columns=("AMOUNT", "loaded_by", "Id"))
    assert_same_rows(actual, [row(1, "1.00"), row(2, "2.50")], TYPES)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(AssertionError, match="orders has no column amount; it has id, total"):
        assert_same_rows(table((1, 2), columns=("id", "total")), [row(1, "2")], TYPES)


def test_a_row_that_stands_there_twice_is_one_too_many() -> None:
    said = complaint(table((1, 1), (1, 1)), row(1, "1"), why="after the second run")
    assert said.startswith("after the second run: orders: 2 rows, expected 1; columns: id, amount")
    assert "1 unexpected:\n  (1, 1.00)" in said
    assert "1 of the unexpected are repetitions of right rows" in said


def test_a_row_that_should_stand_there_twice_is_missed() -> None:
    said = complaint(table((1, 1)), row(1, "1"), row(1, "1"))
    assert "1 missing:\n  (1, 1.00)" in said
    assert "unexpected" not in said


def test_null_is_no_value_and_no_zero() -> None:
    said = complaint(table((None, None), (0, 0)), row(0, None), row(None, "0"))
    assert "(0, NULL)" in said
    assert "(NULL, 0.00)" in said
    assert_same_rows(table((None, None)), [row(None, None)], TYPES)


def test_an_empty_table_is_not_what_was_expected() -> None:
    assert "0 rows, expected 1" in complaint(table(), row(1, "1"))
    assert "1 rows, expected 0" in complaint(table((1, 1)))


def test_few_rows_are_shown_of_many() -> None:
    said = complaint(table(*((number, 1) for number in range(100))))
    assert said.count("\n  (") == 5
    assert "… and 95 more" in said


def test_long_values_are_cut() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_same_rows(Table("t", ("a",), (("x" * 10_000,),)), [], {"a": "text"})
    assert len(str(caught.value)) < 300


FLOATS = {"id": "integer", "rate": "float"}


def test_tolerance_is_for_numbers_with_fractions_alone() -> None:
    actual = Table("rates", ("id", "rate"), ((1, 0.1 + 0.2), (2, 1e9 + 0.1)))
    wanted = [{"id": 1, "rate": 0.3}, {"id": 2, "rate": 1e9}]
    with pytest.raises(AssertionError):
        assert_same_rows(actual, wanted, FLOATS)
    assert_same_rows(actual, wanted, FLOATS, tolerance=1e-9)
    with pytest.raises(AssertionError):
        assert_same_rows(actual, [{"id": 1, "rate": 0.3}, {"id": 3, "rate": 1e9}], FLOATS, tolerance=10)


def test_tolerance_pairs_each_row_once() -> None:
    actual = Table("rates", ("id", "rate"), ((1, 0.3), (1, 0.3)))
    with pytest.raises(AssertionError, match="2 rows, expected 1"):
        assert_same_rows(actual, [{"id": 1, "rate": 0.30000000001}], FLOATS, tolerance=1e-6)


def test_unique() -> None:
    rows = Table("t", ("a", "b"), ((1, 1), (1, 2), (2, 1)))
    assert_unique(rows, "a", "b")
    with pytest.raises(AssertionError, match=r"t: 1 values of \(a\) occur more than once, e.g. \(1\)"):
        assert_unique(rows, "a")


values = st.one_of(st.none(), st.integers(-3, 3), st.decimals(-2, 2, places=2))
rows_of_numbers = st.lists(st.tuples(st.one_of(st.none(), st.integers(-3, 3)), values), max_size=12)


@settings(max_examples=60, deadline=None)
@given(rows_of_numbers, st.randoms(use_true_random=False))
def test_the_same_rows_in_any_order_are_the_same(rows: list[tuple[Any, Any]], chance: random.Random) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)
    assert_same_rows(table(*shuffled), table(*rows), TYPES)


@settings(max_examples=60, deadline=None)
@given(rows_of_numbers, rows_of_numbers)
def test_what_differs_is_told_completely(actual: list[tuple[Any, Any]], expected: list[tuple[Any, Any]]) -> None:
    found, wanted = (canonical_rows(table(*rows), TYPES) for rows in (actual, expected))
    text = difference(found, wanted, list(TYPES))
    assert (text == "") == (sorted(map(repr, found)) == sorted(map(repr, wanted)))


@settings(max_examples=60, deadline=None)
@given(rows_of_numbers.filter(bool), st.data())
def test_one_row_less_is_never_the_same(rows: list[tuple[Any, Any]], data: st.DataObject) -> None:
    gone = data.draw(st.integers(0, len(rows) - 1))
    with pytest.raises(AssertionError, match="1 missing"):
        assert_same_rows(table(*(rows[:gone] + rows[gone + 1 :])), table(*rows), TYPES)


def test_rows_are_told_by_what_their_values_mean_and_columns_without_case() -> None:
    midnight = datetime.datetime(2026, 3, 2)
    found = table((midnight, "1"), (datetime.datetime(2026, 3, 3), "2"), columns=("DAY", "amount"))
    kept = rows_with(found, "day", [datetime.date(2026, 3, 2)], {"day": "date"})
    assert kept.rows == ((midnight, "1"),)
    assert_unique(found, "day")
    with pytest.raises(AssertionError, match="has no column hour; it has DAY, amount"):
        assert_unique(found, "hour")
