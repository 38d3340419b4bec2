"""A process on this machine as a ``Stream``: what the sandboxes without containers spawn."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOMY = 4 << 30  # bytes


def box_parent() -> str | None:
    """Where boxes' folders are quickest: in memory, if there is a roomy place for it; else the usual one (None).

    Databases are made and dropped by the dozen in a grade; on a disk that is most of its time.
    """
    memory = Path("/dev/shm")  # noqa: S108
    with contextlib.suppress(OSError):
        status = os.statvfs(memory)
        runnable = not status.f_flag & (os.ST_NOEXEC | os.ST_RDONLY)
        if runnable and status.f_bavail * status.f_frsize > ROOMY and os.access(memory, os.W_OK):
            return str(memory)
    return None


class ProcessStream:
    """``walled``: the process itself stays outside the box and reports how the one inside ended by an exit code."""

    def __init__(self, argv: list[str], variables: Mapping[str, str], *, walled: bool = False) -> None:
        self._walled = walled
        self._process = subprocess.Popen(
            argv,
            env=dict(variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("BENCH_DEBUG") else subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )

    def write(self, data: bytes) -> None:
        assert self._process.stdin
        view = memoryview(data)
        while view:
            view = view[os.write(self._process.stdin.fileno(), view) :]

    def read(self, size: int, timeout: float) -> bytes:
        assert self._process.stdout
        poll = select.poll()
        poll.register(self._process.stdout, select.POLLIN | select.POLLHUP)
        if not poll.poll(timeout * 1000):
            raise TimeoutError(f"nothing came for {timeout:.0f} s")
        return os.read(self._process.stdout.fileno(), min(size, 1 << 20))

    def was_killed_outside(self) -> bool:
        if not self._walled:
            return False
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        return (self._process.returncode or 0) < 0

    def close(self) -> None:
        """Close its input (a resident then ends everything it started), and kill it if it doesn't end."""
        with contextlib.suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
