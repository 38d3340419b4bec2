"""What providers' modules share: reading tool arguments, and what of a turn can be replayed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def parse_arguments(raw: str) -> dict[str, Any] | None:
    """The arguments if ``raw`` is a JSON object; models that call without arguments write nothing at all."""
    try:
        value = json.loads(raw or "{}")
        # Half a surrogate pair is valid JSON and no text: it can't be written to a file or sent back.
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def without_trailing(items: list[dict[str, Any]], is_thought: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """A turn cut off while thinking ends in a thought that led nowhere, which providers refuse to be told."""
    kept = list(items)
    while kept and is_thought(kept[-1]):
        kept.pop()
    return kept
