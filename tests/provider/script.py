"""What a test can have the server say, and what it sees of a request: the same for all wire formats."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.models import Stop, Usage


class ComplaintError(Exception):
    """The real provider would refuse this request; or the script didn't expect it."""


@dataclass(frozen=True)
class Request:
    """A request as received. ``opening`` is the first user turn, ``results`` are all tool results so far."""

    protocol: Literal["messages", "responses", "chat"]
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    system: str | None
    opening: str
    turns: int
    users: list[str]
    results: list[str]
    tools: list[str]


@dataclass(frozen=True)
class Call:
    """A tool call; arguments given as text go out as they are, however malformed."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)

    @property
    def raw(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


@dataclass(frozen=True)
class Answer:
    """A reply. Without ``stop`` it is ``tools`` if there are calls, else ``end``."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    thinking: str = ""
    stop: Stop | None = None
    usage: Usage = field(default_factory=lambda: Usage(input_tokens=100, output_tokens=20))

    @property
    def why_stopped(self) -> Stop:
        return self.stop or ("tools" if self.calls else "end")


@dataclass(frozen=True)
class Failure:
    """An error status; ``streamed`` sends it as an event after the headers have said 200 (Messages only)."""

    status: int
    message: str = "something is wrong"
    kind: str = "api_error"
    code: str | None = None
    retry_after: float | str | None = None
    streamed: bool = False


@dataclass(frozen=True)
class Cut:
    """The connection ends: before any answer, in the middle of one, or (a stream) tidily but too early."""

    when: Literal["at once", "half way", "tidily"] = "at once"


@dataclass(frozen=True)
class Garbled:
    """A complete answer with status 200 whose body is half a JSON document."""


@dataclass(frozen=True)
class Page:
    """Status 200 and a web page, as a proxy or a login in the way answers."""


@dataclass(frozen=True)
class Silence:
    """No answer until the server closes."""


@dataclass(frozen=True)
class Slow:
    """An answer that the model thinks about for some seconds."""

    answer: Answer
    seconds: float


Happening = Answer | Failure | Cut | Garbled | Page | Silence | Slow
Script = Callable[[Request], Happening]


def in_turn(*happenings: Happening) -> Script:
    """One after the other; a request beyond the last is a complaint."""
    left = list(happenings)

    def script(request: Request) -> Happening:
        if not left:
            raise ComplaintError(f"no answer is left for a request with {request.turns} turns")
        return left.pop(0)

    return script
