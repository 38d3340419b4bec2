"""Records to test with: whole ones, of which a test names only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from results.records import PersonaRecord, RunRecord, SuiteRecord, TaskRecord, TrialRecord

TASKS = ("airflow/daily-orders-load", "dbt/snapshot-scd2", "sql/scd2-users")


def run_record(**changes: Any) -> RunRecord:
    planned = changes.pop("planned", TASKS)
    fields: dict[str, Any] = {
        "run": "r1",
        "created": datetime(2025, 1, 2, 3, 4, tzinfo=UTC),
        "harness_version": "0.1.0",
        "suite": SuiteRecord(name="core", digest="5417e"),
        "tasks": {task: TaskRecord(digest=f"d-{task}", grader_digest="g") for task in planned},
        "persona": PersonaRecord(name="data-engineer", digest="abcdef0123", text="You are a data engineer."),
        "agent": "tools",
        "model": "anthropic/some-model",
        "simulated": False,
        "sandbox": "docker",
        "attempts": 2,
        "seeds": (1009, 2003, 3001),
        "planned": planned,
    }
    return RunRecord(**{**fields, **changes})


def trial_record(task: str = TASKS[0], attempt: int = 1, score: float | None = 1.0, **changes: Any) -> TrialRecord:
    fields: dict[str, Any] = {"task": task, "attempt": attempt, "seed": 1009}
    if score is None:
        fields |= {"status": "invalid", "cause": "engine"}
    else:
        fields |= {"status": "graded", "score": score, "resolved": score == 1}
    return TrialRecord(**{**fields, **changes})
