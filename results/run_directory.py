"""A run on disk: who may write it, how it survives a kill, and how it is read again."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from results.durable import Journal, sync, sync_tree, whole_folder, write_whole, writing
from results.errors import RunDirectoryError, RunWriteError
from results.records import FORMAT, RunRecord, TaskRecord, TrialRecord, slug

__all__ = [
    "ABLATION",
    "Journal",
    "RunDirectory",
    "RunDirectoryError",
    "RunWriteError",
    "RunWriter",
    "TrialFolder",
    "find_runs",
    "whole_folder",
    "write_whole",
]


# What an ablation directory holds beside its runs (see results/ablation.py).
ABLATION = "ablation.json"


@dataclass(frozen=True)
class TrialFolder:
    """The files of one trial.

    <attempt>/
      calls.jsonl        journal of the model calls: a resumed trial pays for none of them again
      transcript.jsonl   the conversation
      submission/        what the agent left, frozen
      checks.json        the grade with its evidence
      work.json          what it took: tokens, cost, times, how it ended
      judges/            what judges said of the deliverable (see results/judges.py)
      logs/              where it failed, if something failed that nobody expected
    """

    path: Path

    @property
    def calls(self) -> Path:
        return self.path / "calls.jsonl"

    @property
    def transcript(self) -> Path:
        return self.path / "transcript.jsonl"

    @property
    def submission(self) -> Path:
        return self.path / "submission"

    @property
    def checks(self) -> Path:
        return self.path / "checks.json"

    @property
    def logs(self) -> Path:
        return self.path / "logs"


@dataclass(frozen=True)
class RunDirectory:
    """A run that can be read; ``writing()`` makes this process the one that may add to it.

    runs/<run-id>/
      run.json                          what its trials depend on (RunRecord); a regrade names its graders anew
      run.<n>.json                      what it was before the n-th regrade
      trials.jsonl                      one TrialRecord a line; the newest of a trial counts
      trials.<n>.jsonl                  what trials.jsonl was before the n-th regrade
      regrade.jsonl                     grades of a regrade that has not come to its end
      judges/                           who was asked to judge (see results/judges.py)
      writer                            held (flock) by the process that writes, and its process id
      trials/<task-slug>/
        <attempt>/                      a finished trial (TrialFolder)
        <attempt>.<n>/                  the n-th earlier try of it: a retry never deletes evidence
        .<attempt>.unfinished/          a trial under way, or one that was cut off and can be continued
    """

    path: Path
    record: RunRecord

    @classmethod
    def create(cls, path: Path, record: RunRecord) -> RunDirectory:
        """Make a run directory; it appears whole under its name or not at all.

        Raises:
            RunDirectoryError: there is something at the path already.
            RunWriteError: it can't be written.
        """
        taken = RunDirectoryError(
            f"{path} exists already", f"continue it with `bench run --resume {path}`, or choose another name"
        )
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise taken
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            with writing(path):
                draft.chmod(0o755)
                (draft / "trials").mkdir()
                (draft / "trials.jsonl").touch()
            write_whole(draft / "run.json", record.model_dump_json(indent=2).encode() + b"\n")
            with writing(path):
                draft.rename(path)
                sync(path.parent)
        except RunWriteError as error:
            shutil.rmtree(draft, ignore_errors=True)
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in (
                errno.ENOTEMPTY,
                errno.EEXIST,
            ):
                raise taken from None
            raise
        return cls(path, record)

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Read a run directory; needs no lock and changes nothing, so a run under way can be opened too.

        Raises:
            RunDirectoryError: it is not one, it is damaged, or another version wrote it.
        """
        file = path / "run.json"
        try:
            content = file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            if not path.exists():
                raise RunDirectoryError(f"{path} does not exist", _known_runs(path)) from None
            raise RunDirectoryError(
                f"{path} is not a run directory", f"it has no run.json; {_known_runs(path)}"
            ) from None
        except OSError as error:
            raise RunDirectoryError(f"can't read {file}: {error.strerror or error}") from None
        return cls(path, _read_record(file, content))

    @property
    def trials_file(self) -> Path:
        return self.path / "trials.jsonl"

    @property
    def writer_file(self) -> Path:
        return self.path / "writer"

    @property
    def regrade_file(self) -> Path:
        return self.path / "regrade.jsonl"

    def trial(self, task: str, attempt: int) -> TrialFolder:
        """Where a finished trial lies; for one that was cut off see ``unfinished``."""
        return TrialFolder(self.path / "trials" / slug(task) / str(attempt))

    def _unfinished_trial(self, task: str, attempt: int) -> TrialFolder:
        return TrialFolder(self.path / "trials" / slug(task) / f".{attempt}.unfinished")

    def records(self) -> list[TrialRecord]:
        """The finished trials, one record each (the newest), in the order of finishing."""
        newest: dict[tuple[str, int], TrialRecord] = {}
        for number, line in enumerate(Journal(self.trials_file).lines(), start=1):
            try:
                record = TrialRecord.model_validate_json(line)
            except pydantic.ValidationError as error:
                raise RunDirectoryError(
                    f"{self.trials_file}: line {number} is not a trial's record: {_plain(error)}",
                    "restore the file from a copy, or delete that line: its trial is then done again",
                ) from None
            newest.pop(record.key, None)
            newest[record.key] = record
        return list(newest.values())

    def finished(self) -> set[tuple[str, int]]:
        """(task, attempt) of every trial that has a record, graded or invalid."""
        return {record.key for record in self.records()}

    def unfinished(self) -> dict[tuple[str, int], TrialFolder]:
        """The trials that were begun and left without a record, with what there is of them."""
        found, finished = {}, self.finished()
        for task, attempt in self.record.planned_trials:
            if (cut_off := self._unfinished_trial(task, attempt)).path.is_dir():
                found[task, attempt] = cut_off
            elif (task, attempt) not in finished and (placed := self.trial(task, attempt)).path.is_dir():
                found[task, attempt] = placed
        return found

    def call_journals(self) -> list[Path]:
        """The journals of the model calls of every trial: finished, cut off, or repeated since."""
        return sorted(self.path.glob("trials/*/*/calls.jsonl"))

    @contextlib.contextmanager
    def writing(self) -> Iterator[RunWriter]:
        """Hold the right to write, alone; a torn last line of ``trials.jsonl`` is cut off.

        Raises:
            RunDirectoryError: another process (or another writer of this one) holds it.
        """
        with writing(self.writer_file):
            descriptor = os.open(self.writer_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._lock(descriptor)
            journal = Journal(self.trials_file)
            journal.repair()
            yield RunWriter(self, journal)
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 20, 0).decode("ascii", errors="replace").strip() or "unknown"
            raise RunDirectoryError(
                f"{self.path} is being written by another process (id {owner})",
                "wait until it ends, or stop it; nothing it finished is lost",
            ) from None
        except OSError as error:
            raise RunWriteError(
                f"can't lock {self.writer_file}: {error.strerror}", "put the run on a local file system"
            ) from error
        with writing(self.writer_file):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)


class RunWriter:
    """What the process that holds a run may do to it. Safe to share between threads."""

    def __init__(self, directory: RunDirectory, journal: Journal) -> None:
        self.directory = directory
        self._journal = journal

    def append_trial(self, record: TrialRecord) -> None:
        """Record a finished trial; when this returns, no kill loses it.

        Raises:
            RunWriteError: it is not recorded, and everything before still is.
        """
        self._journal.append(record.model_dump_json())

    def replace_trials(self, records: Iterable[TrialRecord]) -> Path:
        """Put new grades in the place of the old in one step; where the old ones lie now."""
        current = self.directory.trials_file
        kept = _next_free(self.directory.path, "trials.{}.jsonl")
        write_whole(kept, current.read_bytes())
        write_whole(current, "".join(f"{record.model_dump_json()}\n" for record in records).encode())
        return kept

    def replace_graders(self, tasks: Mapping[str, TaskRecord]) -> Path:
        """Name the graders that the grades now come from; where the old ``run.json`` lies now."""
        current = self.directory.path / "run.json"
        kept = _next_free(self.directory.path, "run.{}.json")
        write_whole(kept, current.read_bytes())
        record = self.directory.record.model_copy(update={"tasks": {**self.directory.record.tasks, **tasks}})
        write_whole(current, record.model_dump_json(indent=2).encode())
        return kept

    @contextlib.contextmanager
    def stage(self, task: str, attempt: int) -> Iterator[TrialFolder]:
        """A hidden folder for a trial under way. It takes its place when the block ends without an exception.

        After one it stays hidden, and the next ``stage`` of the trial begins with what is in it, as it does
        with the folder of a trial that was killed before its record was written. An earlier try that has a
        record is kept beside the new one under a numbered name.
        """
        placed, hidden = self.directory.trial(task, attempt), self.directory._unfinished_trial(task, attempt)
        with writing(hidden.path):
            hidden.path.parent.mkdir(parents=True, exist_ok=True)
            recorded = (task, attempt) in self.directory.finished() if placed.path.exists() else True
            if not hidden.path.exists() and not recorded:
                placed.path.rename(hidden.path)
            hidden.path.mkdir(exist_ok=True)
            hidden.logs.mkdir(exist_ok=True)
        yield hidden
        with writing(placed.path):
            if placed.path.exists():
                placed.path.rename(_next_free(placed.path.parent, f"{attempt}.{{}}"))
            sync_tree(hidden.path)
            hidden.path.rename(placed.path)
            sync(placed.path.parent)


def find_runs(folder: Path) -> list[Path]:
    """The run directories at or below a folder, sorted. What lies inside of one is not searched.

    Nor are ablations below the folder: their runs are of personas that nobody uses.
    """
    if (folder / "run.json").is_file():
        return [folder]
    found = []
    for parent, folders, files in os.walk(folder):
        if "run.json" in files:
            found.append(Path(parent))
            folders.clear()
        if ABLATION in files and Path(parent) != folder:
            folders.clear()
        folders[:] = [name for name in folders if not name.startswith(".")]
    return sorted(found)


def _read_record(file: Path, content: bytes) -> RunRecord:
    damaged = "restore it from a copy: without it nobody knows what the trials of this run were"
    try:
        raw: Any = json.loads(content)
    except (ValueError, RecursionError):
        raise RunDirectoryError(f"{file} is damaged: it is not JSON", damaged) from None
    if not isinstance(raw, dict) or not isinstance(raw.get("format"), int):
        raise RunDirectoryError(f"{file} is damaged: it names no format", damaged)
    if raw["format"] != FORMAT:
        version = re.sub(r"[^\w.+-]", "", str(raw.get("harness_version", "")))[:40] or "unknown"
        raise RunDirectoryError(
            f"{file.parent} was written in format {raw['format']}; this version reads format {FORMAT}",
            f"read it with the version that wrote it: {version}",
        )
    try:
        return RunRecord.model_validate(raw)
    except pydantic.ValidationError as error:
        raise RunDirectoryError(f"{file} is damaged: {_plain(error)}", damaged) from None


def _known_runs(path: Path) -> str:
    for folder in (path, path.parent if path.parent != Path() else Path("runs")):
        # Not below it: the parent may be the root of a file system, and to search that takes minutes.
        if runs := sorted(record.parent for record in folder.glob("*/run.json")):
            return f"runs in {folder}: {', '.join(map(str, runs[-5:]))}"
    return "`bench run` says where it puts its run"


def _plain(error: pydantic.ValidationError) -> str:
    parts = [f"{'.'.join(map(str, item['loc'])) or 'record'}: {item['msg']}" for item in error.errors()]
    return "; ".join(parts[:3])


def _next_free(folder: Path, pattern: str) -> Path:
    number = 1
    while (path := folder / pattern.format(number)).exists():
        number += 1
    return path
