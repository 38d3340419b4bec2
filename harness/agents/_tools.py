"""The tools of a workplace: what the model is offered, and what it is told back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pydantic

from harness.agents import Completed, Workplace
from harness.models import Tool, ToolCall
from harness.submission import SubmissionError
from harness.task import plain

LONGEST_RESULT = 16_000


class ToolError(Exception):
    """A call that can't be done; the text tells the model why."""


class Bash(pydantic.BaseModel):
    """Run a bash command in the project's folder. Each call is a new shell."""

    command: str
    timeout: float = pydantic.Field(default=120, gt=0, le=900, description="seconds, 120 by default")


class ReadFile(pydantic.BaseModel):
    """Read a text file, by its path in the project's folder."""

    path: str


class WriteFile(pydantic.BaseModel):
    """Write a whole text file, by its path in the project's folder; what was there is replaced."""

    path: str
    content: str


class Submit(pydantic.BaseModel):
    """Hand in the work as it now stands in the project's folder. This ends the ticket."""


def bash(workplace: Workplace, arguments: Bash, time_left: float) -> str:
    timeout = min(arguments.timeout, max(time_left, 1.0))
    return told(workplace.run(arguments.command, timeout), timeout)


def read_file(workplace: Workplace, arguments: ReadFile, time_left: float) -> str:
    try:
        text = workplace.read(arguments.path).decode()
    except UnicodeDecodeError:
        raise ToolError(f"{arguments.path} is not a text file") from None
    return text or "(the file is empty)"


def write_file(workplace: Workplace, arguments: WriteFile, time_left: float) -> str:
    content = arguments.content.encode()
    workplace.write(arguments.path, content)
    return f"wrote {len(content)} bytes to {arguments.path}"


Doing = Callable[[Workplace, Any, float], str]
DOINGS: dict[str, tuple[type[pydantic.BaseModel], Doing]] = {
    "bash": (Bash, bash),
    "read_file": (ReadFile, read_file),
    "write_file": (WriteFile, write_file),
}


def _tool(name: str, arguments: type[pydantic.BaseModel]) -> Tool:
    properties = arguments.model_json_schema().get("properties", {})
    parameters = {
        "type": "object",
        "properties": {
            field: {key: value for key, value in schema.items() if key in {"type", "description"}}
            for field, schema in properties.items()
        },
        "required": [field for field, info in arguments.model_fields.items() if info.is_required()],
    }
    return Tool(name, arguments.__doc__ or "", parameters)


TOOLS = [*(_tool(name, arguments) for name, (arguments, _) in DOINGS.items()), _tool("submit", Submit)]


def perform(call: ToolCall, workplace: Workplace, time_left: float) -> str:
    """Do what the call asks.

    Raises:
        ToolError: it can't be done, for the reason given.
    """
    if call.name not in DOINGS:
        raise ToolError(f"there is no tool {call.name!r}; there are {', '.join(tool.name for tool in TOOLS)}")
    if call.arguments is None:
        raise ToolError(f"the arguments are not a JSON object (cut off, perhaps): {shortened(call.raw, 400)}")
    schema, doing = DOINGS[call.name]
    try:
        return shortened(doing(workplace, schema.model_validate(call.arguments), time_left))
    except pydantic.ValidationError as error:
        raise ToolError(plain(error)) from None
    except OSError as error:
        # Without the path, which may be one of this machine's.
        raise ToolError(error.strerror or str(error)) from None
    except (ValueError, SubmissionError) as error:
        raise ToolError(str(error)) from None


def told(completed: Completed, timeout: float) -> str:
    """A command's outcome as the model reads it: output, then errors, then how it ended."""
    parts = [completed.stdout.rstrip("\n")] if completed.stdout.strip() else []
    if completed.stderr.strip():
        parts.append(f"stderr:\n{completed.stderr.rstrip()}")
    if completed.truncated:
        parts.append("[the output was longer than what is kept of it]")
    if completed.timed_out:
        parts.append(f"[stopped after {timeout:.0f} seconds]")
    else:
        parts.append(f"[exit code {completed.exit_code}]")
    # Each part is cut by itself, so that a flood on one stream hides neither the other nor the exit code.
    return "\n".join(shortened(part, LONGEST_RESULT // 2 - 100) for part in parts)


def shortened(text: str, limit: int = LONGEST_RESULT) -> str:
    """The head and the tail of a long text: errors tend to be at the end, what led to them at the start."""
    text = text.encode("utf-8", "replace").decode()
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[-half:]}"
