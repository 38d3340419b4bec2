"""New grades for stored submissions: no model is asked, nothing of the old is lost.

The new ones take the place of the old when all are there. Until then each is kept as it comes: after a kill the same
command grades only the rest, as long as tasks, code, engines and sandbox are the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic

from graders.grade import grade
from graders.tampering import in_transcript
from harness.display import Display
from harness.errors import BenchError, InfrastructureError, UsageError
from harness.grading import suite_contract
from harness.proofs import code_digest, digest_of
from harness.sandboxes import Sandbox
from harness.side_by_side import side_by_side
from harness.submission import Submission
from harness.task import Task
from harness.trial import graded_fields, invalid_fields, stored_submission
from results.durable import Journal
from results.records import TaskRecord, TrialRecord
from results.run_directory import RunDirectory, RunWriter, write_whole


class Draft(pydantic.BaseModel):
    """A line of ``regrade.jsonl``: a trial's new grade, and a digest of what it rests on."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    rests_on: str
    record: TrialRecord


def regrade(
    writer: RunWriter,
    tasks: Sequence[Task],
    sandbox: Sandbox,
    environments: Mapping[str, str],
    display: Display,
    jobs: int,
) -> list[str]:
    """Grade again what has a stored submission, ``jobs`` at a time; a line for each trial whose grade changed.

    ``environments`` are the digests of what the sandbox's boxes are made of.

    Raises:
        UsageError: there are no grades, or submissions of some are missing. Nothing has changed.
        KeyboardInterrupt: as ``side_by_side``. The run's grades are the old ones.
        RunWriteError: the run directory can't be written any more.
    """
    directory, code = writer.directory, code_digest()
    by_id = {task.id: task for task in tasks}
    old = directory.records()
    gradable = [record for record in old if directory.trial(*record.key).submission.is_dir()]
    expect_whole(directory, old, gradable)
    drafts = Journal(directory.regrade_file)
    drafts.repair()
    standing = {draft.rests_on: draft.record for draft in read(drafts)}
    new: dict[tuple[str, int], TrialRecord] = {}

    def again(record: TrialRecord) -> None:
        folder, task = directory.trial(*record.key), by_id[record.task]
        display.trial_started(*record.key)
        submission = stored_submission(folder.submission)
        made = [code, sandbox.name, dict(environments), task.digest, task.grader_digest]
        rests_on = digest_of([record.model_dump_json(), *made, submission.digest])
        graded = standing.get(rests_on)
        if graded is None:
            graded = graded_anew(task, record, submission, sandbox, folder.transcript)
            if graded.status == "graded":
                drafts.append(Draft(rests_on=rests_on, record=graded).model_dump_json())
        new[record.key] = graded
        display.trial_finished(graded)

    display.plan([record.key for record in gradable])
    side_by_side(gradable, again, display.note, "what is being graded is", concurrency=jobs)
    # Where the agent never came to an end, there was nothing to grade.
    writer.replace_trials([new.get(record.key, record) for record in old])
    for record in new.values():
        write_whole(directory.trial(*record.key).checks, record.model_dump_json(indent=2).encode())
    writer.replace_graders(
        {task.id: TaskRecord(digest=task.digest, grader_digest=task.grader_digest) for task in tasks}
    )
    directory.regrade_file.unlink(missing_ok=True)
    return [
        f"{before.task} #{before.attempt}: {shown(before)} -> {shown(new[before.key])}"
        for before in gradable
        if verdict(before) != verdict(new[before.key])
    ]


def expect_whole(directory: RunDirectory, records: Sequence[TrialRecord], gradable: Sequence[TrialRecord]) -> None:
    """No old grade may stay among new ones."""
    if not records:
        raise UsageError(f"{directory.path} has no finished trial", f"bench run --resume {directory.path}")
    there = {record.key for record in gradable}
    if missing := [record for record in records if record.status == "graded" and record.key not in there]:
        first = f"{missing[0].task} #{missing[0].attempt}"
        raise UsageError(
            f"{directory.path} lacks the submissions of {len(missing)} graded trials, of which one is {first}",
            f"restore {directory.path}/trials from a copy; nothing was changed",
        )


def read(drafts: Journal) -> Iterator[Draft]:
    for line in drafts.lines():
        # What another version wrote would not stand anyway.
        with contextlib.suppress(pydantic.ValidationError):
            yield Draft.model_validate_json(line)


def graded_anew(
    task: Task, record: TrialRecord, submission: Submission, sandbox: Sandbox, transcript: Path
) -> TrialRecord:
    """The trial with its new grade, or without one if the box or the harness failed."""
    try:
        fields, seconds = grade_fields(task, record, submission, sandbox, transcript)
        times = record.times.model_copy(update={"grading": seconds})
    except InfrastructureError as error:
        fields, times = without_grade(error), record.times
    except BenchError:
        raise
    except Exception as error:  # one trial's bad luck must not end the others
        fault = InfrastructureError("harness", f"unexpected {type(error).__name__}: {error}")
        fields, times = without_grade(fault), record.times
    return TrialRecord.model_validate({**record.model_dump(), **fields, "times": times})


def grade_fields(
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
