"""A box furnished for one task: its engines at hand, a submission in place, and a note of what was done to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from harness import discovery
from harness.engines import Engine
from harness.sandboxes import BoxLimits, Sandbox
from harness.sandboxes._box import Box, Completed
from harness.submission import Submission, SubmissionLimits, from_files
from harness.task import Task

AnyEngine = TypeVar("AnyEngine", bound=Engine)


class Lab:
    """Use as a context manager. ``fresh`` brings back the beginning: the submission, empty engines, no data."""

    def __init__(self, task: Task, sandbox: Sandbox, submission: Submission) -> None:
        limits = task.manifest.limits
        self.task = task
        self.submission = submission
        self.box = Box(
            sandbox,
            task.manifest.environment,
            BoxLimits(memory=limits.memory, disk=limits.disk, processes=limits.processes),
        )
        self.notes: list[str] = []
        self._engines: dict[str, Engine] = {}
        try:
            for name in task.manifest.engines:
                engine: Engine = discovery.load("harness.engines", name).ENGINE.at(self.box)
                self._engines[name] = engine
                engine.start()
                self.box.variables |= engine.variables()
            self.box.variables["DATA"] = self.box.path("data")
            self.box.put("work", submission.files)
            self._quiet = self.box.commands
        except BaseException:
            self.close()
            raise

    @property
    def touched(self) -> bool:
        """Whether anything of the submission's may have run here."""
        return self.box.commands > self._quiet

    @property
    def engines(self) -> tuple[Engine, ...]:
        return tuple(self._engines.values())

    def use(self, kind: type[AnyEngine]) -> AnyEngine:
        """The engine of a kind; the task's ``engines`` must name it."""
        engine = self._engines.get(kind.name)
        assert isinstance(engine, kind), f"task.toml's engines don't name {kind.name!r}"
        return engine

    def fresh(self) -> None:
        """The submission in an empty work folder, no data delivered, engines as at the start, no process left."""
        self.box.clear("work", "data")
        self.box.put("work", self.submission.files)
        for engine in self._engines.values():
            engine.reset()

    def deliver(self, files: Mapping[str, bytes | str]) -> None:
        """Put files where the world delivers data (``$DATA``)."""
        contents = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        self.box.put("data", contents)

    def run(
        self,
        *argv: str,
        timeout: float | None = None,
        variables: Mapping[str, str] | None = None,
        stdin: bytes = b"",
    ) -> Completed:
        """A command of the ticket's, started as a scheduler would, in the work folder."""
        limit = timeout or self.task.manifest.limits.run_time
        return self.box.run(argv, timeout=limit, variables=variables, stdin=stdin)

    def note(self, text: str) -> None:
        """What was done to the world, for the trial's record."""
        if text not in self.notes:
            self.notes.append(text)

    def dump(self) -> dict[str, bytes]:
        """What the engines hold of the world beside the box's folders."""
        return {path: content for engine in self._engines.values() for path, content in engine.dump().items()}

    def collect(self) -> Submission:
        """What stands in the work folder now, as a submission."""
        limits = SubmissionLimits()
        return from_files(self.box.collect("work", limits, self.task.takes), limits=limits)

    def close(self) -> None:
        for engine in self._engines.values():
            engine.close()
        self.box.close()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
