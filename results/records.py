"""The records of a run directory: what ``run.json`` and each line of ``trials.jsonl`` hold.

Changing a field's meaning, or adding or removing one, raises ``FORMAT``.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final, Literal, Self

import pydantic

FORMAT: Final = 1

TaskId = Annotated[str, pydantic.StringConstraints(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")]
Fraction = Annotated[float, pydantic.Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, pydantic.Field(ge=0)]
Cost = Annotated[Decimal, pydantic.Field(ge=0, allow_inf_nan=False)]
Setting = str | int | float | bool | None
TRIAL_BUDGET: Final = "trial_"


class Record(pydantic.BaseModel):
    """Frozen, and read strictly: a file with a field we don't know is not read by half."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class SuiteRecord(Record):
    name: str
    digest: str


class TaskRecord(Record):
    """``digest``: what a model's answer depends on. ``grader_digest``: what its grade depends on besides."""

    digest: str
    grader_digest: str


class PersonaRecord(Record):
    """The system prompt, whole. The baseline is ``none`` with an empty text."""

    name: str
    digest: str
    text: str


class RunRecord(Record):
    """``run.json``, the lock of a run: everything its trials depend on. Written once, never changed."""

    format: Literal[1] = FORMAT
    run: str
    created: pydantic.AwareDatetime
    harness_version: str
    suite: SuiteRecord
    tasks: Mapping[TaskId, TaskRecord]
    persona: PersonaRecord
    agent: str
    model: str
    parameters: Mapping[str, Setting] = {}
    simulated: bool
    sandbox: str
    environments: Mapping[str, str] = {}
    attempts: int = pydantic.Field(ge=1)
    seeds: tuple[int, ...]
    budgets: Mapping[str, Setting] = {}
    planned: tuple[TaskId, ...] = pydantic.Field(min_length=1)

    @pydantic.model_validator(mode="after")
    def _plans_known_tasks_once(self) -> Self:
        if len({slug(task) for task in self.planned}) != len(self.planned):
            raise ValueError("planned: two tasks have the same name")
        if unknown := set(self.planned) - set(self.tasks):
            raise ValueError(f"planned: no digests for {', '.join(sorted(unknown))}")
        return self

    @property
    def settings(self) -> dict[str, Setting]:
        """What of the configuration was set: the model's parameters, and the budgets that end a trial's work.

        The run's own budgets leave trials unfinished; no finished one depends on them.
        """
        trial_budgets = {name: value for name, value in self.budgets.items() if name.startswith(TRIAL_BUDGET)}
        return {name: value for name, value in {**self.parameters, **trial_budgets}.items() if value is not None}

    @property
    def planned_trials(self) -> list[tuple[str, int]]:
        """All (task, attempt) of the run; attempts count from 1."""
        return [(task, attempt) for task in self.planned for attempt in range(1, self.attempts + 1)]


class CheckRecord(Record):
    id: str
    dimension: str
    clauses: tuple[str, ...] = ()
    weight: float = pydantic.Field(default=1.0, ge=0, allow_inf_nan=False)
    required: bool
    passed: bool
    evidence: str = ""


class Usage(Record):
    """Tokens. ``input`` is without those read from or written to the provider's cache."""

    input: Count = 0
    output: Count = 0
    cache_read: Count = 0
    cache_write: Count = 0


class Times(Record):
    """Seconds.

    ``agent``: working time, from the start to the submission, without ``waited``. ``provider``: the part of
    it in which the model answered. ``waited``: held back by the provider's limits. ``grading``: afterwards.
    """

    agent: Seconds = 0
    provider: Seconds = 0
    waited: Seconds = 0
    grading: Seconds = 0


class TrialRecord(Record):
    """One finished trial. Graded: it has a score. Invalid: the world failed, it has a cause and no score."""

    task: TaskId
    attempt: int = pydantic.Field(ge=1)
    seed: int
    status: Literal["graded", "invalid"]
    cause: str | None = None
    problem: str | None = None
    score: Fraction | None = None
    resolved: bool | None = None
    dimensions: Mapping[str, Fraction] = {}
    checks: tuple[CheckRecord, ...] = ()
    technologies: tuple[str, ...] = ()
    responsibilities: tuple[str, ...] = ()
    difficulty: str = ""
    usage: Usage = Usage()
    cost: Cost | None = None
    turns: Count = 0
    times: Times = Times()
    submission: str | None = None
    stop_reason: str = ""
    perturbations: tuple[str, ...] = ()
    # Recognised attempts on the grade; they change no score.
    tampering: tuple[str, ...] = ()

    @pydantic.model_validator(mode="after")
    def _is_graded_or_invalid(self) -> Self:
        if self.status == "graded":
            if self.score is None or self.resolved is None or self.cause is not None:
                raise ValueError("a graded trial has a score, says whether it is resolved, and has no cause")
        elif self.score is not None or self.resolved is not None or self.cause is None:
            raise ValueError("an invalid trial has a cause, no score and no `resolved`")
        return self

    @property
    def key(self) -> tuple[str, int]:
        return self.task, self.attempt


def slug(task: str) -> str:
    """A task's id as one file name."""
    return task.replace("/", "--")
