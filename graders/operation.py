"""How a task's pipeline is operated: what a deliverable says of it is compared with this, and with what comes of it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.task import Task


@dataclass(frozen=True)
class Operation:
    """Stands as ``OPERATION`` in a task's ``checks.py``: what the grader knows besides the ticket.

    command:    what the ticket says it is started with, for a day or batch of the world that the agent saw; for a DAG
                ``airflow dags test <id> <logical date>``
    fills:      tables of the destination, one of which has rows after the command; none where it isn't a table
    every:      how often the ticket has it started, None: whenever something happens; a DAG's is read from the DAG
    parameters: the command's parameters, each with a value that the agent's world has (``batch_id`` of
                ``-v batch_id=17`` or of ``--batch_id 17``)
    reasons:    the column that says why a row was rejected (``quarantine.reason``), if the ticket asks for one
    stopped_after: of a command that by the ticket runs until it is stopped: seconds within which it fills something
    topics:     what the ticket leaves to be assumed of the source: topic -> beginnings of words that speak of it
    """

    command: str
    fills: tuple[str, ...]
    every: datetime.timedelta | None
    topics: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)
    reasons: str = ""
    stopped_after: float | None = None


def operation_of(task: Task) -> Operation | None:
    """None: the task doesn't say how it is operated."""
    found = getattr(task.checks, "OPERATION", None)
    return found if isinstance(found, Operation) else None
