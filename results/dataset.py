"""Runs as a data set of Parquet files, which ``datasets.load_dataset`` opens and leaderboards read quickly.

README.md            the card, which names the four tables to ``load_dataset``
runs/0.parquet       a row a run, with the whole run.json
trials/<n>.parquet   a row a trial (``results.tables.TRIALS``, and a column for each dimension)
checks/<n>.parquet   a row a check of a trial, with its evidence
tasks/0.parquet      a row a task and version; with its files if the suite was exported along
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pydantic

from results.durable import whole_folder, write_whole
from results.errors import RunDirectoryError
from results.records import RunRecord
from results.run_directory import RunDirectory
from results.tables import DIMENSION, Run, checks_table, dimensions_of, runs_table, trials_schema, trials_table
from results.tallies import READ, Facets, Tallies, tally

TABLES = ("trials", "checks", "tasks", "runs")
BATCH = 1 << 18
TASKS = pa.schema(
    [
        ("suite", pa.string()),
        ("task", pa.string()),
        ("task_digest", pa.string()),
        ("grader_digest", pa.string()),
        ("title", pa.string()),
        ("instruction", pa.string()),
        ("technologies", pa.list_(pa.string())),
        ("responsibilities", pa.list_(pa.string())),
        ("difficulty", pa.string()),
        ("files", pa.list_(pa.struct([("path", pa.string()), ("content", pa.binary())]))),
    ]
)
CARD = """\
---
pretty_name: {title}
configs:
{configs}
---

# {title}

Trials of LLM agents at data-engineering assignments, graded by executing what they delivered. Written by `bench export
dataset`; `bench leaderboard DIRECTORY` ranks what is in it.

```python
from datasets import load_dataset

trials = load_dataset("PATH", "trials", split="train")
```

| table | a row is |
|---|---|
| trials | one attempt at one task, with score, tokens, cost, times. An invalid one (the world failed) has no score |
| checks | one graded behaviour of a trial, with its evidence |
| tasks | one task; `files` holds its folder where the suite was exported along |
| runs | what the trials of a run depend on; `record` is its whole `run.json` |

Evidence and problems hold text that models wrote. An unknown cost is null, not zero.
"""


@dataclass(frozen=True)
class TaskRow:
    """A task of a data set. ``files``: its folder by path; none if it isn't known."""

    suite: str
    task: str
    task_digest: str
    grader_digest: str
    facets: Facets = field(default_factory=Facets)
    title: str | None = None
    instruction: str | None = None
    files: dict[str, bytes] | None = None

    def values(self) -> dict[str, Any]:
        files = None if self.files is None else [{"path": path, "content": self.files[path]} for path in self.files]
        return {**vars(self), **vars(self.facets), "files": files}


def is_dataset(path: Path) -> bool:
    return all((path / name).is_dir() for name in ("trials", "runs")) and not (path / "run.json").exists()


def write_dataset(folder: Path, runs: Sequence[RunDirectory], tasks: Sequence[TaskRow] = ()) -> None:
    """Write the runs, one after another, so that no more than one is held. ``tasks``: those that are known better.

    Raises:
        RunDirectoryError: there is something at the folder, two runs have one name, or a run is damaged.
        RunWriteError: it can't be written; then nothing is there.
    """
    if folder.exists():
        raise RunDirectoryError(f"{folder} exists already", "name a folder that doesn't")
    names = [run.record.run for run in runs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise RunDirectoryError(f"two of the runs are called {sorted(twice)[0]}", "leave out the copy")
    dimensions = sorted({name for run in runs for name in dimensions_of([Run.read(run)])})
    known = {(row.suite, row.task, row.task_digest): row for row in tasks}
    with whole_folder(folder) as draft:
        for name in TABLES:
            (draft / name).mkdir()
        for number, directory in enumerate(runs):
            run = Run.read(directory)
            pq.write_table(trials_table([run], dimensions), draft / "trials" / f"{number}.parquet")
            pq.write_table(checks_table([run]), draft / "checks" / f"{number}.parquet")
            for row in _tasks_of(run):
                known.setdefault((row.suite, row.task, row.task_digest), row)
        write_task_rows(draft / "tasks" / "0.parquet", known.values())
        pq.write_table(runs_table(run.record for run in runs), draft / "runs" / "0.parquet")
        if not runs:
            pq.write_table(trials_table([], dimensions), draft / "trials" / "0.parquet")
            pq.write_table(checks_table([]), draft / "checks" / "0.parquet")
        title = f"Runs of bench: {', '.join(sorted({row.suite for row in known.values()}))}"
        write_whole(draft / "README.md", card(title, TABLES).encode())


def card(title: str, tables: Iterable[str]) -> str:
    # As JSON, which YAML is a superset of: a suite's name can't break out of it.
    configs = "\n".join(f"- config_name: {name}\n  data_files: {name}/*.parquet" for name in tables)
    return CARD.replace("pretty_name: {title}", f"pretty_name: {json.dumps(title)}").format(
        title=title, configs=configs
    )


def write_task_rows(path: Path, tasks: Iterable[TaskRow]) -> None:
    rows = [{name: row.values()[name] for name in TASKS.names} for row in tasks]
    pq.write_table(pa.Table.from_pylist(rows, schema=TASKS), path)


def read_task_rows(dataset: Path) -> Iterator[TaskRow]:
    """
    Raises:
        RunDirectoryError: there are none, or they are damaged.
    """
    for row in _rows(dataset, "tasks", TASKS.names):
        files = None if row["files"] is None else {file["path"]: file["content"] for file in row["files"]}
        facets = Facets(
            tuple(row.pop("technologies") or ()), tuple(row.pop("responsibilities") or ()), row.pop("difficulty") or ""
        )
        yield TaskRow(**{**row, "files": files}, facets=facets)


def tally_dataset(dataset: Path) -> Tallies:
    """What leaderboards need of a data set, read batch by batch.

    Raises:
        RunDirectoryError: a file is damaged, or its trials are none of its runs'.
    """
    records = [_record(dataset, row["record"]) for row in _rows(dataset, "runs", ["record"])]
    files = _files(dataset, "trials")
    try:
        schema = pq.read_schema(files[0])
        dimensions = sorted(name.removeprefix(DIMENSION) for name in schema.names if name.startswith(DIMENSION))
        columns = trials_schema(dimensions).names
        wanted = [name for name in columns if name in READ or name.startswith(DIMENSION)]
        cells = tally(_batches(files, wanted), dimensions)
        facets = {
            (row["task"], row["task_digest"]): Facets(
                tuple(row["technologies"] or ()), tuple(row["responsibilities"] or ()), row["difficulty"] or ""
            )
            for row in _rows(
                dataset, "tasks", ["task", "task_digest", "technologies", "responsibilities", "difficulty"]
            )
        }
    except (pa.ArrowException, OSError, KeyError) as error:
        raise _damaged(dataset, error) from None
    numbers = {record.run: number for number, record in enumerate(records)}
    cells["run"] = cells["run"].map(numbers)
    attempts = cells["run"].map({number: record.attempts for number, record in enumerate(records)})
    if cells["run"].isna().any() or (cells["trials"] > attempts).any():
        raise RunDirectoryError(f"{dataset} holds trials that none of its runs planned", "export the runs again")
    return Tallies(records, facets, dimensions, cells)


def _batches(files: Iterable[Path], columns: list[str]) -> Iterator[pa.RecordBatch]:
    for path in files:
        with pq.ParquetFile(path, read_dictionary=["run", "task"]) as file:
            yield from file.iter_batches(BATCH, columns=columns)


def _rows(dataset: Path, table: str, columns: list[str]) -> list[dict[str, Any]]:
    try:
        parts = [pq.read_table(path, columns=columns, partitioning=None) for path in _files(dataset, table)]
    except (pa.ArrowException, OSError) as error:
        raise _damaged(dataset, error) from None
    return [row for part in parts for row in part.to_pylist()]


def _files(dataset: Path, table: str) -> list[Path]:
    files = sorted((dataset / table).glob("*.parquet"))
    if not files:
        raise RunDirectoryError(f"{dataset} has no {table}: no file {table}/*.parquet", "export the runs again")
    return files


def _record(dataset: Path, text: str) -> RunRecord:
    try:
        return RunRecord.model_validate_json(text)
    except pydantic.ValidationError as error:
        raise _damaged(dataset, error) from None


def _damaged(dataset: Path, error: Exception) -> RunDirectoryError:
    return RunDirectoryError(f"{dataset} is damaged: {str(error).splitlines()[0]}", "export the runs again")


def _tasks_of(run: Run) -> Iterator[TaskRow]:
    of = {trial.task: Facets(trial.technologies, trial.responsibilities, trial.difficulty) for trial in run.trials}
    for task in run.record.planned:
        digests = run.record.tasks[task]
        yield TaskRow(run.record.suite.name, task, digests.digest, digests.grader_digest, of.get(task, Facets()))
