"""Errors that a user can mend, and the exit code each of them ends the program with."""

from __future__ import annotations

EXIT_FINE = 0
EXIT_GATE_FAILED = 1
EXIT_USAGE = 2
EXIT_INFRASTRUCTURE = 3
EXIT_INTERRUPTED = 130  # as a shell tells of SIGINT


class BenchError(Exception):
    """Something went wrong that has a mend; ``str(error)`` is the whole message for the user."""

    exit_code = EXIT_INFRASTRUCTURE

    def __init__(self, problem: str, mend: str = "") -> None:
        super().__init__(f"{problem}\n  {mend}" if mend else problem)
        self.problem = problem
        self.mend = mend


class UsageError(BenchError):
    """The user asked for something that doesn't exist or can't be: exit 2, nothing was started."""

    exit_code = EXIT_USAGE


class InfrastructureError(BenchError):
    """The world failed, not the submission: the trial is ``invalid``, never zero.

    ``cause`` is one of the words a trial's record may carry (``harness/trial.py`` lists them).
    """

    def __init__(self, cause: str, problem: str, mend: str = "") -> None:
        super().__init__(problem, mend)
        self.cause = cause


class SubmissionFault(Exception):
    """The submission did something that fails the check at hand: it left no table, or it ended with an error."""
