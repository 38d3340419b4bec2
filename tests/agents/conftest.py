from __future__ import annotations

from pathlib import Path

import pytest

from harness.task import Task
from tests.agents.office import Desk, make_task
from tests.provider.fixture import provider

__all__ = ["provider"]


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return make_task(tmp_path / "tasks")


@pytest.fixture
def desk(task: Task, tmp_path: Path) -> Desk:
    return Desk(task, tmp_path / "work")
