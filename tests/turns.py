"""In which of the sandboxes everyday tests execute what is the same in both: tasks in turns, for instance."""

from __future__ import annotations

import functools
from collections import Counter

import pytest

from harness.task import Task, load_suite
from tests.conftest import SANDBOXES

CONFINING = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in SANDBOXES]


def everyday_sandbox(task: Task, turn: int) -> str:
    """No image is built, every day, for an environment that only one task needs."""
    return SANDBOXES[turn % len(SANDBOXES)] if users()[task.manifest.environment] > 1 else "bubblewrap"


@functools.cache
def users() -> Counter[str]:
    """How many tasks of the bundled suite need each environment."""
    return Counter(task.manifest.environment for task in load_suite())


def in_both(everyday: str) -> list[object]:
    """Parameters of a test of something that is the same in both: the other sandbox is left to the night."""
    return [
        pytest.param(name, marks=[getattr(pytest.mark, name), *([] if name == everyday else [pytest.mark.nightly])])
        for name in SANDBOXES
    ]
