"""How an assignment gets done: one module an agent, each with ``create(argument) -> Agent``.

``oneshot`` and ``tools`` drive a model. The baselines (``reference``, ``nop``, ``mutant/<name>``,
``simulated/<skill>``) need none: they hand in what the task's author wrote, and are named like models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from harness import discovery
from harness.agents._budget import Budget
from harness.agents._transcript import Transcript
from harness.models import Model
from harness.submission import Submission, from_files
from harness.task import Task

__all__ = [
    "Agent",
    "Assignment",
    "Budget",
    "Completed",
    "Transcript",
    "Workplace",
    "create",
    "resolve_baseline",
    "submitted",
]


@dataclass(frozen=True)
class Assignment:
    """What an agent is asked to do. ``persona`` is the system prompt as it is, empty for none."""

    instruction: str
    persona: str
    task: Task
    attempt: int
    seed: int


class Completed(Protocol):
    """A command that ended. ``exit_code`` is ``None`` if it was stopped at its time limit."""

    @property
    def exit_code(self) -> int | None: ...
    @property
    def stdout(self) -> str: ...
    @property
    def stderr(self) -> str: ...
    @property
    def timed_out(self) -> bool: ...
    @property
    def truncated(self) -> bool: ...


class Workplace(Protocol):
    """Where an agent works: a folder with the starting files, a shell, and the engine at hand.

    ``read`` and ``write`` raise ``OSError`` or ``SubmissionError`` for what can't be; the agent is told.
    """

    def run(self, command: str, timeout: float) -> Completed:
        """Run a bash command in the work folder."""
        ...

    def read(self, path: str) -> bytes: ...

    def write(self, path: str, content: bytes) -> None: ...

    def collect(self) -> Submission:
        """What has been left so far, within what the task takes.

        Raises:
            SubmissionError: it breaks the limits of a submission.
        """
        ...


class Agent(Protocol):
    """One way of working. ``trusted`` is true only for what runs nothing that a model wrote."""

    @property
    def name(self) -> str: ...
    @property
    def needs_model(self) -> bool: ...
    @property
    def needs_workplace(self) -> bool: ...
    @property
    def trusted(self) -> bool: ...

    def work(
        self,
        assignment: Assignment,
        model: Model | None,
        workplace: Workplace | None,
        budget: Budget,
        transcript: Transcript,
    ) -> Submission:
        """Do the assignment. A refusal or a spent budget is no error: what there is by then is handed in.

        Raises:
            InfrastructureError: the provider or the workplace failed.
        """
        ...


def create(name: str, argument: str = "") -> Agent:
    """The agent of that name.

    Raises:
        UsageError: no such agent, or an argument it can't use.
    """
    return cast(Agent, discovery.load(__name__, name).create(argument))


def resolve_baseline(model: str) -> Agent | None:
    """The baseline that ``--model`` names (``nop``, ``simulated/0.6``); ``None`` for a real model."""
    name, _, argument = model.partition("/")
    if name not in discovery.names(__name__):
        return None
    module = discovery.load(__name__, name)
    return cast(Agent, module.create(argument)) if module.BASELINE else None


def submitted(task: Task, files: Mapping[str, bytes]) -> Submission:
    """The submission that the files make: what the task takes of them, and always the deliverable."""
    return from_files(files, task.takes)
