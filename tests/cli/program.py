"""``bench`` as a process of its own, as a user starts it; or in this one, where only what it does matters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from harness.cli import main; main()"]
# What would lead a test to somebody's real account or servers.
LEFT_OUT = ("ANTHROPIC_", "OPENAI_", "BENCH_TRACEBACK", "BENCH_DEBUG")

Bench = Callable[..., subprocess.CompletedProcess[str]]


def environment(**variables: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}
    return {**inherited, "PYTHONPATH": str(ROOT), **variables}


def bench(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end. It never shows a traceback, whatever happens."""
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=cwd, env=environment(**variables), capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return done


def start(*arguments: str, cwd: Path, variables: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start it in a session of its own, with what it says in ``bench.err`` and ``bench.out`` of the folder."""
    with (cwd / "bench.out").open("a") as out, (cwd / "bench.err").open("a") as err:
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=cwd,
            env=environment(**(variables or {})),
            stdout=out,
            stderr=err,
            text=True,
            start_new_session=True,
        )
