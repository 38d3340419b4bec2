"""Streams compared by key and in order: what is missing, swapped or there twice is named."""

from __future__ import annotations

import pytest

from graders.streams import as_messages, assert_same_sequences, without_repeats
from harness.errors import SubmissionFault

WANTED = {"a": [{"id": 1, "status": "new"}, {"id": 2, "status": "paid"}], "b": [{"id": 3, "status": "new"}]}


def test_records_are_messages_by_key_in_their_order() -> None:
    records = [("a", b'{"id": 1}'), ("b", b'{"id": 3}'), ("a", b'{"id": 2}')]
    assert as_messages(records, "changes") == {"a": [{"id": 1}, {"id": 2}], "b": [{"id": 3}]}


@pytest.mark.parametrize("data", [b"", b"[1]", b"\xff", b"{", b"[" * 100_000])
def test_a_record_that_is_no_object_is_the_submissions_fault(data: bytes) -> None:
    with pytest.raises(SubmissionFault, match="changes: a record is no JSON object"):
        as_messages([("a", data)], "changes")


def test_further_fields_and_keys_without_messages_do_not_matter() -> None:
    found = {"a": [{**message, "at": 1} for message in WANTED["a"]], "b": WANTED["b"], "c": []}
    assert_same_sequences(found, WANTED, ["id", "status"], why="after the run")


@pytest.mark.parametrize(
    ("key", "messages", "said"),
    [
        ("a", WANTED["a"][:1], r"\[2, 'paid'\] is missing"),
        ("a", WANTED["a"][::-1], r"message 1 is \[2, 'paid'\], expected \[1, 'new'\]"),
        ("a", [*WANTED["a"], WANTED["a"][0]], r"\[1, 'new'\] is there beyond the last"),
        ("b", [{"id": 3}], r"message 1 is \[3, None\], expected \[3, 'new'\]"),
        ("c", WANTED["b"], r"of the key 'c', \[3, 'new'\] is there beyond the last"),
    ],
)
def test_what_differs_is_named(key: str, messages: list[dict[str, object]], said: str) -> None:
    with pytest.raises(AssertionError, match=f"after the run: .*{said}"):
        assert_same_sequences({**WANTED, key: messages}, WANTED, ["id", "status"], why="after the run")


def test_an_empty_expectation_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="nothing is expected"):
        assert_same_sequences({}, {}, ["id"], why="after the run")


def test_of_repeats_the_first_stays() -> None:
    first, second = WANTED["a"]
    assert without_repeats([first, second, {**first, "status": "later"}, second], "id") == [first, second]
