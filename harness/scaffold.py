"""A new task from templates: whole enough to be verified as it is, with notes on what its author replaces.

templates/task/common/    what every task has
templates/task/<engine>/  what differs by engine: engine.toml (words for the common files), reference, …
"""

from __future__ import annotations

import re
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from string import Template

from harness.errors import UsageError
from harness.task import read_toml

TEMPLATES = Path(__file__).parent / "templates" / "task"
SUFFIX = ".template"
COMMON, WORDS = "common", "engine.toml"


def engines() -> list[str]:
    """The engines that there is a template for."""
    return sorted(path.parent.name for path in TEMPLATES.glob(f"*/{WORDS}"))


def make_task(task: str, suite: Path, engine: str) -> Path:
    """Write the task ``<technology>/<name>`` into a suite's folder; where it lies.

    Raises:
        UsageError: a bad name, an unknown engine, or something is there already.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*/[a-z0-9]+(-[a-z0-9]+)*", task):
        raise UsageError(
            f"{task!r} is no task's name", "write <technology>/<name> in small letters, digits and single dashes"
        )
    if engine not in engines():
        raise UsageError(f"no template for the engine {engine!r}", f"known: {', '.join(engines())}")
    folder = suite / task
    if folder.exists():
        raise UsageError(f"{folder} exists already", "choose another name, or remove it first")
    words = {**read_toml(TEMPLATES / engine / WORDS), "id": task, "canary": str(uuid.uuid4())}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as draft:
            for path, text in filled(engine, words):
                target = Path(draft, folder.name, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
            Path(draft, folder.name).rename(folder)
        if not (suite / "suite.toml").exists():
            (suite / "suite.toml").write_text(f'name = "{suite.resolve().name}"\nversion = 1\n', encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder} can't be written: {error.strerror or error}") from None
    return folder


def filled(engine: str, words: dict[str, str]) -> Iterator[tuple[Path, str]]:
    """The files of a task by their path in it."""
    for layer in (TEMPLATES / COMMON, TEMPLATES / engine):
        for path in sorted(layer.rglob(f"*{SUFFIX}")):
            text = Template(path.read_text(encoding="utf-8")).substitute(words)
            yield path.relative_to(layer).with_suffix(""), text
