"""Counts the statements a Python process sends to DuckDB, and can end the process after any of them.

DuckDB is a library: there is no wire to count on, so its connection class is wrapped in the submission's own
process (see ``counted_statements``). ``STATEMENT_LOG`` is the file that is written.
"""

from __future__ import annotations

import functools
import os
import sys

import counted_statements

LOG = "STATEMENT_LOG"
METHODS = ("execute", "executemany", "sql", "query", "begin", "commit", "rollback", "append", "from_df")
# Of a relation those that write: the others are executed when something asks for their rows.
WRITING = ("create", "to_table", "create_view", "to_view", "insert", "insert_into", "update")
# DuckDB finds a data frame by its variable's name in the frame that calls it: this one stands in for the caller's.
CALL = compile("__method__(*__arguments__, **__options__)", __file__, "eval")
OPENING, CLOSING = ("begin", "start transaction"), ("commit", "rollback", "abort", "end")


def install() -> None:
    """Wrap connections, relations and the module's own functions; called once a process, after ``import duckdb``."""
    import duckdb

    connection, relation = duckdb.DuckDBPyConnection, duckdb.DuckDBPyRelation
    for owner, names in ((connection, METHODS), (duckdb, METHODS), (relation, WRITING)):
        for name in names:
            method = getattr(owner, name, None)
            if method is not None:
                setattr(owner, name, counted(method, name))
    counted_statements.started(os.environ[LOG])


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


state = State()


def finished(name: str, text: str) -> None:
    words = (text if name in ("execute", "sql", "query") else name).strip().lower()
    if words.startswith(OPENING):
        state.open = True
    elif words.startswith(CLOSING):
        state.open = False
    counted_statements.finished(os.environ[LOG], state.open)
