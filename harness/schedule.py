"""Runs trials side by side: asking models overlaps with grading, and grading is bounded by the cores."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TypeVar

from harness.display import Display
from harness.errors import InfrastructureError
from harness.trial import Configuration, Planned, run_trial
from results.run_directory import RunWriter

# With these, every later trial would fail the same way.
FATAL = {"provider-auth", "provider-quota"}

Item = TypeVar("Item")


class Interrupted(KeyboardInterrupt):
    """The user ended the run; everything finished is on disk."""


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


def side_by_side(
    items: Sequence[Item], work: Callable[[Item], None], note: Callable[[str], None], running: str, *, concurrency: int
) -> None:
    """Do the work on each item, ``concurrency`` at a time; the first error ends it, once what has begun is done.

    ``note`` tells the user. Raises:
        Interrupted: Ctrl-C. Nothing new begins, what is ``running`` ends first, as the user is told.
        KeyboardInterrupt: a second Ctrl-C. Work is still going on: the caller ends the process.
    """
    stopping = threading.Event()

    def one(item: Item) -> None:
        if stopping.is_set():
            return
        try:
            work(item)
        except BaseException:
            stopping.set()  # before this thread takes the next item
            raise

    # Not used as a context manager: leaving one waits for what is running, whatever the user pressed.
    pool = ThreadPoolExecutor(max_workers=concurrency)
    try:
        waiting = {pool.submit(one, item) for item in items}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
    except KeyboardInterrupt:
        stopping.set()
        note(f"ending: {running} finished first; press Ctrl-C again to end at once")
        pool.shutdown(cancel_futures=True)
        raise Interrupted from None
    except BaseException:
        stopping.set()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
