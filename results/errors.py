"""What can go wrong with a run directory, each with its mend."""

from __future__ import annotations


class RunDirectoryError(Exception):
    """A run directory can't be used as asked; nothing was changed. ``str(error)`` is the whole message."""

    exit_code = 2

    def __init__(self, problem: str, mend: str = "") -> None:
        super().__init__(f"{problem}\n  {mend}" if mend else problem)
        self.problem = problem
        self.mend = mend


class RunWriteError(RunDirectoryError):
    """The file system refused a write (full disk, quota, no permission). What was written before is whole."""

    exit_code = 3
