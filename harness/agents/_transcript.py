"""What was said and done in a trial: append-only JSON lines, each on disk before the next step begins."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from harness.models import Reply, ToolCall, ToolResult
from results.durable import writing

Event = Literal["system", "user", "assistant", "tool_call", "tool_result", "note"]


class Transcript:
    """Writes events to a file; reading one is reading its lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8")

    def system(self, text: str) -> None:
        self._append("system", text=text)

    def user(self, text: str) -> None:
        self._append("user", text=text)

    def assistant(self, reply: Reply) -> None:
        self._append(
            "assistant",
            text=reply.message.text,
            stop=reply.stop,
            usage=dataclasses.asdict(reply.usage),
            seconds=round(reply.seconds, 3),
            waited=round(reply.waited, 3),
        )

    def tool_call(self, call: ToolCall) -> None:
        arguments = {"raw": call.raw} if call.arguments is None else {"arguments": call.arguments}
        self._append("tool_call", id=call.id, name=call.name, **arguments)

    def tool_result(self, result: ToolResult, seconds: float) -> None:
        self._append("tool_result", id=result.id, text=result.text, failed=result.failed, seconds=round(seconds, 3))

    def note(self, text: str) -> None:
        """What happened to the work rather than in it: a spent budget, a refusal."""
        self._append("note", text=text)

    def close(self) -> None:
        with writing(self._path):
            self._file.close()

    def __enter__(self) -> Transcript:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, event: Event, **details: Any) -> None:
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **details}
        with writing(self._path):
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
