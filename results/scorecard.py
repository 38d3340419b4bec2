"""How a run did by clauses of the persona: each obeyed in so many of its trials, and the trials that didn't obey it.

A trial obeys a clause if every check that names the clause passed. Trials without such a check, and invalid ones, say
nothing about it. Clauses are named as the checks name them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from results.measures import checks_of_clauses
from results.records import TrialRecord
from results.run_directory import RunDirectory, TrialFolder
from results.statistics import Coverage, Estimate, rate


@dataclass(frozen=True)
class Failing:
    """A trial that didn't obey a clause. ``checks``: id and evidence of those that failed, in their order."""

    task: str
    attempt: int
    checks: tuple[tuple[str, str], ...]
    folder: TrialFolder


@dataclass(frozen=True)
class ClauseRow:
    """A clause, obeyed in ``obeyed`` of ``trials`` trials.

    ``estimate``: that rate with its interval, the task as the unit (``results.statistics.rate``). ``checks``: the ids
    of the checks that tested it. ``failing``: the ``trials - obeyed`` others, by task and attempt.
    """

    clause: str
    obeyed: int
    trials: int
    estimate: Estimate
    checks: tuple[str, ...]
    failing: tuple[Failing, ...]


@dataclass(frozen=True)
class Scorecard:
    """All clauses that a run's checks tested, by name."""

    directory: RunDirectory
    rows: tuple[ClauseRow, ...]
    coverage: Coverage

    def row(self, clause: str) -> ClauseRow | None:
        return next((row for row in self.rows if row.clause == clause), None)


def scorecard(directory: RunDirectory, trials: Iterable[TrialRecord] | None = None) -> Scorecard:
    """The scorecard of a run; ``trials`` are its records, if they have been read.

    Raises:
        RunDirectoryError: damaged.
    """
    finished = sorted(directory.records() if trials is None else trials, key=lambda trial: trial.key)
    graded = [trial for trial in finished if trial.status == "graded"]
    outcomes: dict[str, dict[str, list[float]]] = {}
    checks: dict[str, dict[str, None]] = {}
    failing: dict[str, list[Failing]] = {}
    for trial in graded:
        for clause, tested in checks_of_clauses(trial).items():
            failed = tuple((check.id, check.evidence) for check in tested if not check.passed)
            outcomes.setdefault(clause, {}).setdefault(trial.task, []).append(float(not failed))
            checks.setdefault(clause, {}).update(dict.fromkeys(check.id for check in tested))
            if failed:
                folder = directory.trial(trial.task, trial.attempt)
                failing.setdefault(clause, []).append(Failing(trial.task, trial.attempt, failed, folder))
    rows = []
    for clause in sorted(outcomes):
        estimate = rate(outcomes[clause])
        assert estimate is not None, f"{clause} has outcomes"
        number, missed = sum(map(len, outcomes[clause].values())), tuple(failing.get(clause, ()))
        rows.append(ClauseRow(clause, number - len(missed), number, estimate, tuple(checks[clause]), missed))
    coverage = Coverage(len(directory.record.planned_trials), len(graded), len(finished) - len(graded))
    return Scorecard(directory, tuple(rows), coverage)
