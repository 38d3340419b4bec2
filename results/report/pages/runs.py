"""All runs, and one run: what it was begun with, what it scored, and each of its trials, the missing ones too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from results.records import TrialRecord
from results.rendering import notes
from results.report.charts import SHARES, Mark
from results.report.pages import File
from results.report.reading import ReportedRun, Source
from results.scorecard import scorecard

PLACE = 20
ENTRY = ("Runs", "runs.html")


@dataclass(frozen=True)
class Planned:
    """A planned trial as a table shows it. ``link``: its page, if there is anything of it."""

    task: str
    attempt: int
    state: str
    link: str
    record: TrialRecord | None

    @property
    def failed(self) -> int | None:
        if self.record is None or self.record.status != "graded":
            return None
        return sum(not check.passed for check in self.record.checks)


def files(source: Source) -> Iterator[File]:
    yield File("runs.html", "runs.html", lambda: {"runs": source.chronicle[::-1]})
    for run in source.runs:
        yield File(run.path, "run.html", partial(_values, source, run))


def state_of(record: TrialRecord | None, *, is_begun: bool = False) -> str:
    """A trial's state in one word or two: resolved, unresolved, invalid, unfinished, not begun."""
    if record is None:
        return "unfinished" if is_begun else "not begun"
    if record.status == "invalid":
        return "invalid"
    return "resolved" if record.resolved else "unresolved"


def planned(run: ReportedRun) -> list[Planned]:
    found = []
    for task, attempt in run.directory.record.planned_trials:
        record, is_begun = run.by_key.get((task, attempt)), (task, attempt) in run.unfinished
        link = run.trial_path(task, attempt) if record or is_begun else ""
        found.append(Planned(task, attempt, state_of(record, is_begun=is_begun), link, record))
    return found


def _values(source: Source, run: ReportedRun) -> Mapping[str, Any]:
    row = run.row
    names = sorted({name for trial in run.trials for name in trial.dimensions})
    trials = planned(run)
    return {
        "run": run,
        "record": run.directory.record,
        "row": row,
        "board": source.board_of(run),
        "notes": [note.removeprefix("#1").lstrip(": ") for note in notes([row])],
        "axis": SHARES,
        "dimensions": [
            Mark(name.replace("_", " "), row[f"dimension.{name}"], row[f"low.{name}"], row[f"high.{name}"])
            for name in names
        ],
        "clauses": scorecard(run.directory, run.trials).rows,
        "trials": trials,
        "states": list(dict.fromkeys(trial.state for trial in trials)),
        "pairs": [pair for pair in source.compared if run in (pair.baseline, pair.candidate)],
    }
