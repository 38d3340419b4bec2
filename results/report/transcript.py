"""A transcript as a data file of the site: a call with JSON, which the page loads when the reader opens it.

A page from a disk may load scripts of its site and nothing else; so the data are a script that does nothing but call
``transcript(key, entries)``. Entries are texts and numbers; the page puts them in as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from results.report.clipping import clipped
from results.report.files import is_plain_file
from results.text import one_line, printable

LONGEST = 60_000  # characters of one event
SUMMARY = 160
# Where they stand in JSON is inside of strings only; written so, no text ends the script or begins another.
ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
# What tells best what a call is about, where the call has it.
TELLING = ("command", "path", "query", "sql", "file", "name")

Entry = dict[str, Any]


def data_file(key: str, path: Path) -> str:
    """The script that hands the transcript at ``path`` to the page."""
    return f"transcript({_literal(key)}, {_literal(list(entries(path)))});\n"


def _literal(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character, escape in ESCAPED.items():
        text = text.replace(character, escape)
    return text


def entries(path: Path) -> Iterator[Entry]:
    """What happened, in order: ``kind``, ``text``, ``meta``; of a tool call also ``name``, ``summary``, ``result``.

    What can't be read is an entry of the kind ``gap``.
    """
    waiting: dict[str, Entry] = {}
    made: list[Entry] = []
    started: datetime | None = None
    for number, event in _events(path):
        if event is None:
            made.append(
                {"kind": "gap", "text": f"Line {number} of the transcript is damaged and can't be shown.", "meta": ""}
            )
            continue
        time = _time(event)
        started = started or time
        at = "" if not time or not started else _elapsed((time - started).total_seconds())
        if event.get("event") == "tool_result" and (call := waiting.pop(_text(event.get("id")), None)):
            call["result"] = _shown(event.get("text"))
            call["failed"] = event.get("failed") is True
            call["meta"] = _joined(call["meta"], _seconds(event.get("seconds")))
            continue
        entry = _entry(event, at)
        made.append(entry)
        if entry["kind"] == "tool":
            waiting[_text(event.get("id"))] = entry
    yield from made


def _events(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Line numbers with the events on them; ``None`` where a line holds none."""
    if not is_plain_file(path):
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, _event(line)


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _entry(event: dict[str, Any], at: str) -> Entry:
    match event["event"]:
        case "tool_call":
            arguments = event.get("arguments")
            text = _arguments(arguments) if isinstance(arguments, dict) else _text(event.get("raw"))
            entry = {"kind": "tool", "name": one_line(_text(event.get("name")))[:80], "summary": _summary(arguments)}
            return {**entry, "text": _shown(text), "result": None, "failed": False, "meta": at}
        case "assistant":
            usage = event.get("usage")
            tokens = usage.get("output_tokens") if isinstance(usage, dict) else None
            written = f"{tokens:,} tokens" if isinstance(tokens, int) else ""
            stop = _text(event.get("stop"))
            ending = "" if stop in {"", "end", "tools"} else f"stopped: {one_line(stop)[:40]}"
            meta = _joined(at, _seconds(event.get("seconds")), written, ending)
            return {"kind": "assistant", "text": _shown(event.get("text")), "meta": meta}
        case "system" | "user" | "note" as kind:
            return {"kind": kind, "text": _shown(event.get("text")), "meta": at}
        case "tool_result":
            return {"kind": "gap", "text": f"A result without its call: {_shown(event.get('text'))}", "meta": at}
        case _:
            return {"kind": "gap", "text": f"An event that this version doesn't know: {_shown(event)}", "meta": at}


def _arguments(arguments: dict[str, Any]) -> str:
    """One argument is shown as it is, several with their names."""
    if len(arguments) == 1:
        return _text(next(iter(arguments.values())))
    return "\n".join(f"{name}: {_text(value)}" for name, value in arguments.items())


def _summary(arguments: Any) -> str:
    if not isinstance(arguments, dict):
        return ""
    value = next((arguments[name] for name in TELLING if name in arguments), next(iter(arguments.values()), ""))
    text = one_line(_text(value)[: 4 * SUMMARY])
    return text if len(text) <= SUMMARY else f"{text[:SUMMARY]}…"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return "" if value is None else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "[nested too deeply to be shown]"


def _shown(value: Any) -> str:
    return printable(clipped(_text(value), LONGEST))


def _time(event: dict[str, Any]) -> datetime | None:
    try:
        time = datetime.fromisoformat(_text(event.get("time")))
    except ValueError:
        return None
    return time if time.tzinfo else None


def _elapsed(seconds: float) -> str:
    minutes, rest = divmod(max(round(seconds), 0), 60)
    return f"+{minutes}:{rest:02}"


def _seconds(value: Any) -> str:
    return f"{value:.1f} s" if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)
