"""A run: what was asked for becomes a run directory, and a run directory becomes the trials that are missing."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from threading import Semaphore

from harness import agents, models
from harness.agents import Agent, Assignment
from harness.agents._baseline import Baseline
from harness.budgets import Budgets, RunBudget, need_price
from harness.display import Display
from harness.errors import UsageError
from harness.foreign import images
from harness.foreign.workplace import runtime_of
from harness.judge.trials import Appointed, judge_run, paid_by_judges
from harness.models import Model, ModelParameters, Usage, _journal, _prices
from harness.models._retry import RetryPolicy
from harness.persona import Persona
from harness.sandboxes import Sandbox, _choice
from harness.sandboxes._environments import lacking
from harness.schedule import run_all
from harness.submission import Submission
from harness.task import HIDDEN_SEEDS, Task, load_suite
from harness.trial import Configuration, Planned, is_frozen
from results import records
from results.run_directory import RunDirectory

DEFAULT_AGENT = "tools"
MODELS_AT_A_TIME = 4


@dataclass(frozen=True)
class Chosen:
    """Who does the assignments, resolved: a wrong name or a missing key has ended the program by now."""

    agent: Agent
    model: Model | None
    model_name: str
    parameters: ModelParameters
    budget: RunBudget

    @property
    def simulated(self) -> bool:
        return self.agent.name.startswith("simulated/")


def choose(model: str, agent: str | None, parameters: ModelParameters, budgets: Budgets | None = None) -> Chosen:
    """The baseline or the connected model that ``--model`` names, the agent that drives it, and what they may use."""
    budget = RunBudget(budgets)
    baseline = agents.resolve_baseline(model)
    if baseline:
        if agent:
            raise UsageError(f"{model} is a baseline and needs no agent", "leave out --agent")
        return Chosen(baseline, None, baseline.name, parameters, budget)
    driver = agents.create(agent or DEFAULT_AGENT)
    if not driver.needs_model:
        raise UsageError(f"the agent {agent!r} drives no model", "agents for models: oneshot, tools")
    retry = RetryPolicy(sleep=budget.sleep, permit=budget.permit_call, tell=budget.say_wait)
    return Chosen(driver, models.connect(model, parameters, retry), model, parameters, budget)


def runnable(sandbox: Sandbox, tasks: Sequence[Task], display: Display, *, named: bool) -> list[Task]:
    """The tasks whose engines this machine can have; if they were ``named`` one by one, an error where it can't."""
    reasons = {} if sandbox.name.startswith("docker") else {name: lacking(name) for name in environments_of(tasks)}
    left_out = [task.id for task in tasks if reasons.get(task.manifest.environment)]
    if not left_out:
        return list(tasks)
    said = "; ".join(filter(None, reasons.values()))
    if named or len(left_out) == len(tasks):
        raise UsageError(
            f"{', '.join(left_out)} can't run here: {said}", "or use Docker: its images bring what they need"
        )
    display.note(f"left out: {', '.join(left_out)}: {said}")
    return [task for task in tasks if not reasons.get(task.manifest.environment)]


def environments_of(tasks: Sequence[Task]) -> list[str]:
    return sorted({task.manifest.environment for task in tasks if not task.manifest.foreign})


def prepare(sandbox: Sandbox, tasks: Sequence[Task], display: Display) -> dict[str, str]:
    """Build what the tasks' boxes are made of, where it isn't; the digest of each environment."""
    digests = {}
    if left := sandbox.reap():
        display.note(f"removed {left} boxes of runs that died")
    for environment in environments_of(tasks):
        if not sandbox.is_prepared(environment):
            display.note(f"building the environment {environment} for {sandbox.name} (once; kept for later runs)")
        digests[environment] = sandbox.prepare(environment)
    for task in tasks:
        if task.manifest.foreign:
            runtime_of(sandbox)  # an error if it isn't Docker
            if not all(map(images.is_built, images.images_of(task))):
                display.note(f"building the images of {task.id} (once; kept for later runs)")
            digests[task.id] = images.build_images(task)
    return digests


def rehearse(chosen: Chosen, persona: Persona, tasks: Sequence[Task], attempts: int) -> None:
    """Read what the trials will need: what is missing or malformed ends the program before anything is begun."""
    for task in tasks:
        _ = task.instruction, task.digest, task.grader_digest
        if not task.manifest.foreign:
            _ = task.world, task.checks
        if isinstance(chosen.agent, Baseline):
            for planned in (Planned(task, attempt) for attempt in range(1, attempts + 1)):
                chosen.agent.choose(Assignment(task.instruction, persona.text, task, planned.attempt, planned.seed))


def new_record(
    chosen: Chosen, persona: Persona, sandbox: str, environments: dict[str, str], tasks: Sequence[Task], attempts: int
) -> records.RunRecord:
    """The lock of a new run."""
    now = datetime.now(UTC)
    slug = re.sub(r"[^a-z0-9.]+", "-", chosen.model_name.lower())[:60].strip("-")
    digests = {task.id: records.TaskRecord(digest=task.digest, grader_digest=task.grader_digest) for task in tasks}
    suite = Submission({task_id: str(digest).encode() for task_id, digest in digests.items()})
    return records.RunRecord(
        run=f"{now:%Y%m%d-%H%M%S}-{slug}-{secrets.token_hex(2)}",
        created=now,
        harness_version=version("data-engineer-bench"),
        suite=records.SuiteRecord(name=tasks[0].suite, digest=suite.digest),
        tasks=digests,
        persona=records.PersonaRecord(name=persona.name, digest=persona.digest, text=persona.text),
        agent=chosen.agent.name.partition("/")[0],
        model=chosen.model_name,
        parameters={
            name: value
            for name, value in vars(chosen.parameters).items()
            if value is not None and chosen.agent.needs_model
        },
        simulated=chosen.simulated,
        sandbox=sandbox,
        environments=environments,
        attempts=attempts,
        seeds=HIDDEN_SEEDS,
        budgets=chosen.budget.budgets.recorded(),
        planned=tuple(task.id for task in tasks),
    )


def recorded_tasks(
    record: records.RunRecord, suite: str | None = None, *, only_graders_may_differ: bool = False
) -> list[Task]:
    """The tasks of a run as they are now; an error if they are no longer what the run was begun with."""
    try:
        known = {task.id: task for task in load_suite(suite or record.suite.name)}
    except UsageError as error:
        if suite:
            raise
        raise UsageError(error.problem, "if the run's suite is a folder, name it: --suite FOLDER") from None
    gone = [name for name in record.planned if name not in known]
    if gone:
        raise UsageError(f"the suite {record.suite.name!r} no longer has {', '.join(gone)}")
    tasks = [known[name] for name in record.planned]
    changed = [task.id for task in tasks if task.digest != record.tasks[task.id].digest]
    if changed:
        raise UsageError(
            f"changed since the run began: {', '.join(changed)}",
            "what a model was asked is no longer what these tasks ask: begin a new run",
        )
    regraded = [task.id for task in tasks if task.grader_digest != record.tasks[task.id].grader_digest]
    if regraded and not only_graders_may_differ:
        raise UsageError(
            f"the checks changed since the run began: {', '.join(regraded)}",
            "grade what is there again first: bench regrade RUN",
        )
    return tasks


def configuration(chosen: Chosen, persona: Persona, sandbox: Sandbox, prices: Path | None = None) -> Configuration:
    table = _prices.load_prices(prices)
    name = chosen.model_name
    if chosen.model:
        need_price(name, table, chosen.budget.budgets)
    chosen.budget.cost_of = lambda usage: table.cost(name, usage)
    return Configuration(
        chosen.agent,
        chosen.model,
        persona,
        sandbox,
        cost_of=chosen.budget.cost_of,
        grading=Semaphore(os.cpu_count() or 1),
        budget=chosen.budget,
    )


def paid(directory: RunDirectory) -> Usage:
    """What all calls of a run used until now, those of trials that were cut off or repeated among them."""
    return sum(map(_journal.paid, directory.call_journals()), Usage())


def missing(directory: RunDirectory, tasks: Sequence[Task], finished: set[tuple[str, int]]) -> list[Planned]:
    """The planned trials without a record. All tasks' first attempts come before the second ones.

    What only waits to be graded comes before all: it needs no call, and a spent budget doesn't hold it back.
    """
    plan = [Planned(task, attempt) for attempt in range(1, directory.record.attempts + 1) for task in tasks]
    left = [planned for planned in plan if (planned.task.id, planned.attempt) not in finished]
    cut_off = directory.unfinished()
    return sorted(left, key=lambda planned: not is_frozen(cut_off.get((planned.task.id, planned.attempt))))


def reopened(record: records.RunRecord, budgets: Budgets) -> tuple[Chosen, Persona, Sandbox]:
    """What a run was begun with, to go on with; ``budgets`` are those that are given anew."""
    parameters = ModelParameters(**dict(record.parameters))  # type: ignore[arg-type]
    baseline = agents.resolve_baseline(record.model) is not None
    budgets = Budgets.resumed(dict(record.budgets), budgets)
    chosen = choose(record.model, None if baseline else record.agent, parameters, budgets)
    persona = Persona(record.persona.name, record.persona.text)
    return chosen, persona, _choice.choose(record.sandbox, trusted=chosen.agent.trusted)


@dataclass(frozen=True)
class Session:
    """A run in this process: begun, or gone on with."""

    directory: RunDirectory
    tasks: Sequence[Task]
    chosen: Chosen
    configuration: Configuration

    def finish(
        self, display: Display, concurrency: int | None, *, retry_invalid: bool, judge: Appointed | None = None
    ) -> None:
        """Do the trials without a record; then ask the judge, if there is one, what it wasn't asked yet.

        Raises:
            RunDirectoryError: another process does them.
            Interrupted, KeyboardInterrupt, InfrastructureError, BudgetSpentError, RunWriteError: see ``run_all``.
        """
        with self.directory.writing() as writer:
            # Read by the one that holds the run: what another process has just finished isn't done again.
            finished = [
                entry for entry in self.directory.records() if not (retry_invalid and entry.status == "invalid")
            ]
            plan = missing(self.directory, self.tasks, {entry.key for entry in finished})
            self.chosen.budget.tell = display.spent
            self.chosen.budget.note = display.note
            self.chosen.budget.pay(paid(self.directory))
            run_all(
                plan,
                self.configuration,
                writer,
                display,
                concurrency=concurrency or ((os.cpu_count() or 1) if self.chosen.agent.trusted else MODELS_AT_A_TIME),
            )
            if judge:
                judge_run(writer, judge, display)


def begin(
    chosen: Chosen,
    persona: Persona,
    tasks: Sequence[Task],
    attempts: int,
    sandbox: Sandbox,
    display: Display,
    runs: Path,
    prices: Path | None,
) -> Session:
    """A new run; nothing is written before everything it needs is there."""
    configured = configuration(chosen, persona, sandbox, prices)
    rehearse(chosen, persona, tasks, attempts)
    environments = prepare(sandbox, tasks, display)
    record = new_record(chosen, persona, sandbox.name, environments, tasks, attempts)
    return Session(RunDirectory.create(runs / record.run, record), tasks, chosen, configured)


def resume(
    path: Path, suite: str | None, display: Display, prices: Path | None, budgets: Budgets | None = None
) -> Session:
    """A run that was begun; an error if it is no longer possible to go on with it as it was."""
    directory = RunDirectory.open(path)
    tasks = recorded_tasks(directory.record, suite)
    chosen, persona, sandbox = reopened(directory.record, budgets or Budgets())
    configured = configuration(chosen, persona, sandbox, prices)
    table = _prices.load_prices(prices)
    for model, usage in paid_by_judges(directory).items():
        chosen.budget.pay(usage, partial(table.cost, model))
    rehearse(chosen, persona, tasks, directory.record.attempts)
    prepare(sandbox, tasks, display)
    return Session(directory, tasks, chosen, configured)
