"""What providers' modules share: reading an answer and its tool arguments, and what of a turn can be replayed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pydantic

from harness.models import Reply
from harness.models._retry import CallFailedError

_REPLY = pydantic.TypeAdapter(Reply)


def whole(read: Callable[[], Reply]) -> Reply:
    """The reply that ``read`` makes of an answer; the SDKs take an answer of any shape.

    Raises:
        CallFailedError: it lacks something, has it in another shape, or could not be stored or sent back.
    """
    try:
        reply = read()
        stored = json.dumps(asdict(reply), ensure_ascii=False, allow_nan=False).encode()
        _REPLY.validate_json(stored, strict=True)
        if min(asdict(reply.usage).values()) < 0:
            raise ValueError("tokens below zero")
    except json.JSONDecodeError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise CallFailedError(502, f"what came is no reply ({type(error).__name__})") from error
    return reply


def parse_arguments(raw: str) -> dict[str, Any] | None:
    """The arguments if ``raw`` is a JSON object; models that call without arguments write nothing at all."""
    try:
        value = json.loads(raw or "{}")
        # Half a surrogate pair is valid JSON and no text: it can't be written to a file or sent back.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def without_trailing(items: list[dict[str, Any]], is_thought: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """A turn cut off while thinking ends in a thought that led nowhere, which providers refuse to be told."""
    kept = list(items)
    while kept and is_thought(kept[-1]):
        kept.pop()
    return kept
