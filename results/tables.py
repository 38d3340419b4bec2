"""Runs as columns: the tables of trials, checks and runs that leaderboards are counted from and exports hold.

One row a trial (newest record), check or run. What is unknown or doesn't apply is null. Money is exact (decimal).
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa

from results.records import CheckRecord, RunRecord, TaskRecord, TrialRecord
from results.run_directory import RunDirectory

DIMENSION = "dimension."
MONEY = pa.decimal128(38, 12)
_SMALLEST = Decimal(1).scaleb(-12)
_TEXT, _TEXTS, _TRUTH, _COUNT, _NUMBER = pa.string(), pa.list_(pa.string()), pa.bool_(), pa.int64(), pa.float64()

# By name, a column's type and where its value stands in what makes a row.
Columns = Mapping[str, tuple[pa.DataType, str]]
_CONFIGURATION: Columns = {
    "suite": (_TEXT, "record.suite.name"),
    "simulated": (_TRUTH, "record.simulated"),
    "model": (_TEXT, "record.model"),
    "agent": (_TEXT, "record.agent"),
    "persona": (_TEXT, "record.persona.name"),
    "persona_digest": (_TEXT, "record.persona.digest"),
    "parameters": (_TEXT, "parameters"),
}
_TRIAL: Columns = {
    "run": (_TEXT, "name"),
    **_CONFIGURATION,
    "task": (_TEXT, "trial.task"),
    "task_digest": (_TEXT, "digests.digest"),
    "grader_digest": (_TEXT, "digests.grader_digest"),
    "attempt": (_COUNT, "trial.attempt"),
    "seed": (_COUNT, "trial.seed"),
    "status": (_TEXT, "trial.status"),
    "cause": (_TEXT, "trial.cause"),
    "problem": (_TEXT, "trial.problem"),
    "score": (_NUMBER, "trial.score"),
    "resolved": (_TRUTH, "trial.resolved"),
    "technologies": (_TEXTS, "trial.technologies"),
    "responsibilities": (_TEXTS, "trial.responsibilities"),
    "difficulty": (_TEXT, "trial.difficulty"),
    "cost": (MONEY, "cost"),
    "input_tokens": (_COUNT, "trial.usage.input"),
    "output_tokens": (_COUNT, "trial.usage.output"),
    "cache_read_tokens": (_COUNT, "trial.usage.cache_read"),
    "cache_write_tokens": (_COUNT, "trial.usage.cache_write"),
    "turns": (_COUNT, "trial.turns"),
    "working_seconds": (_NUMBER, "trial.times.agent"),
    "provider_seconds": (_NUMBER, "trial.times.provider"),
    "waited_seconds": (_NUMBER, "trial.times.waited"),
    "grading_seconds": (_NUMBER, "trial.times.grading"),
    "submission": (_TEXT, "trial.submission"),
    "stop_reason": (_TEXT, "trial.stop_reason"),
    "perturbations": (_TEXTS, "trial.perturbations"),
    "tampering": (_TEXTS, "trial.tampering"),
}
_CHECK: Columns = {
    "run": (_TEXT, "name"),
    "task": (_TEXT, "trial.task"),
    "attempt": (_COUNT, "trial.attempt"),
    "check": (_TEXT, "check.id"),
    "dimension": (_TEXT, "check.dimension"),
    "clauses": (_TEXTS, "check.clauses"),
    "weight": (_NUMBER, "check.weight"),
    "required": (_TRUTH, "check.required"),
    "passed": (_TRUTH, "check.passed"),
    "evidence": (_TEXT, "check.evidence"),
}
_RUN: Columns = {
    "run": (_TEXT, "name"),
    "created": (pa.timestamp("us", tz="UTC"), "record.created"),
    **_CONFIGURATION,
    "attempts": (_COUNT, "record.attempts"),
    "tasks": (_COUNT, "tasks"),
    "record": (_TEXT, "whole"),  # run.json
}


def _schema(columns: Columns) -> pa.Schema:
    return pa.schema([(name, kind) for name, (kind, _) in columns.items()])


TRIALS, CHECKS, RUNS = _schema(_TRIAL), _schema(_CHECK), _schema(_RUN)


@dataclass(frozen=True)
class Run:
    """A run's record and its trials."""

    record: RunRecord
    trials: Sequence[TrialRecord]

    @classmethod
    def read(cls, directory: RunDirectory) -> Run:
        return cls(directory.record, directory.records())


def parameters_of(record: RunRecord) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(record.settings.items()))


def dimensions_of(runs: Iterable[Run]) -> list[str]:
    return sorted({name for run in runs for trial in run.trials for name in trial.dimensions})


def trials_schema(dimensions: Sequence[str]) -> pa.Schema:
    return pa.schema([*TRIALS, *((f"{DIMENSION}{name}", _NUMBER) for name in dimensions)])


def trials_table(runs: Sequence[Run], dimensions: Sequence[str], names: Sequence[str] | None = None) -> pa.Table:
    """All trials; a column ``dimension.<name>`` for each of the dimensions. ``names``: instead of the runs' own."""
    called = names or [run.record.run for run in runs]
    rows = [_TrialRow(name, run.record, trial) for name, run in zip(called, runs, strict=True) for trial in run.trials]
    scores = [[row.trial.dimensions.get(name) for row in rows] for name in dimensions]
    arrays = [*_arrays(_TRIAL, rows), *(pa.array(column, _NUMBER) for column in scores)]
    return pa.Table.from_arrays(arrays, schema=trials_schema(dimensions))


def checks_table(runs: Sequence[Run]) -> pa.Table:
    rows = [
        _CheckRow(run.record.run, run.record, trial, check)
        for run in runs
        for trial in run.trials
        for check in trial.checks
    ]
    return pa.Table.from_arrays(_arrays(_CHECK, rows), schema=CHECKS)


def runs_table(records: Iterable[RunRecord]) -> pa.Table:
    return pa.Table.from_arrays(_arrays(_RUN, [_Row(record.run, record) for record in records]), schema=RUNS)


def _arrays(columns: Columns, rows: Sequence[_Row]) -> list[pa.Array]:
    return [pa.array(map(operator.attrgetter(place), rows), kind) for kind, place in columns.values()]


@dataclass(frozen=True)
class _Row:
    """A row of runs; with more to it, one of trials or checks."""

    name: str
    record: RunRecord

    @property
    def parameters(self) -> str:
        return parameters_of(self.record)

    @property
    def tasks(self) -> int:
        return len(self.record.planned)

    @property
    def whole(self) -> str:
        return self.record.model_dump_json()


@dataclass(frozen=True)
class _TrialRow(_Row):
    trial: TrialRecord

    @property
    def digests(self) -> TaskRecord | _Unknown:
        return self.record.tasks.get(self.trial.task) or _Unknown()

    @property
    def cost(self) -> Decimal | None:
        return None if self.trial.cost is None else self.trial.cost.quantize(_SMALLEST)


@dataclass(frozen=True)
class _CheckRow(_TrialRow):
    check: CheckRecord


@dataclass(frozen=True)
class _Unknown:
    """The digests of a task that a run's record doesn't know."""

    digest: None = None
    grader_digest: None = None
