"""New grades for stored submissions: no model is asked, nothing of the old is lost."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from graders.grade import grade
from graders.tampering import in_transcript
from harness.display import Display
from harness.errors import InfrastructureError
from harness.grading import suite_contract
from harness.sandboxes import Sandbox
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
            if record.submission not in (None, submission.digest):
                raise InfrastructureError(
                    "submission-changed", "the stored submission is no longer what was graded", "restore it from a copy"
                )
            graded = grade(by_id[record.task], submission, sandbox, record.seed, suite_contract())
            seen = in_transcript(by_id[record.task], folder.transcript)
            fields = {"submission": submission.digest, "cause": None, "problem": None, **graded_fields(graded, seen)}
            times = record.times.model_copy(update={"grading": graded.seconds})
        except InfrastructureError as error:
            # What the trial took stays known; its old grade is in the old trials.jsonl.
            fields = {"score": None, "resolved": None, "dimensions": {}, "checks": (), **invalid_fields(error)}
            times = record.times
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


def verdict(record: TrialRecord) -> tuple[object, ...]:
    """What of a grade is the same if nothing changed."""
    return record.status, record.score, record.resolved, {check.id: check.passed for check in record.checks}


def shown(record: TrialRecord) -> str:
    if record.score is None:
        return "invalid"
    return f"{record.score:.2f} {'resolved' if record.resolved else 'not resolved'}"
