"""Runs trials side by side: asking models overlaps with grading, and grading is bounded by the cores."""

from __future__ import annotations

from collections.abc import Sequence

from harness.display import Display
from harness.errors import InfrastructureError
from harness.side_by_side import side_by_side
from harness.trial import Configuration, Planned, run_trial
from results.run_directory import RunWriter

# With these, every later trial would fail the same way.
FATAL = {"provider-auth", "provider-quota"}


def run_all(
    plan: Sequence[Planned],
    configuration: Configuration,
    writer: RunWriter,
    display: Display,
    *,
    concurrency: int,
) -> None:
    """Run the planned trials, ``concurrency`` at a time.

    Raises:
        Interrupted: Ctrl-C. No new trial begins, the running ones end first.
        KeyboardInterrupt: a second Ctrl-C. Trials are still running: the caller ends the process.
        InfrastructureError: a cause that would fail every trial (a refused key).
        BudgetSpentError: no new trial begins; those that need no further call are finished first.
        RunWriteError: the run directory can't be written any more.
    """

    def one(planned: Planned) -> None:
        name, attempt = planned.task.id, planned.attempt
        display.trial_started(name, attempt)
        record = run_trial(planned, configuration, writer, lambda text: display.stage(name, attempt, text))
        display.trial_finished(record)
        if record.cause in FATAL:
            raise InfrastructureError(record.cause or "", record.problem or "")

    display.plan([(planned.task.id, planned.attempt) for planned in plan])
    side_by_side(plan, one, display.note, "running trials are", concurrency=concurrency)
