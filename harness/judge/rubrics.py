"""The questions a judge is asked: data, in ``rubrics.toml``."""

from __future__ import annotations

import functools
import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).with_name("rubrics.toml")


@dataclass(frozen=True)
class Rubric:
    """One question about a deliverable: what it asks, and what speaks for either verdict."""

    id: str
    clause: str
    asks: str
    met: str
    not_met: str


@functools.cache
def rubrics() -> tuple[Rubric, ...]:
    """All of them, in the order of the file."""
    return tuple(Rubric(name, **fields) for name, fields in tomllib.loads(_FILE.read_text(encoding="utf-8")).items())


def rubrics_digest() -> str:
    """SHA-256 of the questions, hex: verdicts on others don't compare."""
    return hashlib.sha256(repr(rubrics()).encode()).hexdigest()
