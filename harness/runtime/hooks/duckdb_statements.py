"""Counts the statements a Python process sends to DuckDB, and can end the process after any of them.

DuckDB is a library: there is no wire to count on, so its connection class is wrapped in the submission's own
process. Two variables steer it: ``STATEMENT_LOG``, a file to which a letter is appended for each finished statement
(``T`` while a transaction is open, else ``I``), and ``STATEMENT_LAST``, the number after which the process is killed.
"""

from __future__ import annotations

import functools
import os
import signal
import sys

LOG, LAST = "STATEMENT_LOG", "STATEMENT_LAST"
METHODS = ("execute", "executemany", "sql", "query", "begin", "commit", "rollback", "append", "from_df")
# DuckDB finds a data frame by its variable's name in the frame that calls it: this one stands in for the caller's.
CALL = compile("__method__(*__arguments__, **__options__)", __file__, "eval")
OPENING, CLOSING = ("begin", "start transaction"), ("commit", "rollback", "abort", "end")


def install() -> None:
    """Wrap the connection class and the module's own functions; called once a process, after ``import duckdb``."""
    import duckdb

    for owner in (duckdb.DuckDBPyConnection, duckdb):
        for name in METHODS:
            method = getattr(owner, name, None)
            if method is not None:
                setattr(owner, name, counted(method, name))
    reached(0)


def counted(method, name: str):
    @functools.wraps(method)
    def call(*arguments, **options):
        caller = sys._getframe(1)
        called = {"__method__": method, "__arguments__": arguments, "__options__": options}
        state.depth += 1
        try:
            result = eval(CALL, caller.f_globals, {**caller.f_locals, **called})
        finally:
            state.depth -= 1
        # The module's functions call the class's methods: that is one statement, not two.
        if state.depth == 0:
            finished(name, next((part for part in arguments if isinstance(part, str)), ""))
        return result

    return call


class State:
    depth = 0
    open = False
    count = 0


state = State()


def finished(name: str, text: str) -> None:
    words = (text if name in ("execute", "sql", "query") else name).strip().lower()
    if words.startswith(OPENING):
        state.open = True
    elif words.startswith(CLOSING):
        state.open = False
    state.count += 1
    with open(os.environ[LOG], "a") as file:
        file.write("T" if state.open else "I")
    reached(state.count)


def reached(count: int) -> None:
    if count >= int(os.environ.get(LAST, sys.maxsize)):
        os.kill(os.getpid(), signal.SIGKILL)
