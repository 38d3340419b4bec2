"""One trial: its checks with their evidence, what was done to the world, the deliverable, the files, the transcript."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from results.judges import opinions_on
from results.judges_rendering import SIGNS, evidence, votes
from results.records import TrialRecord
from results.report.files import deliverable, is_plain_file, number_of_files, shown_files
from results.report.pages import File
from results.report.pages.runs import state_of
from results.report.reading import ReportedRun, Source
from results.report.transcript import data_file
from results.run_directory import TrialFolder

PLACE = 90
ENTRY = None


def files(source: Source) -> Iterator[File]:
    for run in source.runs:
        keys = [key for key in run.directory.record.planned_trials if key in run.by_key or key in run.unfinished]
        for position, key in enumerate(keys):
            neighbours = (
                keys[position - 1] if position else None,
                keys[position + 1] if position + 1 < len(keys) else None,
            )
            yield File(run.trial_path(*key), "trial.html", partial(_values, source, run, key, neighbours))
            path = run.transcript_path(*key)
            yield File(path, "", partial(_transcript, run, key, path))


def folder_of(run: ReportedRun, key: tuple[str, int]) -> TrialFolder:
    return run.directory.trial(*key) if key in run.by_key else run.unfinished[key]


def _values(
    source: Source, run: ReportedRun, key: tuple[str, int], neighbours: tuple[tuple[str, int] | None, ...]
) -> Mapping[str, Any]:
    record, folder, board = run.by_key.get(key), folder_of(run, key), source.board_of(run)
    return {
        "run": run,
        "task": key[0],
        "attempt": key[1],
        "task_path": board.task_path(key[0]),
        "board": board,
        "state": state_of(record, is_begun=True),
        "record": record,
        "opinions": _opinions(run, record) if record else [],
        "failed": _checks(record, passed=False),
        "passed": _checks(record, passed=True),
        "deliverable": deliverable(folder.submission),
        "has_submission": folder.submission.is_dir(),
        "shown_files": shown_files(folder.submission),
        "files": number_of_files(folder.submission),
        "has_transcript": is_plain_file(folder.transcript),
        "transcript": run.transcript_path(*key),
        "folder": folder.path,
        "before": run.trial_path(*neighbours[0]) if neighbours[0] else "",
        "after": run.trial_path(*neighbours[1]) if neighbours[1] else "",
    }


def _checks(record: TrialRecord | None, *, passed: bool) -> list[Any]:
    return [check for check in record.checks if check.passed is passed] if record else []


def _opinions(run: ReportedRun, record: TrialRecord) -> list[Any]:
    """A judge's model and its verdicts: rubric, clause, what it said, the votes, the evidence."""
    return [
        (judge.model, [(one.rubric, one.clause, SIGNS[one.said], votes(one), evidence(one)) for one in said.verdicts])
        for judge, said in opinions_on(run.directory, record)
    ]


def _transcript(run: ReportedRun, key: tuple[str, int], path: str) -> Mapping[str, Any]:
    return {"content": data_file(path, folder_of(run, key).transcript)}
