"""A task on disk: what the agent is told, what it starts from, and where its world, checks and solutions lie.

    tasks/<suite>/<technology>/<task>/
      task.toml  instruction.md  workspace/  world.py  checks.py  reference/  alternates/<n>/  mutants.toml

An id is ``<technology>/<task>``, unique in its suite.
"""

from __future__ import annotations

import importlib.util
import sys
import tomllib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import pydantic

from harness import discovery
from harness.errors import UsageError
from harness.submission import DELIVERABLE, NO_LIMITS, Submission, SubmissionError, from_folder

VISIBLE_SEED = 7
# Three worlds no agent sees; attempt n is graded in world n modulo three.
HIDDEN_SEEDS = (1009, 2003, 3001)

NonEmpty = Annotated[str, pydantic.StringConstraints(min_length=1, strip_whitespace=True)]


class Limits(pydantic.BaseModel):
    """What a trial of the task may use. Times in seconds, sizes in MiB."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    working_time: int = 1800
    turns: int = 60
    output_tokens: int = 200_000
    run_time: int = 120
    memory: int = 3072
    disk: int = 512
    processes: int = 256


class Foreign(pydantic.BaseModel):
    """A task with its own image and verifier, in its folder ``harbor`` (``harness.foreign``), and what it is granted.

    ``network``: where it asks for one. ``walls``: its verifier may put up walls of its own, with root's rights almost.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    network: bool = False
    walls: bool = False


class Manifest(pydantic.BaseModel):
    """``task.toml``."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, pydantic.StringConstraints(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")]
    title: NonEmpty
    version: int = pydantic.Field(ge=1)
    environment: NonEmpty
    engines: tuple[NonEmpty, ...] = pydantic.Field(min_length=1)
    kind: Literal["build", "repair", "migrate", "optimise", "design", "document", "collaborate", "review"]
    difficulty: Literal["easy", "medium", "hard"]
    technologies: tuple[NonEmpty, ...] = pydantic.Field(min_length=1)
    responsibilities: tuple[NonEmpty, ...] = pydantic.Field(min_length=1)
    collaboration: tuple[NonEmpty, ...] = ()
    # Names one of which the deliverable's diagram must show at its beginning and at its end.
    sources: tuple[NonEmpty, ...] = pydantic.Field(min_length=1)
    destinations: tuple[NonEmpty, ...] = pydantic.Field(min_length=1)
    submit: tuple[NonEmpty, ...] = ("**",)
    canary: Annotated[str, pydantic.StringConstraints(pattern=r"^[0-9a-f-]{36}$")]
    limits: Limits = Limits()
    foreign: Foreign | None = None


class Mutant(pydantic.BaseModel):
    """One named way of being wrong: an edit of the reference, and the checks it must fail (all and only those)."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    breaks: tuple[str, ...] = pydantic.Field(min_length=1)
    file: str
    find: str = ""
    replace: str = ""
    edits: tuple[tuple[str, str, str], ...] = ()
    delete: bool = False


@dataclass(frozen=True)
class Task:
    """One assignment, read from its folder."""

    suite: str
    folder: Path
    manifest: Manifest

    @property
    def id(self) -> str:
        return self.manifest.id

    @property
    def slug(self) -> str:
        """The id as one file name."""
        return self.id.replace("/", "--")

    @cached_property
    def takes(self) -> tuple[str, ...]:
        """Globs of what becomes part of a submission: the manifest's, the deliverable, nothing that engines leave."""
        engines = () if self.manifest.foreign else self.manifest.engines
        left = [glob for name in engines for glob in discovery.load("harness.engines", name).ENGINE.leaves]
        return (*self.manifest.submit, DELIVERABLE, *(f"!{glob}" for glob in left))

    @cached_property
    def instruction(self) -> str:
        return _text(self._content("instruction.md"), self.folder / "instruction.md")

    @cached_property
    def workspace(self) -> Submission:
        """What the agent starts from (empty when the task has no ``workspace/``)."""
        return self._read(self.folder / "workspace", whole=False)

    @cached_property
    def reference(self) -> Submission:
        return self._solution(self.folder / "reference", self.workspace)

    @property
    def alternates(self) -> dict[str, Submission]:
        """Other correct submissions: the reference with what each alternate changes and removes (``.remove``)."""
        folder = self.folder / "alternates"
        if not folder.is_dir():
            return {}
        return {path.name: self._solution(path, self.reference) for path in sorted(folder.iterdir()) if path.is_dir()}

    def _solution(self, folder: Path, base: Submission) -> Submission:
        own = self._read(folder, whole=bool(self.manifest.foreign))
        removed = _text(own.files.get(".remove", b""), folder / ".remove").split()
        made = base.without(removed).overlaid(own.files).without([".remove"])
        # Of the workspace, too, only what an agent could hand in.
        return made if self.manifest.foreign else made.only(self.takes)

    def _read(self, folder: Path, *, whole: bool) -> Submission:
        try:
            return from_folder(folder, limits=NO_LIMITS, ignored=frozenset()) if whole else from_folder(folder)
        except SubmissionError as error:
            raise UsageError(f"{folder}: {error}", "what an agent couldn't hand in can be no part of a task") from None

    @cached_property
    def mutants(self) -> dict[str, tuple[Mutant, Submission]]:
        """Each mutant with the submission it makes of the reference."""
        path = self.folder / "mutants.toml"
        made = {}
        for name, raw in read_toml(path).items():
            try:
                mutant = Mutant.model_validate(raw)
            except pydantic.ValidationError as error:
                raise UsageError(f"{path}: [{name}]: {plain(error)}") from None
            made[name] = (mutant, self._mutated(f"{path}: [{name}]", mutant))
        return made

    def _mutated(self, where: str, mutant: Mutant) -> Submission:
        files = dict(self.reference.files)
        edits = list(mutant.edits)
        if mutant.find:
            edits.insert(0, (mutant.file, mutant.find, mutant.replace))
        if not (edits or mutant.delete):
            raise UsageError(f"{where} changes nothing", "it needs find and replace, edits, or delete = true")
        if mutant.delete and files.pop(mutant.file, None) is None:
            raise UsageError(f"{where} deletes {mutant.file}, which the reference doesn't have")
        for file, find, replace in edits:
            text = _text(files[file], f"{where}: {file}") if file in files else ""
            if text.count(find) != 1:
                raise UsageError(
                    f"{where}: the text to find is {text.count(find)} times in {file}, not once", f"find = {find!r}"
                )
            files[file] = text.replace(find, replace).encode()
        return Submission(files)

    @cached_property
    def world(self) -> ModuleType:
        """``world.py``: ``build(seed, scale)`` and ``furnish(world, lab)``."""
        return self._module("world")

    @cached_property
    def checks(self) -> ModuleType:
        return self._module("checks")

    def _module(self, name: str) -> ModuleType:
        # A package of its own per task, so that ``from .world import …`` in checks.py finds its neighbour.
        # Named after its path: two suites of one name are two.
        folder = self.folder.resolve()
        package = f"bench_task_{zlib.crc32(bytes(folder))}_{self.slug}".replace("-", "_")
        if package not in sys.modules:
            parent = ModuleType(package)
            parent.__path__ = [str(folder)]
            sys.modules[package] = parent
        self._content(f"{name}.py")
        try:
            return importlib.import_module(f"{package}.{name}")
        except Exception as error:
            path = self.folder / f"{name}.py"
            raise UsageError(f"{path} can't be imported: {type(error).__name__}: {error}") from error

    def _content(self, name: str) -> bytes:
        path = self.folder / name
        try:
            return path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path} can't be read: {error.strerror}", "docs/tasks.md lists a task's files") from None

    @cached_property
    def digest(self) -> str:
        """What a model's answer depends on: instruction, workspace, world, manifest. Changing it needs new trials."""
        own = {name: self._content(name) for name in ("task.toml", "instruction.md")}
        if self.manifest.foreign:
            own |= {"harbor": self._content("harbor/task.toml"), "environment": self._part("environment")}
        else:
            own["world.py"] = self._content("world.py")
        return Submission({**own, "workspace": self.workspace.digest.encode()}).digest[:16]

    @cached_property
    def grader_digest(self) -> str:
        """What a grade depends on besides: changing it needs only ``bench regrade``."""
        checks = self._part("tests") if self.manifest.foreign else self._content("checks.py")
        return Submission({"checks.py": checks}).digest[:16]

    def _part(self, name: str) -> bytes:
        """A digest of all in a folder of the task's own image or verifier."""
        return from_folder(self.folder / "harbor" / name, limits=NO_LIMITS, ignored=frozenset()).digest.encode()


def _text(content: bytes, where: object) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{where} is not UTF-8: {error.reason}") from None


def suites_folder() -> Path:
    spec = importlib.util.find_spec("tasks")
    if spec is None or not spec.submodule_search_locations:
        raise UsageError("the package `tasks` is not installed", "install the project: pip install .")
    return Path(next(iter(spec.submodule_search_locations)))


def load_suite(suite: str = "core") -> list[Task]:
    """All tasks of a suite by id. ``suite`` is a bundled suite's name or a folder of tasks."""
    folder = Path(suite) if Path(suite).is_dir() and "/" in suite else suites_folder() / suite
    if not folder.is_dir():
        # As ``bench new task --suite NAME`` finds it or makes it.
        for own in (Path(suite), Path("tasks", suite)):
            if (own / "suite.toml").is_file():
                raise UsageError(f"no bundled suite is called {suite!r}", f"if you mean the folder: --suite ./{own}")
        known = sorted(path.name for path in suites_folder().iterdir() if (path / "suite.toml").is_file())
        raise UsageError(f"unknown suite {suite!r}", f"known: {', '.join(known)}; or the path of a folder of tasks")
    tasks = sorted(_read_tasks(folder), key=lambda task: task.id)
    if not tasks:
        raise UsageError(f"no task in {folder}", "a task is a folder <technology>/<task>/ with a task.toml")
    return tasks


def select(tasks: list[Task], patterns: tuple[str, ...]) -> list[Task]:
    """The tasks named by ids or globs, in the suite's order; all without a pattern."""
    if not patterns:
        return tasks
    for pattern in patterns:
        if not any(_is_named(task, pattern) for task in tasks):
            raise UsageError(f"unknown task {pattern!r}", f"known: {', '.join(task.id for task in tasks)}")
    return [task for task in tasks if any(_is_named(task, pattern) for pattern in patterns)]


def _is_named(task: Task, pattern: str) -> bool:
    return Path(task.id).match(pattern) if set(pattern) & set("*?[") else task.id == pattern


def _read_tasks(folder: Path) -> Iterator[Task]:
    for path in sorted(folder.glob("*/*/task.toml")):
        yield read_task(path.parent, folder.name)


def read_task(folder: Path, suite: str) -> Task:
    path = folder / "task.toml"
    try:
        manifest = Manifest.model_validate(read_toml(path))
    except pydantic.ValidationError as error:
        raise UsageError(f"{path}: {plain(error)}") from None
    if manifest.id != f"{folder.parent.name}/{folder.name}":
        raise UsageError(f"{path}: id is {manifest.id!r}, but the folder says {folder.parent.name}/{folder.name}")
    return Task(suite, folder, manifest)


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path} is missing") from None
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None


def plain(error: pydantic.ValidationError) -> str:
    """A validation error as a person would say it: field and what is wrong with it, one a line."""
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
