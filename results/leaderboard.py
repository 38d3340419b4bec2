"""Runs as a leaderboard: one row a configuration, with rank, intervals, coverage and what it cost.

Only like is ranked with like: a table holds the runs of the same tasks (same digests) of one suite, and
either real or simulated results, never both. A table in all, or one for each dimension, technology, … (``by``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from results.records import RunRecord
from results.standing import Entrant, add_standing
from results.statistics import Coverage, Estimate, FloatArray, mean_of_sums, pass_at_k, pass_hat_k, rate_of_sums
from results.tables import Run, parameters_of
from results.tallies import SUMS, Facets, Tallies, tally_runs

__all__ = ["Leaderboard", "Run", "leaderboards", "leaderboards_of"]

By = Literal["dimension", "technology", "responsibility", "difficulty"]
WAYS: tuple[By, ...] = get_args(By)


@dataclass(frozen=True)
class Leaderboard:
    """One table, best first, runs under way last. Columns of ``frame``: see ``_row``; unknown is ``None``.

    With ``by`` it is about the part called ``part``: the tasks of a technology, say; or a dimension, whose score is
    then the ``score``, and a trial counts as ``resolved`` if it passed all of its checks.
    """

    suite: str
    tasks: tuple[str, ...]
    simulated: bool
    frame: pd.DataFrame
    by: By | None = None
    part: str | None = None

    @property
    def title(self) -> str:
        tasks = "1 task" if len(self.tasks) == 1 else f"{len(self.tasks)} tasks"
        part = f" · {self.by} {self.part}" if self.by else ""
        return f"{'SIMULATED · ' if self.simulated else ''}suite {self.suite} · {tasks}{part}"

    @property
    def dimensions(self) -> list[str]:
        prefix = "dimension."
        return [name.removeprefix(prefix) for name in self.frame.columns if name.startswith(prefix)]

    def rows(self) -> list[dict[str, Any]]:
        """The rows as plain values; what is unknown or doesn't apply is ``None``."""
        return [{str(name): value for name, value in row.items()} for row in self.frame.to_dict("records")]


def leaderboards(runs: Iterable[Run], by: By | None = None) -> list[Leaderboard]:
    """The tables that these runs make: real ones first, then by suite, the largest set of tasks first."""
    return leaderboards_of(tally_runs(runs), by)


def leaderboards_of(tallies: Tallies, by: By | None = None) -> list[Leaderboard]:
    tables: dict[tuple[Any, ...], list[int]] = {}
    for number, record in enumerate(tallies.records):
        tables.setdefault(_measured(record), []).append(number)
    boards = [board for numbers in tables.values() for board in _tables(tallies, numbers, by)]
    return sorted(
        boards,
        key=lambda board: (board.simulated, board.suite, -len(board.tasks) if by is None else 0, board.part or ""),
    )


def _measured(record: RunRecord) -> tuple[Any, ...]:
    """What two runs must share to be ranked together."""
    tasks = ((task, record.tasks[task].digest, record.tasks[task].grader_digest) for task in record.planned)
    return record.simulated, record.suite.name, tuple(sorted(tasks))


def _configuration(record: RunRecord) -> tuple[Any, ...]:
    """What two runs must share to be one row."""
    return record.model, record.agent, record.persona.name, record.persona.digest, parameters_of(record)


@dataclass(frozen=True)
class _Part:
    """A part of what was measured, by its name: some tasks, or of all tasks one dimension."""

    name: str | None
    tasks: frozenset[str]
    dimension: str | None = None


def _tables(tallies: Tallies, numbers: list[int], by: By | None) -> list[Leaderboard]:
    record = tallies.records[numbers[0]]
    cells = tallies.cells[tallies.cells["run"].isin(numbers)]
    rows: dict[tuple[Any, ...], list[int]] = {}
    for number in numbers:
        rows.setdefault(_configuration(tallies.records[number]), []).append(number)
    row_of = {number: place for place, same in enumerate(rows.values()) for number in same}
    # Runs of one configuration are one: their attempts at a task are attempts of the same cell.
    merged = cells.assign(run=cells["run"].map(row_of)).groupby(["run", "task"], sort=True).sum().reset_index()
    of_rows = dict(iter(merged.groupby("run")))
    nothing = merged.iloc[:0]
    dimensions = [name for name in tallies.dimensions if merged[f"{name}:n"].sum() > 0]
    found = []
    for part in _parts(by, record, dimensions, tallies):
        shown = [] if part.dimension else [name for name in dimensions if by is None or _has(merged, name, part)]
        made = [
            _row([tallies.records[number] for number in same], of_rows.get(place, nothing), part, shown)
            for place, same in enumerate(rows.values())
        ]
        entrants = [Entrant(row, means) for row, means in made]
        add_standing(entrants)
        entrants.sort(key=lambda one: (one.row["state"] != "complete", -1 if one.score is None else -one.score))
        # Objects, so that an unknown stays None: in a column of numbers pandas would make it a NaN.
        frame = pd.DataFrame([one.row for one in entrants], dtype=object)
        found.append(Leaderboard(record.suite.name, tuple(sorted(part.tasks)), record.simulated, frame, by, part.name))
    return found


def _has(cells: pd.DataFrame, dimension: str, part: _Part) -> bool:
    return bool(cells.loc[cells["task"].isin(part.tasks), f"{dimension}:n"].sum() > 0)


def _parts(by: By | None, record: RunRecord, dimensions: Sequence[str], tallies: Tallies) -> list[_Part]:
    everything = frozenset(record.planned)
    match by:
        case None:
            return [_Part(None, everything)]
        case "dimension":
            return [_Part(name, everything, name) for name in dimensions]
    named: dict[str, set[str]] = {}
    for task in record.planned:
        for name in _named(tallies.facets.get((task, record.tasks[task].digest), Facets()), by):
            named.setdefault(name, set()).add(task)
    return [_Part(name, frozenset(tasks)) for name, tasks in sorted(named.items())]


def _named(facets: Facets, by: By) -> tuple[str, ...]:
    match by:
        case "technology":
            return facets.technologies
        case "responsibility":
            return facets.responsibilities
        case _:
            return (facets.difficulty,) if facets.difficulty else ()


def _row(
    records: list[RunRecord], cells: pd.DataFrame, part: _Part, dimensions: list[str]
) -> tuple[dict[str, Any], dict[str, float]]:
    """A row, and the mean score of each task in it."""
    record = records[0]
    if len(part.tasks) < len(record.planned):
        cells = cells[cells["task"].isin(part.tasks)]
    if part.dimension:
        cells = cells[cells[f"{part.dimension}:n"] > 0]
    graded, scores, outcomes = _measures(cells, part.dimension)
    trials = int(cells["trials"].sum())
    planned = sum(one.attempts for one in records) * (len(cells) if part.dimension else len(part.tasks))
    coverage = Coverage(planned, int(graded.sum()), trials - int(graded.sum()))
    strict = mean_of_sums(cells["trials"].to_numpy(dtype=float), scores)
    totals = {name: cells[name].sum() for name in SUMS}
    cost = _total_cost(cells, trials)
    row: dict[str, Any] = {
        "model": record.model,
        "agent": record.agent,
        "persona": record.persona.name,
        "persona_digest": record.persona.digest,
        "parameters": parameters_of(record),
        "simulated": record.simulated,
        "bare": not record.persona.text.strip(),
        "state": "partial" if coverage.missing > 0 else "complete",
        "runs": " ".join(sorted(one.run for one in records)),
        "planned": coverage.planned,
        "graded": coverage.graded,
        "invalid": coverage.invalid,
        "coverage": coverage.fraction,
        **_columns("score", mean_of_sums(graded, scores)),
        "score_invalid_as_zero": strict.value if strict else None,
        **_columns("resolved", rate_of_sums(graded, outcomes)),
        **_passes(graded, outcomes),
        "cost": cost,
        "cost_per_trial": None if cost is None or not trials else float(cost) / trials,
        **{name: int(totals[name]) for name in SUMS if name.endswith("_tokens")},
        "working_seconds": float(totals["working_seconds"]) / trials if trials else None,
        "turns": float(totals["turns"]) / trials if trials else None,
    }
    for name in dimensions:
        estimate = mean_of_sums(cells[f"{name}:n"].to_numpy(dtype=float), cells[f"{name}:sum"].to_numpy(dtype=float))
        row[f"dimension.{name}"] = estimate.value if estimate else None
        row[f"low.{name}"] = estimate.low if estimate else None
        row[f"high.{name}"] = estimate.high if estimate else None
    means = {task: total / count for task, total, count in zip(cells["task"], scores, graded, strict=True) if count}
    return row, means


def _measures(cells: pd.DataFrame, dimension: str | None) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of each task: how many grades, the sum of the scores, how many resolved."""
    names = ("graded", "score", "resolved")
    if dimension:
        names = (f"{dimension}:n", f"{dimension}:sum", f"{dimension}:full")
    graded, scores, outcomes = (cells[name].to_numpy(dtype=float) for name in names)
    return graded, scores, outcomes


def _columns(name: str, estimate: Estimate | None) -> dict[str, Any]:
    if estimate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _passes(graded: FloatArray, outcomes: FloatArray) -> dict[str, Any]:
    """pass@k and pass^k at the largest k that every task has attempts for; of no use at k = 1."""
    counts = [(int(attempts), round(resolved)) for attempts, resolved in zip(graded, outcomes, strict=True) if attempts]
    k = min((attempts for attempts, _ in counts), default=0)
    if k < 2:
        return {"k": None, "pass_at_k": None, "pass_hat_k": None}
    return {
        "k": k,
        "pass_at_k": float(np.mean([pass_at_k(attempts, resolved, k) for attempts, resolved in counts])),
        "pass_hat_k": float(np.mean([pass_hat_k(attempts, resolved, k) for attempts, resolved in counts])),
    }


def _total_cost(cells: pd.DataFrame, trials: int) -> Any:
    """One unknown cost makes the total unknown."""
    from decimal import Decimal

    if int(cells["costs"].sum()) < trials:
        return None
    total = sum((Decimal(cost) for cost in cells["cost"]), Decimal(0)).normalize()
    return total if total.as_tuple().exponent <= -2 else total.quantize(Decimal("0.01"))  # type: ignore[operator]
