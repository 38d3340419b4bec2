"""Counts the finished statements of a Python process, and can end it after any of them.

A file gets a letter for each (``T`` while a transaction is open, else ``I``); ``STATEMENT_LAST`` is the number after
which the process is killed.
"""

import os
import signal
import sys

LAST = "STATEMENT_LAST"


class State:
    count = 0


def finished(log: str, is_open: bool) -> None:
    State.count += 1
    with open(log, "a") as file:
        file.write("T" if is_open else "I")
    reached(State.count)


def reached(count: int) -> None:
    if count >= int(os.environ.get(LAST, sys.maxsize)):
        os.kill(os.getpid(), signal.SIGKILL)
