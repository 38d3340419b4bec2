"""Pairs of runs on disk to compare: trials drawn by skill, or exactly as a test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from results.records import CheckRecord, Times, TrialRecord, Usage
from results.run_directory import RunDirectory
from tests.results.builders import run_record, trial_record

CHECKS = {
    "loads_every_row": ("correctness", "constraints/no-data-loss"),
    "rerun_changes_nothing": ("idempotency", "constraints/idempotent-pipelines"),
    "late_rows_arrive": ("late_data", "constraints/late-data"),
    "is_documented": ("deliverable", "communication/document"),
}


def task_names(count: int) -> tuple[str, ...]:
    return tuple(f"sql/task-{number:03}" for number in range(count))


def graded(task: str, attempt: int, passed: Sequence[bool], **changes: Any) -> TrialRecord:
    """A trial whose checks passed or failed as said, in the order of ``CHECKS``; scored as graders score."""
    checks = tuple(
        CheckRecord(
            id=name,
            dimension=dimension,
            clauses=(clause,),
            required=dimension != "deliverable",
            passed=one,
            evidence="" if one else f"{name}: 3 rows differ",
        )
        for (name, (dimension, clause)), one in zip(CHECKS.items(), passed, strict=True)
    )
    fields: dict[str, Any] = {
        "resolved": all(check.passed for check in checks if check.required),
        "dimensions": {check.dimension: float(check.passed) for check in checks},
        "checks": checks,
        "cost": Decimal("0.10"),
        "times": Times(agent=60.0),
        "usage": Usage(input=1000, output=200),
        "turns": 5,
        "submission": "".join(str(int(one)) for one in passed),
    }
    return trial_record(task, attempt, sum(passed) / len(passed), **{**fields, **changes})


def drawn_trials(
    skills: Mapping[str, float] | Mapping[str, Sequence[float]], attempts: int, random: np.random.Generator
) -> list[TrialRecord]:
    """Each check passes with its task's skill (one number, or one for each check), as a simulated model's would."""
    return [
        graded(task, attempt, [bool(one) for one in random.random(len(CHECKS)) < np.asarray(skill)])
        for task, skill in skills.items()
        for attempt in range(1, attempts + 1)
    ]


def on_disk(path: Path, trials: Sequence[TrialRecord], **changes: Any) -> RunDirectory:
    """A run directory of these trials; what was handed in is as its record says."""
    tasks = tuple(dict.fromkeys(trial.task for trial in trials))
    fields: dict[str, Any] = {"run": path.name}
    if trials:
        fields |= {"planned": tasks, "attempts": max(trial.attempt for trial in trials)}
    run = RunDirectory.create(path, run_record(**{**fields, **changes}))
    run.trials_file.write_text("".join(f"{trial.model_dump_json()}\n" for trial in trials))
    return run


def with_submission(run: RunDirectory, task: str, attempt: int, files: Mapping[str, str | bytes]) -> None:
    folder = run.trial(task, attempt).submission
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
