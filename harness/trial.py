"""One trial, from plan to record: an agent does the assignment, its submission is frozen, graded, written down.

Causes of an ``invalid`` trial (the world failed, not the submission):

    provider-*          the model's provider: rate-limit, error, timeout, auth, quota, request
    docker, sandbox-*   the sandbox: no container, a box that was lost, a trusted command that failed in it
    engine              a server of the grader's did not start or answer
    environment-build   what a box is made of could not be built
    grader              a check or a world itself failed: a bug of the suite
    submission-changed  what is stored is no longer what was handed in
    harness             something failed that nobody expected: a bug of ours; the trial's logs show where
"""

from __future__ import annotations

import json
import shutil
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from threading import Semaphore
from typing import Any

from graders.grade import Grade, grade
from graders.tampering import in_transcript
from harness.agents import Agent, Assignment, Budget, Transcript
from harness.budgets import Budgets, RunBudget
from harness.errors import BenchError, InfrastructureError
from harness.grading import suite_contract
from harness.models import Model, Usage
from harness.models._journal import JournaledModel
from harness.models._keys import without_keys
from harness.persona import Persona
from harness.sandboxes import Sandbox
from harness.submission import NO_LIMITS, Submission, from_folder
from harness.task import HIDDEN_SEEDS, Task
from harness.workplace import workplace
from results import records
from results.run_directory import RunDirectoryError, RunWriter, TrialFolder, whole_folder, write_whole

WORK_FILE = "work.json"


@dataclass(frozen=True)
class Planned:
    """One attempt (from 1) at one task, graded in the hidden world of ``seed``."""

    task: Task
    attempt: int

    @property
    def seed(self) -> int:
        return HIDDEN_SEEDS[(self.attempt - 1) % len(HIDDEN_SEEDS)]


@dataclass(frozen=True)
class Configuration:
    """Who does the assignments, where, and for how much. ``grading`` bounds how many are graded at once."""

    agent: Agent
    model: Model | None
    persona: Persona
    sandbox: Sandbox
    cost_of: Callable[[Usage], Decimal | None] = lambda usage: None
    grading: Semaphore = field(default_factory=lambda: Semaphore(1))
    budget: RunBudget = field(default_factory=RunBudget)

    @property
    def budgets(self) -> Budgets:
        return self.budget.budgets


@dataclass(frozen=True)
class Effort:
    """What an assignment took. Seconds; ``provider`` is the part in which the model answered."""

    usage: Usage = field(default_factory=Usage)
    cost: Decimal | None = Decimal(0)
    turns: int = 0
    working: float = 0.0
    provider: float = 0.0
    waited: float = 0.0

    @classmethod
    def of(cls, budget: Budget, working: float) -> Effort:
        """``working`` is the clock's time, for what spends no budget."""
        return cls(
            budget.usage,
            budget.cost,
            budget.turns_used,
            budget.time_used or working,
            budget.provider_time,
            budget.waited,
        )


@dataclass(frozen=True)
class Work:
    """What the agent left, what it took, and why it ended."""

    submission: Submission
    effort: Effort
    stop_reason: str


def run_trial(
    planned: Planned, configuration: Configuration, writer: RunWriter, tell: Callable[[str], None]
) -> records.TrialRecord:
    """Do, grade and record one trial; what an earlier, killed process had of it is not done again.

    Raises:
        RunWriteError: the run directory can't be written; the trial has no record.
        BudgetSpentError: the run's; the trial has no record, and goes on when the run is resumed with more.
    """
    limits = configuration.budgets.of_a_trial(planned.task.manifest.limits)
    budget = Budget.of(limits, configuration.budgets.trial_max_cost, configuration.cost_of)
    work = None
    try:
        with writer.stage(planned.task.id, planned.attempt) as folder:
            work = finished_work(folder)
            if work is None:
                configuration.budget.permit_call()  # before a box is made for nothing
                tell("working")
                work = do_assignment(planned, configuration, folder, budget)
                freeze(work, folder)
            tell("waiting to be graded")
            with configuration.grading:
                configuration.budget.permit_work()
                tell("grading")
                graded = grade(planned.task, work.submission, configuration.sandbox, planned.seed, suite_contract())
            record = graded_record(planned, work, graded, in_transcript(planned.task, folder.transcript))
            write_whole(folder.checks, record.model_dump_json(indent=2).encode())
    except InfrastructureError as error:
        record = invalid_record(planned, error, work.effort if work else Effort.of(budget, 0.0))
    except (BenchError, RunDirectoryError):
        raise
    except Exception as error:  # one trial's bad luck must not end the others
        write_whole(folder.logs / "fault.txt", without_keys(traceback.format_exc()).encode())
        fault = InfrastructureError("harness", f"unexpected {type(error).__name__}: {error}")
        record = invalid_record(planned, fault, work.effort if work else Effort.of(budget, 0.0))
    writer.append_trial(record)
    return record


def do_assignment(planned: Planned, configuration: Configuration, folder: TrialFolder, budget: Budget) -> Work:
    """Let the agent work, in a box of its own if it needs one, until it submits or its budget is spent."""
    task, agent = planned.task, configuration.agent
    assignment = Assignment(task.instruction, configuration.persona.text, task, planned.attempt, planned.seed)
    model = JournaledModel(configuration.model, folder.calls, configuration.budget.pay) if configuration.model else None
    folder.transcript.unlink(missing_ok=True)  # a killed try's; the journal gives its replies again
    place = workplace(task, configuration.sandbox) if agent.needs_workplace else nullcontext()
    started = time.monotonic()
    with Transcript(folder.transcript) as transcript, place as here:
        submission = agent.work(assignment, model, here, budget, transcript)
    effort = Effort.of(budget, time.monotonic() - started)
    return Work(submission, effort, budget.exhausted or "submitted")


def freeze(work: Work, folder: TrialFolder) -> None:
    """Write the submission and what it took; from here on the model is never asked again."""
    if folder.submission.exists():
        # Without the file below it counts for nothing: a try that was killed between the two.
        shutil.rmtree(folder.submission)
    with whole_folder(folder.submission) as draft:
        work.submission.write(draft)
    effort = asdict(work.effort)
    effort["cost"] = None if work.effort.cost is None else str(work.effort.cost)
    stored = {"effort": effort, "stop_reason": work.stop_reason}
    write_whole(folder.path / WORK_FILE, json.dumps(stored).encode())


def is_frozen(folder: TrialFolder | None) -> bool:
    """Whether the agent's part is done: only the grade is missing."""
    return folder is not None and (folder.path / WORK_FILE).is_file()


def finished_work(folder: TrialFolder) -> Work | None:
    """What an earlier process froze of this trial, if it came that far."""
    if not is_frozen(folder):
        return None
    stored = json.loads((folder.path / WORK_FILE).read_bytes())
    effort = stored["effort"]
    effort["usage"] = Usage(**effort["usage"])
    effort["cost"] = None if effort["cost"] is None else Decimal(effort["cost"])
    return Work(stored_submission(folder.submission), Effort(**effort), stored["stop_reason"])


def stored_submission(path: Path) -> Submission:
    """What ``freeze`` wrote, all of it."""
    return from_folder(path, limits=NO_LIMITS, ignored=frozenset())


def graded_record(planned: Planned, work: Work, graded: Grade, seen: tuple[str, ...]) -> records.TrialRecord:
    return records.TrialRecord(
        **common(planned),
        **graded_fields(graded, seen),
        **effort_fields(work.effort, graded.seconds),
        submission=work.submission.digest,
        stop_reason=work.stop_reason,
    )


def effort_fields(effort: Effort, grading: float = 0.0) -> dict[str, Any]:
    return {
        "usage": records.Usage(
            input=effort.usage.input_tokens,
            output=effort.usage.output_tokens,
            cache_read=effort.usage.cache_read_tokens,
            cache_write=effort.usage.cache_write_tokens,
        ),
        "cost": effort.cost,
        "turns": effort.turns,
        "times": records.Times(agent=effort.working, provider=effort.provider, waited=effort.waited, grading=grading),
    }


def graded_fields(graded: Grade, seen: tuple[str, ...]) -> dict[str, Any]:
    """The part of a record that grading again replaces; ``seen`` is what the transcript tells of tampering."""
    return {
        "status": "graded",
        "score": graded.score,
        "resolved": graded.resolved,
        "dimensions": graded.dimensions,
        "checks": tuple(records.CheckRecord(**asdict(check)) for check in graded.checks),
        "perturbations": graded.notes,
        "tampering": (*seen, *graded.tampering),
    }


def invalid_record(planned: Planned, error: InfrastructureError, effort: Effort) -> records.TrialRecord:
    """What the trial took until then is known, and was paid for."""
    return records.TrialRecord(**common(planned), **effort_fields(effort), **invalid_fields(error))


def invalid_fields(error: InfrastructureError) -> dict[str, Any]:
    """The part of a record that says why there is no grade."""
    return {"status": "invalid", "cause": error.cause, "problem": without_keys(str(error))[:4000]}


def common(planned: Planned) -> dict[str, Any]:
    manifest = planned.task.manifest
    return {
        "task": planned.task.id,
        "attempt": planned.attempt,
        "seed": planned.seed,
        "technologies": manifest.technologies,
        "responsibilities": manifest.responsibilities,
        "difficulty": manifest.difficulty,
    }
