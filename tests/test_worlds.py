"""A seed makes the same world in every process, and on every machine the one whose digest the repository records."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from harness import worlds
from harness.errors import UsageError
from harness.task import Task, load_suite

TASKS = load_suite()
BUILD = (
    "import json, sys; from harness import worlds; from harness.task import load_suite; "
    "print(json.dumps({task.id: worlds.digests(task) for task in load_suite()}))"
)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_worlds_are_those_that_were_recorded(task: Task) -> None:
    """After a change of a world: `bench doctor --record-worlds`."""
    assert worlds.recorded(task) == worlds.digests(task)


def test_every_process_builds_the_same(tmp_path: Path) -> None:
    """Another hash seed, time zone, language and folder."""
    root = str(Path(__file__).parents[1])
    variables = {**os.environ, "PYTHONPATH": root, "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", BUILD], cwd=tmp_path, env=variables, capture_output=True, check=True)
    assert json.loads(done.stdout) == {task.id: worlds.recorded(task) for task in TASKS}


@dataclasses.dataclass(frozen=True)
class World:
    rows: tuple[object, ...]


def test_every_difference_makes_another_digest() -> None:
    parts: list[object] = [
        (),
        [],
        {},
        set(),
        1,
        1.0,
        True,
        "1",
        b"1",
        Decimal(1),
        Decimal("1.0"),
        None,
        (1, 2),
        ((1,), 2),
        {"a": 1},
    ]
    assert len({worlds.digest(World((part,))) for part in parts}) == len(parts)
    assert worlds.digest({"a": 1, "b": 2}) != worlds.digest({"b": 2, "a": 1})
    assert worlds.digest(frozenset("abc")) == worlds.digest(frozenset("cab"))


def test_what_has_no_lasting_form_is_refused() -> None:
    with pytest.raises(UsageError, match="another one in every process"):
        worlds.digest(World((object(),)))
