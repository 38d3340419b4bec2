"""A model that remembers: every finished call is written down, so that a trial killed at any moment resumes
without paying for a call twice.

The journal holds one JSON line a reply, under a digest of what was asked. The digest takes the number of
messages and not their text: a resumed trial runs its commands again, and a time or a process id in their
output would otherwise make every recorded call a stranger.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pydantic

from harness.models import Message, Model, Reply, Tool, Usage
from harness.models._keys import without_keys
from results.durable import writing

_REPLY = pydantic.TypeAdapter(Reply)


class JournaledModel:
    """Answers from the journal while it has the call, then from the model. For one trial, thus one thread.

    ``pay`` is told what each call used that was made now.
    """

    def __init__(self, model: Model, path: Path, pay: Callable[[Usage], None] = lambda usage: None) -> None:
        self.name = model.name
        self._pay = pay
        self._model = model
        self._path = path
        self._recorded = _read(path)

    def reply(self, system: str, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
        digest = _digest(self.name, system, messages, tools)
        if self._recorded[digest]:
            return self._recorded[digest].popleft()
        reply = _without_keys(self._model.reply(system, messages, tools))
        self._pay(reply.usage)
        self._append({"request": digest, "reply": _REPLY.dump_python(reply, mode="json")})
        return reply

    def _append(self, entry: dict[str, Any]) -> None:
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
                file.flush()
                os.fsync(file.fileno())


def _without_keys(reply: Reply) -> Reply:
    """A gateway may quote the key it was sent in an answer; from here on it would be in all that is stored."""
    text = _REPLY.dump_json(reply).decode()
    clean = without_keys(text)
    return reply if clean == text else _REPLY.validate_json(clean)


def paid(path: Path) -> Usage:
    """What the calls in a journal used."""
    total = Usage()
    for line in _whole_lines(path):
        total += Usage(**json.loads(line)["reply"]["usage"])
    return total


def _digest(name: str, system: str, messages: Sequence[Message], tools: Sequence[Tool]) -> str:
    offered = [[tool.name, tool.description, dict(tool.parameters)] for tool in tools]
    request = json.dumps([name, system, offered, len(messages)], sort_keys=True)
    return hashlib.sha256(request.encode()).hexdigest()[:32]


def _read(path: Path) -> defaultdict[str, deque[Reply]]:
    """The recorded replies in order by request; a last line that a kill tore is cut off."""
    recorded: defaultdict[str, deque[Reply]] = defaultdict(deque)
    lines = _whole_lines(path)
    if path.exists():
        os.truncate(path, sum(map(len, lines)))
    for line in lines:
        entry = json.loads(line)
        recorded[entry["request"]].append(_REPLY.validate_python(entry["reply"]))
    return recorded


def _whole_lines(path: Path) -> list[bytes]:
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1].splitlines(keepends=True)
