"""Suites as rows of a data set, and back: every file of every task, so that nothing else is needed to run it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.errors import UsageError
from harness.submission import IGNORED_FOLDERS, SubmissionError, safe_path
from harness.task import Task, load_suite
from results.dataset import TaskRow, read_task_rows
from results.durable import whole_folder
from results.tallies import Facets

NAME = re.compile(r"[a-z0-9-]+/[a-z0-9-]+")


def rows_of(tasks: Iterable[Task]) -> Iterator[TaskRow]:
    """A row for each task, with its files: also what an agent must never see."""
    for task in tasks:
        manifest = task.manifest
        facets = Facets(manifest.technologies, manifest.responsibilities, manifest.difficulty)
        yield TaskRow(
            task.suite,
            task.id,
            task.digest,
            task.grader_digest,
            facets,
            manifest.title,
            task.instruction,
            _files(task.folder),
        )


def write_suite(dataset: Path, folder: Path, suite: str | None = None) -> list[Task]:
    """Write a suite of a data set as a folder that `--suite FOLDER` takes.

    Its checks and worlds are programs of whoever made the data set: graded with, they run with the user's rights.

    Raises:
        UsageError: there is no such suite with files, a path in it leads outside, or the folder exists.
    """
    rows = [row for row in read_task_rows(dataset) if row.files is not None and suite in {None, row.suite}]
    names = sorted({row.suite for row in rows})
    if not rows:
        raise UsageError(f"{dataset} holds no files of {f'a suite {suite!r}' if suite else 'any suite'}")
    if len(names) > 1:
        raise UsageError(f"{dataset} holds several suites", f"name one: --suite {names[0]}")
    if folder.exists():
        raise UsageError(f"{folder} exists already", "name a folder that doesn't")
    with whole_folder(folder) as draft:
        for row in rows:
            if not NAME.fullmatch(row.task):
                raise UsageError(f"{dataset} is damaged: {row.task!r} is no name of a task")
            for path, content in (row.files or {}).items():
                try:
                    target = draft / row.task / safe_path(path)
                except SubmissionError as error:
                    raise UsageError(f"{dataset} is damaged: {row.task}: {error}") from None
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
    return load_suite(str(folder.resolve()))


def _files(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    relative = {path.relative_to(folder): path for path in paths}
    return {
        name.as_posix(): path.read_bytes() for name, path in relative.items() if not set(name.parts) & IGNORED_FOLDERS
    }
