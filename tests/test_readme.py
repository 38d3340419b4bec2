"""What the README says of the suite is so."""

from __future__ import annotations

import re
from pathlib import Path

from harness.task import Task, load_suite

README = (Path(__file__).parents[1] / "README.md").read_text()


def row(task: Task) -> str:
    folder = f"tasks/core/{task.id}/instruction.md"
    return f"| [{task.id}]({folder}) | {', '.join(task.manifest.engines)} | {len(task.mutants)} |"


def test_the_table_of_tasks_is_the_suite() -> None:
    assert re.findall(r"^\| \[.*instruction\.md.*$", README, re.MULTILINE) == [row(task) for task in load_suite()]


def test_every_task_has_a_timing() -> None:
    timed = re.findall(r"^\| ([a-z0-9/-]+) \| -?[\d.]+ \| -?[\d.]+ \| -?\d+% \|$", README, re.MULTILINE)
    assert timed == [task.id for task in load_suite()]
