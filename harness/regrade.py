"""New grades for stored submissions: no model is asked, nothing of the old is lost."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from graders.grade import grade
from graders.tampering import in_transcript
from harness.display import Display
from harness.errors import BenchError, InfrastructureError
from harness.grading import suite_contract
from harness.sandboxes import Sandbox
from harness.submission import Submission
from harness.task import Task
from harness.trial import graded_fields, invalid_fields, stored_submission
from results.records import TaskRecord, TrialRecord
from results.run_directory import RunDirectory, RunWriter, write_whole


def regrade(
    directory: RunDirectory,
    writer: RunWriter,
    tasks: Sequence[Task],
    sandbox: Sandbox,
    display: Display,
    jobs: int,
) -> list[str]:
    """Grade again what has a stored submission; a line for each trial whose grade changed."""
    by_id = {task.id: task for task in tasks}
    old = directory.records()

    def again(record: TrialRecord) -> TrialRecord:
        folder = directory.trial(record.task, record.attempt)
        if not folder.submission.is_dir():
            return record  # the agent never came to an end: there is nothing to grade
        display.trial_started(record.task, record.attempt)
        submission = stored_submission(folder.submission)
        try:
            fields, seconds = graded_anew(by_id[record.task], record, submission, sandbox, folder.transcript)
            times = record.times.model_copy(update={"grading": seconds})
        except InfrastructureError as error:
            fields, times = without_grade(error), record.times
        except BenchError:
            raise
        except Exception as error:  # one trial's bad luck must not end the others
            fault = InfrastructureError("harness", f"unexpected {type(error).__name__}: {error}")
            fields, times = without_grade(fault), record.times
        new = TrialRecord.model_validate({**record.model_dump(), **fields, "times": times})
        display.trial_finished(new)
        return new

    gradable = [record for record in old if directory.trial(record.task, record.attempt).submission.is_dir()]
    display.plan([record.key for record in gradable])
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        new = list(pool.map(again, old))
    writer.replace_trials(new)
    for record in new:
        folder = directory.trial(record.task, record.attempt)
        if folder.submission.is_dir():
            write_whole(folder.checks, record.model_dump_json(indent=2).encode())
    writer.replace_graders(
        {task.id: TaskRecord(digest=task.digest, grader_digest=task.grader_digest) for task in tasks}
    )
    return [
        f"{after.task} #{after.attempt}: {shown(before)} -> {shown(after)}"
        for before, after in zip(old, new, strict=True)
        if verdict(before) != verdict(after)
    ]


def graded_anew(
    task: Task, record: TrialRecord, submission: Submission, sandbox: Sandbox, transcript: Path
) -> tuple[dict[str, Any], float]:
    """The fields of a record that a grade gives, and the seconds it took."""
    if record.submission not in (None, submission.digest):
        raise InfrastructureError(
            "submission-changed", "the stored submission is no longer what was graded", "restore it from a copy"
        )
    graded = grade(task, submission, sandbox, record.seed, suite_contract())
    found = graded_fields(graded, in_transcript(task, transcript))
    return {"submission": submission.digest, "cause": None, "problem": None, **found}, graded.seconds


def without_grade(error: InfrastructureError) -> dict[str, Any]:
    """What the trial took stays known; its old grade is in the old trials.jsonl."""
    return {"score": None, "resolved": None, "dimensions": {}, "checks": (), **invalid_fields(error)}


def verdict(record: TrialRecord) -> tuple[object, ...]:
    """What of a grade is the same if nothing changed."""
    return record.status, record.score, record.resolved, {check.id: check.passed for check in record.checks}


def shown(record: TrialRecord) -> str:
    if record.score is None:
        return "invalid"
    return f"{record.score:.2f} {'resolved' if record.resolved else 'not resolved'}"
