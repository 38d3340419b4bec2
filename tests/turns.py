"""In which of the sandboxes everyday tests execute a task: in turns, for the engines are the same in both."""

from __future__ import annotations

import functools
from collections import Counter

from harness.task import Task, load_suite

SANDBOXES = ("docker", "bubblewrap")


def everyday_sandbox(task: Task, turn: int) -> str:
    """No image is built, every day, for an environment that only one task needs."""
    return SANDBOXES[turn % len(SANDBOXES)] if users()[task.manifest.environment] > 1 else "bubblewrap"


@functools.cache
def users() -> Counter[str]:
    """How many tasks of the bundled suite need each environment."""
    return Counter(task.manifest.environment for task in load_suite())
