"""Runs trials side by side: asking models overlaps with grading, and grading is bounded by the cores."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from harness.display import Display
from harness.errors import InfrastructureError
from harness.trial import Configuration, Planned, run_trial
from results.records import TrialRecord
from results.run_directory import RunWriter

# With these, every later trial would fail the same way.
FATAL = {"provider-auth", "provider-quota"}


class Interrupted(KeyboardInterrupt):
    """The user ended the run; everything finished is on disk."""


def run_all(
    plan: Sequence[Planned],
    configuration: Configuration,
    writer: RunWriter,
    display: Display,
    *,
    concurrency: int,
) -> list[TrialRecord]:
    """Run the planned trials, ``concurrency`` at a time.

    Raises:
        Interrupted: Ctrl-C. No new trial begins, the running ones end first.
        KeyboardInterrupt: a second Ctrl-C. Trials are still running: the caller ends the process.
        InfrastructureError: a cause that would fail every trial (a refused key).
        BudgetSpentError: no new trial begins; those that need no further call are finished first.
        RunWriteError: the run directory can't be written any more.
    """
    lock = threading.Lock()
    finished: list[TrialRecord] = []
    stopping = threading.Event()

    def one(planned: Planned) -> None:
        if stopping.is_set():
            return
        name, attempt = planned.task.id, planned.attempt
        with lock:
            display.trial_started(name, attempt)

        def tell(text: str) -> None:
            with lock:
                display.stage(name, attempt, text)

        try:
            record = run_trial(planned, configuration, writer, tell)
        except BaseException:
            stopping.set()  # before this thread takes the next trial
            raise
        with lock:
            finished.append(record)
            display.trial_finished(record)
        if record.cause in FATAL:
            stopping.set()
            raise InfrastructureError(record.cause or "", record.problem or "")

    display.plan([(planned.task.id, planned.attempt) for planned in plan])
    # Not used as a context manager: leaving one waits for the running trials, whatever the user pressed.
    pool = ThreadPoolExecutor(max_workers=concurrency)
    try:
        waiting = {pool.submit(one, planned) for planned in plan}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            raise_first(done)
    except KeyboardInterrupt:
        stopping.set()
        display.note("ending: running trials are finished first; press Ctrl-C again to end at once")
        pool.shutdown(cancel_futures=True)
        raise Interrupted from None
    except BaseException:
        stopping.set()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
    return finished


def raise_first(done: set[Future[None]]) -> None:
    for future in done:
        future.result()
