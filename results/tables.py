"""Runs as columns: the tables of trials, checks and runs that leaderboards are counted from and exports hold.

One row a trial (newest record), check or run. What is unknown or doesn't apply is null. Money is exact (decimal).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

from results.records import RunRecord, TrialRecord
from results.run_directory import RunDirectory

DIMENSION = "dimension."
MONEY = pa.decimal128(38, 12)
_SMALLEST = Decimal(1).scaleb(-12)

TRIALS = pa.schema(
    [
        ("run", pa.string()),
        ("suite", pa.string()),
        ("simulated", pa.bool_()),
        ("model", pa.string()),
        ("agent", pa.string()),
        ("persona", pa.string()),
        ("persona_digest", pa.string()),
        ("parameters", pa.string()),
        ("task", pa.string()),
        ("task_digest", pa.string()),
        ("grader_digest", pa.string()),
        ("attempt", pa.int64()),
        ("seed", pa.int64()),
        ("status", pa.string()),
        ("cause", pa.string()),
        ("problem", pa.string()),
        ("score", pa.float64()),
        ("resolved", pa.bool_()),
        ("technologies", pa.list_(pa.string())),
        ("responsibilities", pa.list_(pa.string())),
        ("difficulty", pa.string()),
        ("cost", MONEY),
        ("input_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("cache_read_tokens", pa.int64()),
        ("cache_write_tokens", pa.int64()),
        ("turns", pa.int64()),
        ("working_seconds", pa.float64()),
        ("provider_seconds", pa.float64()),
        ("waited_seconds", pa.float64()),
        ("grading_seconds", pa.float64()),
        ("submission", pa.string()),
        ("stop_reason", pa.string()),
        ("perturbations", pa.list_(pa.string())),
        ("tampering", pa.list_(pa.string())),
    ]
)
CHECKS = pa.schema(
    [
        ("run", pa.string()),
        ("task", pa.string()),
        ("attempt", pa.int64()),
        ("check", pa.string()),
        ("dimension", pa.string()),
        ("clauses", pa.list_(pa.string())),
        ("weight", pa.float64()),
        ("required", pa.bool_()),
        ("passed", pa.bool_()),
        ("evidence", pa.string()),
    ]
)
# ``record``: the whole run.json.
RUNS = pa.schema(
    [
        ("run", pa.string()),
        ("created", pa.timestamp("us", tz="UTC")),
        ("suite", pa.string()),
        ("simulated", pa.bool_()),
        ("model", pa.string()),
        ("agent", pa.string()),
        ("persona", pa.string()),
        ("persona_digest", pa.string()),
        ("parameters", pa.string()),
        ("attempts", pa.int64()),
        ("tasks", pa.int64()),
        ("record", pa.string()),
    ]
)


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


def trials_table(runs: Sequence[Run], dimensions: Sequence[str], names: Sequence[str] | None = None) -> pa.Table:
    """All trials; a column ``dimension.<name>`` for each of the dimensions. ``names``: instead of the runs' own."""
    schema = trials_schema(dimensions)
    called = names or [run.record.run for run in runs]
    rows = [_trial(name, run.record, trial) for name, run in zip(called, runs, strict=True) for trial in run.trials]
    return pa.Table.from_pylist(rows, schema=schema)


def trials_schema(dimensions: Sequence[str]) -> pa.Schema:
    return pa.schema([*TRIALS, *((f"{DIMENSION}{name}", pa.float64()) for name in dimensions)])


def checks_table(runs: Sequence[Run]) -> pa.Table:
    rows = [
        {
            "run": run.record.run,
            "task": trial.task,
            "attempt": trial.attempt,
            "check": check.id,
            **check.model_dump(exclude={"id"}),
        }
        for run in runs
        for trial in run.trials
        for check in trial.checks
    ]
    return pa.Table.from_pylist(rows, schema=CHECKS)


def runs_table(records: Iterable[RunRecord]) -> pa.Table:
    rows = [
        {
            **_configuration(record),
            "run": record.run,
            "created": record.created,
            "attempts": record.attempts,
            "tasks": len(record.planned),
            "record": record.model_dump_json(),
        }
        for record in records
    ]
    return pa.Table.from_pylist(rows, schema=RUNS)


def _configuration(record: RunRecord) -> dict[str, Any]:
    return {
        "suite": record.suite.name,
        "simulated": record.simulated,
        "model": record.model,
        "agent": record.agent,
        "persona": record.persona.name,
        "persona_digest": record.persona.digest,
        "parameters": parameters_of(record),
    }


def _trial(name: str, record: RunRecord, trial: TrialRecord) -> dict[str, Any]:
    digests = record.tasks.get(trial.task)
    return {
        **_configuration(record),
        "run": name,
        "task_digest": digests.digest if digests else None,
        "grader_digest": digests.grader_digest if digests else None,
        **trial.model_dump(exclude={"checks", "dimensions", "usage", "times", "cost"}),
        "cost": None if trial.cost is None else trial.cost.quantize(_SMALLEST),
        "input_tokens": trial.usage.input,
        "output_tokens": trial.usage.output,
        "cache_read_tokens": trial.usage.cache_read,
        "cache_write_tokens": trial.usage.cache_write,
        "working_seconds": trial.times.agent,
        "provider_seconds": trial.times.provider,
        "waited_seconds": trial.times.waited,
        "grading_seconds": trial.times.grading,
        **{f"{DIMENSION}{dimension}": value for dimension, value in trial.dimensions.items()},
    }
