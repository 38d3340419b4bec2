"""The gate as Python: a configuration is run once, and its result asked often. What the pytest fixture gives."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from results.judgement import Result
from results.records import RunRecord
from results.run_directory import RunDirectory, RunDirectoryError, find_runs

if TYPE_CHECKING:
    from harness.display import Display
    from harness.sandboxes import Sandbox
    from harness.task import Task

CONFIGURED = ("agent", "model", "parameters", "simulated", "sandbox", "environments", "attempts", "seeds", "planned")
MOST_ATTEMPTS = 1000  # as of ``bench run``


class Bench:
    """Runs suites, each configuration once: in this process, and while its run directory is there in later ones.

    ``runs``: where run directories lie. ``root``: what the paths of personas, suites and baselines start from.
    """

    def __init__(self, runs: Path, root: Path) -> None:
        self._runs = runs
        self._root = root
        self._results: dict[str, Result] = {}

    def baseline(self, path: str | Path) -> Result:
        """A run that exists, to compare with.

        Raises:
            RunDirectoryError: it is none, or damaged.
        """
        return Result(RunDirectory.open(self._root / path))

    def run(
        self,
        model: str,
        persona: str | None = None,
        *,
        agent: str | None = None,
        suite: str = "core",
        tasks: str | Sequence[str] = (),
        attempts: int = 3,
        sandbox: str = "auto",
        effort: str | None = None,
        temperature: float | None = None,
        max_output_tokens: int = 32_000,
        base_url: str | None = None,
        concurrency: int | None = None,
    ) -> Result:
        """What ``bench run`` with these options finds; what was run before isn't run again.

        A run that was cut off is finished, and invalid trials of earlier processes are tried again. If only the
        checks changed since, the stored submissions are graded again, without a model.

        Raises:
            UsageError: what was asked for doesn't exist or can't be.
        """
        from harness import persona as personas
        from harness import run
        from harness.display import display
        from harness.models import ModelParameters
        from harness.sandboxes import _choice
        from harness.task import load_suite, select

        if not isinstance(attempts, int) or not 1 <= attempts <= MOST_ATTEMPTS:
            raise UsageError(f"attempts={attempts!r} can't be run", f"write a whole number from 1 to {MOST_ATTEMPTS}")
        told = personas.load(self._persona(persona))
        folder = str(self._root / suite) if "/" in suite else suite
        chosen_tasks = select(load_suite(folder), (tasks,) if isinstance(tasks, str) else tuple(tasks))
        chosen = run.choose(model, agent, ModelParameters(effort, temperature, max_output_tokens, base_url))
        box = _choice.choose(sandbox, trusted=chosen.agent.trusted)
        with display(sys.stderr) as shown:
            environments = run.prepare(box, chosen_tasks, shown)
            wanted = run.new_record(chosen, told, box.name, environments, chosen_tasks, attempts)
            key = configuration_digest(wanted)
            if key not in self._results:
                with self._alone(key):
                    if directory := self._known(key):
                        _grade_as_now(directory, wanted, chosen_tasks, box, shown)
                        directory = RunDirectory.open(directory.path)
                        session = run.Session(directory, chosen_tasks, chosen, run.configuration(chosen, told, box))
                    else:
                        session = run.begin(chosen, told, chosen_tasks, attempts, box, shown, self._runs, None)
                    if not _is_done(session.directory):
                        session.finish(shown, concurrency, retry_invalid=True)
                self._results[key] = Result(session.directory)
        return self._results[key]

    def _persona(self, name: str | None) -> str | None:
        from harness.persona import BASELINE, bundled

        return name if name is None or name == BASELINE or name in bundled() else str(self._root / name)

    def _known(self, key: str) -> RunDirectory | None:
        """The newest run of this configuration, whoever made it; what can't be read is passed over."""
        found = []
        for path in find_runs(self._runs) if self._runs.is_dir() else []:
            with contextlib.suppress(RunDirectoryError):
                directory = RunDirectory.open(path)
                if configuration_digest(directory.record) == key:
                    found.append(directory)
        return max(found, key=lambda directory: directory.record.created, default=None)

    @contextlib.contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """One process at a time runs a configuration (pytest-xdist has many); the others wait and find it done."""
        self._runs.mkdir(parents=True, exist_ok=True)
        with (self._runs / f".{key[:16]}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def configuration_digest(record: RunRecord) -> str:
    """SHA-256 of what a run's trials depend on: persona, model, agent, parameters, tasks, environments, attempts."""
    # Not the graders: stored submissions are graded anew without a model.
    tasks = {task: {"digest"} for task in record.tasks}
    text = record.model_dump_json(include={**dict.fromkeys(CONFIGURED, True), "tasks": tasks, "persona": {"digest"}})
    return hashlib.sha256(text.encode()).hexdigest()


def _grade_as_now(
    directory: RunDirectory, wanted: RunRecord, tasks: Sequence[Task], box: Sandbox, shown: Display
) -> None:
    if directory.record.tasks == wanted.tasks:
        return
    from harness.regrade import regrade

    with directory.writing() as writer:
        regrade(writer, tasks, box, wanted.environments, shown, jobs=os.cpu_count() or 1)


def _is_done(directory: RunDirectory) -> bool:
    graded = {trial.key for trial in directory.records() if trial.status == "graded"}
    return graded == set(directory.record.planned_trials)
