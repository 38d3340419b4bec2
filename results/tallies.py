"""What leaderboards need of many trials: counts and sums by run and task, however many the trials are.

A task's trials of one run are a *cell*. Means, their clustered errors, rates and pass^k follow from a cell's count
and sum alone, so that a million trials are read once, batch by batch, and never held.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from results.records import RunRecord
from results.tables import DIMENSION, Run, dimensions_of, trials_table

SUMS = (
    "score",
    "resolved",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "working_seconds",
    "turns",
)
READ = ("run", "task", "cost", *SUMS)


@dataclass(frozen=True)
class Facets:
    """What a task is about."""

    technologies: tuple[str, ...] = ()
    responsibilities: tuple[str, ...] = ()
    difficulty: str = ""


@dataclass(frozen=True)
class Tallies:
    """``cells``: a row for each run (its number in ``records``) and task, with these columns:

    ``run``, ``task``, ``trials``, ``graded``, the sums of ``SUMS`` over the trials (scores: over the graded ones),
    ``cost`` and ``costs`` (how many are known), and of each dimension ``d:n``, ``d:sum``, ``d:full`` (all of it).
    ``facets``: by task and its digest.
    """

    records: Sequence[RunRecord]
    facets: Mapping[tuple[str, str], Facets]
    dimensions: Sequence[str]
    cells: pd.DataFrame


def tally_runs(runs: Iterable[Run]) -> Tallies:
    known = list(runs)
    dimensions = dimensions_of(known)
    facets = {
        (trial.task, run.record.tasks[trial.task].digest): Facets(
            trial.technologies, trial.responsibilities, trial.difficulty
        )
        for run in known
        for trial in run.trials
        if trial.task in run.record.tasks
    }
    table = trials_table(known, dimensions, [str(number) for number in range(len(known))])
    cells = tally(table.to_batches(), dimensions)
    cells["run"] = cells["run"].astype(int)
    return Tallies([run.record for run in known], facets, dimensions, cells)


def tally(batches: Iterable[pa.RecordBatch], dimensions: Sequence[str]) -> pd.DataFrame:
    """The cells of batches of trials (columns: ``READ`` and each ``dimension.<name>``)."""
    parts = [part for batch in batches for part in _cells(batch, dimensions)]
    if not parts:
        parts = [_empty(dimensions)]
    total = pa.concat_tables(parts).group_by(["run", "task"])
    names = [name for name in parts[0].column_names if name not in {"run", "task"}]
    summed = total.aggregate([(name, "sum") for name in names]).rename_columns(["run", "task", *names])
    frame: pd.DataFrame = summed.to_pandas()
    return frame


def _cells(batch: pa.RecordBatch, dimensions: Sequence[str]) -> Iterator[pa.Table]:
    if batch.num_rows == 0:
        return
    columns = {name: batch.column(name) for name in ("run", "task", "cost", *SUMS)}
    columns["resolved"] = pc.cast(columns["resolved"], pa.int64())
    aggregations: list[tuple[str, str]] = [("score", "count"), ("cost", "count"), ("cost", "sum")]
    aggregations += [(name, "sum") for name in SUMS]
    names = ["graded", "costs", "cost", *SUMS]
    for number, dimension in enumerate(dimensions):
        value = batch.column(f"{DIMENSION}{dimension}")
        columns[f"d{number}"] = value
        columns[f"f{number}"] = pc.cast(pc.greater_equal(value, 1.0 - 1e-12), pa.int64())
        aggregations += [(f"d{number}", "count"), (f"d{number}", "sum"), (f"f{number}", "sum")]
        names += [f"{dimension}:{part}" for part in ("n", "sum", "full")]
    columns["trials"] = pa.array(np.ones(batch.num_rows, dtype=np.int64))
    aggregations.append(("trials", "sum"))
    names.append("trials")
    grouped = pa.table(columns).group_by(["run", "task"], use_threads=False).aggregate(aggregations)
    by_name = dict(zip(names, (grouped.column(f"{one}_{how}") for one, how in aggregations), strict=True))
    # A count of money keeps its exactness, whatever is added to it.
    by_name["cost"] = pc.cast(by_name["cost"], pa.decimal128(38, 12))
    keys = {name: pc.cast(grouped.column(name), pa.string()) for name in ("run", "task")}
    yield pa.table({**keys, **_without_nulls(by_name)})


def _without_nulls(columns: Mapping[str, pa.ChunkedArray]) -> dict[str, pa.ChunkedArray]:
    """A sum over nothing is nothing."""
    return {name: pc.fill_null(column, pa.scalar(0).cast(column.type)) for name, column in columns.items()}


def _empty(dimensions: Sequence[str]) -> pa.Table:
    names = [
        "graded",
        "costs",
        "cost",
        *SUMS,
        *(f"{one}:{part}" for one in dimensions for part in ("n", "sum", "full")),
    ]
    columns = {"run": pa.array([], pa.string()), "task": pa.array([], pa.string())}
    return pa.table({**columns, **{name: pa.array([], pa.float64()) for name in [*names, "trials"]}})
