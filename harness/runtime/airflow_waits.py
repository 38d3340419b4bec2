"""Waiting in Airflow without the wait: sensors, triggers and retries on a clock that is moved instead of waited for.

Intervals, timeouts and the number of looks and tries keep their meaning: a sensor looks as often as it would, and gives
up when it would. Those in the mode ``reschedule`` look on in their process, at the same times. Whoever sleeps by other
means than these does sleep.

Where the world changes meanwhile, the clock is told to the grader at each move (``told``), which answers once the world
is as it is by then (``answer``).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import time
import types
from pathlib import Path

PATIENCE = 30.0  # seconds for an answer
LONGEST = 30 * 86400.0  # seconds that one task may wait, so that an endless one comes to an end


class Waits:
    """``by_task``: the seconds that each task instance of a run would have waited."""

    def __init__(self, told: str, answer: str) -> None:
        self.told, self.answer = told, answer
        self.by_task: dict[str, float] = {}
        self.retried: set[tuple[str, int]] = set()
        self.moved = 0.0
        self.task, self.deadline = "", LONGEST

    def begin(self, task: str, limit: datetime.timedelta | None) -> None:
        self.task = task
        self.deadline = self.by_task.get(task, 0.0) + (limit.total_seconds() if limit else LONGEST)

    def monotonic(self) -> float:
        return time.monotonic() + self.moved

    def wait(self, seconds: float, task: str | None = None) -> float:
        """Move the clock; how long the task has waited by now."""
        task = self.task if task is None else task
        waited = self.by_task[task] = self.by_task.get(task, 0.0) + seconds
        self.moved += seconds
        if self.told:
            Path(f"{self.told}.new").write_text(f"{waited:.3f}")
            os.replace(f"{self.told}.new", self.told)
            self.hear(f"{waited:.3f}")
        return waited

    def hear(self, waited: str) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(OSError, ValueError):
                if Path(self.answer).read_text() == waited:
                    return
            time.sleep(0.01)
        raise RuntimeError("the clock isn't answered")

    def sleep(self, seconds: float) -> None:
        """Between two looks of a sensor."""
        if self.wait(seconds) > self.deadline:
            from airflow.sdk.exceptions import AirflowTaskTimeout

            raise AirflowTaskTimeout("Timeout")


def install(waits: Waits) -> None:
    sensors_wait_on(waits)
    triggers_wait_on(waits)
    retries_wait_on(waits)


def sensors_wait_on(waits: Waits) -> None:
    from airflow.sdk.bases import sensor

    base = sensor.BaseSensorOperator
    original = base.execute

    def execute(self, *arguments, **named):
        context = named.get("context") or arguments[0]
        waits.begin(label(context["ti"]), self.execution_timeout)
        return original(self, *arguments, **named)

    base.execute = execute
    base.reschedule = property(lambda self: False)
    sensor.time = types.SimpleNamespace(monotonic=waits.monotonic, sleep=waits.sleep)


def triggers_wait_on(waits: Waits) -> None:
    """Triggers run in line: what they sleep is skipped, and when their time is over the task is told so."""
    from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR, TriggerFailureReason
    from airflow.sdk.definitions import dag
    from airflow.sdk.execution_time import supervisor

    run_task, run_trigger, sleep = supervisor.run_task_in_process, dag._run_inline_trigger, asyncio.sleep
    deferred = []

    def run_task_in_process(ti, task):
        result = run_task(ti=ti, task=task)
        deferred[:] = [result.msg]
        return result

    def run_inline_trigger(trigger, ti):
        message = deferred[0]
        waits.begin(label(ti), getattr(message, "trigger_timeout", None))

        async def skip(seconds, result=None):
            if waits.wait(seconds) > waits.deadline:
                raise TimeoutError
            await sleep(0)
            return result

        asyncio.sleep = skip
        try:
            return run_trigger(trigger, ti)
        except TimeoutError:
            message.next_method = TRIGGER_FAIL_REPR
            message.next_kwargs = {"error": TriggerFailureReason.TRIGGER_TIMEOUT}
            return None
        finally:
            asyncio.sleep = sleep

    supervisor.run_task_in_process = run_task_in_process
    dag._run_inline_trigger = run_inline_trigger


def retries_wait_on(waits: Waits) -> None:
    """Keep the number of retries, skip the wait between them."""
    from airflow.models.taskinstance import TaskInstance

    original = TaskInstance.next_retry_datetime
    at_once = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)

    def next_retry_datetime(self):
        if (key := (label(self), self.try_number)) not in waits.retried:
            waits.retried.add(key)
            waits.wait((original(self) - self.end_date).total_seconds(), label(self))
        return at_once

    TaskInstance.next_retry_datetime = next_retry_datetime


def label(ti) -> str:
    return ti.task_id if ti.map_index is None or ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"
