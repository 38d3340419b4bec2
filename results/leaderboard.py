"""Run directories as a leaderboard: one row a configuration, with intervals, coverage and what it cost.

Only like is ranked with like: a table holds the runs of the same tasks (same digests) of one suite, and
either real or simulated results, never both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import fmean
from typing import Any

import pandas as pd

from results.records import RunRecord, TrialRecord
from results.run_directory import RunDirectory
from results.statistics import Coverage, Estimate, Scores, invalid_as_zero, mean, pass_at_k, pass_hat_k, rate


@dataclass(frozen=True)
class Run:
    """What a leaderboard needs of a run directory."""

    record: RunRecord
    trials: list[TrialRecord]

    @classmethod
    def read(cls, directory: RunDirectory) -> Run:
        return cls(directory.record, directory.records())


@dataclass(frozen=True)
class Leaderboard:
    """One table, best first, runs under way last. Columns of ``frame``: see ``_row``; unknown is ``None``."""

    suite: str
    tasks: tuple[str, ...]
    simulated: bool
    frame: pd.DataFrame

    @property
    def title(self) -> str:
        tasks = "1 task" if len(self.tasks) == 1 else f"{len(self.tasks)} tasks"
        return f"{'SIMULATED · ' if self.simulated else ''}suite {self.suite} · {tasks}"

    @property
    def dimensions(self) -> list[str]:
        prefix = "dimension."
        return [name.removeprefix(prefix) for name in self.frame.columns if name.startswith(prefix)]

    def rows(self) -> list[dict[str, Any]]:
        """The rows as plain values; what is unknown or doesn't apply is ``None``."""
        return [{str(name): value for name, value in row.items()} for row in self.frame.to_dict("records")]


def leaderboards(runs: Iterable[Run]) -> list[Leaderboard]:
    """The tables that these runs make: real ones first, then by suite, the largest set of tasks first."""
    tables: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        tables.setdefault(_measured(run.record), []).append(run)
    boards = [_leaderboard(comparable) for comparable in tables.values()]
    return sorted(boards, key=lambda board: (board.simulated, board.suite, -len(board.tasks), board.tasks))


def _measured(record: RunRecord) -> tuple[Any, ...]:
    """What two runs must share to be ranked together."""
    tasks = ((task, record.tasks[task].digest, record.tasks[task].grader_digest) for task in record.planned)
    return record.simulated, record.suite.name, tuple(sorted(tasks))


def _configuration(record: RunRecord) -> tuple[Any, ...]:
    """What two runs must share to be one row."""
    return record.model, record.agent, record.persona.name, record.persona.digest, _parameters(record)


def _parameters(record: RunRecord) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(record.settings.items()))


def _leaderboard(runs: list[Run]) -> Leaderboard:
    rows: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        rows.setdefault(_configuration(run.record), []).append(run)
    dimensions = sorted({name for run in runs for trial in run.trials for name in trial.dimensions})
    made = [_row(same, dimensions) for same in rows.values()]
    made.sort(key=lambda row: (row["state"] != "complete", -1 if row["score"] is None else -row["score"]))
    record = runs[0].record
    # Objects, so that an unknown stays None: in a column of numbers pandas would make it a NaN.
    frame = pd.DataFrame(made, dtype=object)
    return Leaderboard(record.suite.name, tuple(sorted(record.planned)), record.simulated, frame)


def _row(runs: list[Run], dimensions: list[str]) -> dict[str, Any]:
    record = runs[0].record
    trials = [trial for run in runs for trial in run.trials]
    graded = [trial for trial in trials if trial.status == "graded"]
    invalid = _by_task((trial.task, 1.0) for trial in trials if trial.status == "invalid")
    scores = _by_task((trial.task, trial.score) for trial in graded)
    outcomes = _by_task((trial.task, float(bool(trial.resolved))) for trial in graded)
    coverage = Coverage(
        planned=sum(len(run.record.planned_trials) for run in runs),
        graded=len(graded),
        invalid=len(trials) - len(graded),
    )
    strict = mean(invalid_as_zero(scores, {task: len(ones) for task, ones in invalid.items()}))
    row: dict[str, Any] = {
        "model": record.model,
        "agent": record.agent,
        "persona": record.persona.name,
        "persona_digest": record.persona.digest,
        "parameters": _parameters(record),
        "simulated": record.simulated,
        "state": "partial" if coverage.missing > 0 else "complete",
        "runs": " ".join(sorted(run.record.run for run in runs)),
        "planned": coverage.planned,
        "graded": coverage.graded,
        "invalid": coverage.invalid,
        "coverage": coverage.fraction,
        **_columns("score", mean(scores)),
        "score_invalid_as_zero": strict.value if strict else None,
        **_columns("resolved", rate(outcomes)),
        **_passes(outcomes),
        "cost": _total_cost(trials),
        "input_tokens": sum(trial.usage.input for trial in trials),
        "output_tokens": sum(trial.usage.output for trial in trials),
        "cache_read_tokens": sum(trial.usage.cache_read for trial in trials),
        "cache_write_tokens": sum(trial.usage.cache_write for trial in trials),
        "working_seconds": fmean(trial.times.agent for trial in trials) if trials else None,
        "turns": fmean(trial.turns for trial in trials) if trials else None,
    }
    for name in dimensions:
        shown = _by_task((trial.task, trial.dimensions.get(name)) for trial in graded)
        estimate = mean(shown)
        row[f"dimension.{name}"] = estimate.value if estimate else None
        row[f"low.{name}"] = estimate.low if estimate else None
        row[f"high.{name}"] = estimate.high if estimate else None
    return row


def _columns(name: str, estimate: Estimate | None) -> dict[str, Any]:
    if estimate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _passes(outcomes: Scores) -> dict[str, Any]:
    """pass@k and pass^k at the largest k that every task has attempts for; of no use at k = 1."""
    k = min((len(attempts) for attempts in outcomes.values()), default=0)
    if k < 2:
        return {"k": None, "pass_at_k": None, "pass_hat_k": None}
    counts = [(len(attempts), round(sum(attempts))) for attempts in outcomes.values()]
    return {
        "k": k,
        "pass_at_k": fmean(pass_at_k(attempts, resolved, k) for attempts, resolved in counts),
        "pass_hat_k": fmean(pass_hat_k(attempts, resolved, k) for attempts, resolved in counts),
    }


def _total_cost(trials: list[TrialRecord]) -> Decimal | None:
    """One unknown cost makes the total unknown."""
    total = Decimal(0)
    for trial in trials:
        if trial.cost is None:
            return None
        total += trial.cost
    return total


def _by_task(values: Iterable[tuple[str, float | None]]) -> Mapping[str, list[float]]:
    found: dict[str, list[float]] = {}
    for task, value in values:
        if value is not None:
            found.setdefault(task, []).append(value)
    return found
