"""Comparing what was put into a stream: by key, and in order."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.errors import SubmissionFault

Message = Mapping[str, Any]


def as_messages(records: Iterable[tuple[str, bytes]], name: str) -> dict[str, list[Message]]:
    """The JSON objects of records (key and data) by key, in their order.

    Raises:
        SubmissionFault: one is no JSON object.
    """
    found: defaultdict[str, list[Message]] = defaultdict(list)
    for key, data in records:
        try:
            message = json.loads(data)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            raise SubmissionFault(f"{name}: a record is no JSON object: {data[:80]!r}")
        found[key].append(message)
    return dict(found)


def without_repeats(messages: Iterable[Message], name: str) -> list[Message]:
    """Each once, where it stands first; ``name`` is the field that tells them apart."""
    seen: dict[str, Message] = {}
    for message in messages:
        seen.setdefault(json.dumps(message.get(name)), message)
    return list(seen.values())


def assert_same_sequences(
    actual: Mapping[str, Sequence[Message]],
    expected: Mapping[str, Sequence[Message]],
    fields: Sequence[str],
    *,
    why: str,
) -> None:
    """Of each key the same messages in the same order, looked at by the fields."""
    assert expected, f"{why}: nothing is expected"
    for key in sorted({*actual, *expected}):
        found, wanted = (
            [[message.get(field) for field in fields] for message in messages.get(key, ())]
            for messages in (actual, expected)
        )
        for place, (one, other) in enumerate(zip(found, wanted, strict=False), 1):
            assert one == other, f"{why}: of the key {key[:40]!r}, message {place} is {one}, expected {other}"
        assert len(found) >= len(wanted), f"{why}: of the key {key[:40]!r}, {wanted[len(found)]} is missing"
        assert len(found) <= len(wanted), (
            f"{why}: of the key {key[:40]!r}, {found[len(wanted)]} is there beyond the last"
        )
