"""What agents need to work in a test: a task on disk, a workplace on a plain folder, and models without a network."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.agents import Assignment, Budget, submitted
from harness.models import ContextFullError, Message, Reply, Tool, ToolCall, Usage
from harness.submission import Submission, from_folder, safe_path
from harness.task import Limits, Task, read_task

INSTRUCTION = (
    "The nightly load counts orders twice {sic}.\n\nPlease mend load.sql; the table must hold each order once.\n"
)

MANIFEST = """
id = "sql/orders"
title = "Orders"
version = 1
environment = "core"
engines = ["duckdb"]
kind = "repair"
difficulty = "easy"
technologies = ["sql"]
responsibilities = ["loading"]
sources = ["orders"]
destinations = ["orders"]
submit = ["*.sql", "models/**"]
canary = "0b5f6e2e-6a4e-4f0e-9a7e-2f1f5a3c9d10"
"""
MUTANTS = """
[twice]
breaks = ["once"]
file = "load.sql"
find = "DISTINCT "
replace = ""

[nothing]
breaks = ["once"]
file = "load.sql"
delete = true
"""


def make_task(folder: Path, mutants: str = MUTANTS) -> Task:
    files = {
        "task.toml": MANIFEST,
        "instruction.md": INSTRUCTION,
        "workspace/load.sql": "SELECT * FROM orders;\n",
        "workspace/old.sql": "SELECT 1;\n",
        "workspace/notes.txt": "ask Kim\n",
        "reference/load.sql": "SELECT DISTINCT * FROM orders;\n",
        "reference/models/orders.sql": "SELECT 2;\n",
        "reference/DELIVERABLE.md": "# Done\n",
        "reference/.remove": "old.sql notes.txt\n",
        "mutants.toml": mutants,
    }
    for path, content in files.items():
        target = folder / "sql" / "orders" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    (folder / "sql/orders/workspace/logo.sql").write_bytes(b"\xff\xfe\x00")
    return read_task(folder / "sql" / "orders", "test")


def make_assignment(task: Task, persona: str = "You are Kim.", attempt: int = 1) -> Assignment:
    return Assignment(task.instruction, persona, task, attempt, seed=7)


def make_budget(**limits: Any) -> Budget:
    return Budget.of(Limits(**limits))


@dataclass
class Finished:
    exit_code: int | None
    stdout: str
    stderr: str
    timed_out: bool = False
    truncated: bool = False


@dataclass
class Desk:
    """A workplace that is a plain folder, with the task's starting files in it."""

    task: Task
    folder: Path
    timeouts: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.task.workspace.write(self.folder)

    def run(self, command: str, timeout: float) -> Finished:
        self.timeouts.append(timeout)
        try:
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.folder,
                timeout=timeout,
                capture_output=True,
                text=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Finished(None, "", "", timed_out=True)
        return Finished(done.returncode, done.stdout, done.stderr)

    def read(self, path: str) -> bytes:
        return (self.folder / safe_path(path)).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        target = self.folder / safe_path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def collect(self) -> Submission:
        return submitted(self.task, from_folder(self.folder).files)


Turn = Callable[[Sequence[Message]], Reply]


@dataclass
class Parrot:
    """A model that says what it was told to, and keeps what it was asked."""

    turns: list[Reply]
    name: str = "parrot/one"
    asked: list[list[Message]] = field(default_factory=list)
    systems: list[str] = field(default_factory=list)

    def reply(self, system: str, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
        self.asked.append(list(messages))
        self.systems.append(system)
        if not self.turns:
            raise ContextFullError
        return self.turns.pop(0)


def calling(name: str, arguments: dict[str, Any] | str | None = None, **reply: Any) -> Reply:
    """A turn that calls one tool; arguments given as text are malformed."""
    parsed = {} if arguments is None else arguments
    raw = parsed if isinstance(parsed, str) else json.dumps(parsed)
    call = ToolCall("call_1", name, None if isinstance(parsed, str) else parsed, raw)
    usage = reply.pop("usage", Usage(10, 5))
    return Reply(Message("assistant", "", (call,)), reply.pop("stop", "tools"), usage, **reply)


def saying(text: str, **reply: Any) -> Reply:
    return Reply(Message("assistant", text), reply.pop("stop", "end"), Usage(10, 5), **reply)


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
