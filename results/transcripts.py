"""A trial's transcript, read back: what is missing or damaged of it is a gap that is told, never an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Event = Mapping[str, Any]


@dataclass(frozen=True)
class StoredTranscript:
    """The events in order, as ``transcript.jsonl`` has them; ``gap`` says what could not be read of it."""

    events: tuple[Event, ...]
    gap: str | None = None


def read_transcript(path: Path) -> StoredTranscript:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return StoredTranscript((), "there is no transcript")
    except OSError as error:
        return StoredTranscript((), f"the transcript can't be read: {error.strerror}")
    events, damaged = [], 0
    for line in lines:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            damaged += 1
            continue
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            events.append(event)
        else:
            damaged += 1
    return StoredTranscript(tuple(events), f"{damaged} of its {len(lines)} lines are damaged" if damaged else None)


def text_of(event: Event) -> str:
    text = event.get("text", "")
    return text if isinstance(text, str) else json.dumps(text)


def arguments_of(event: Event) -> dict[str, Any]:
    """A tool call's arguments; where they were no JSON object, what the model wrote instead, as ``raw``."""
    arguments = event.get("arguments")
    return arguments if isinstance(arguments, dict) else {"raw": event.get("raw", "")}


def usage_of(event: Event) -> dict[str, int]:
    """``input``, ``output``, ``cache_read``, ``cache_write`` tokens of a reply; what isn't told is 0."""
    usage = event.get("usage")
    told: Mapping[str, Any] = usage if isinstance(usage, dict) else {}
    counts = {name: told.get(f"{name}_tokens", 0) for name in ("input", "output", "cache_read", "cache_write")}
    return {name: count if isinstance(count, int) else 0 for name, count in counts.items()}
