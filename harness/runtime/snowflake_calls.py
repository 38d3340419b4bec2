"""Snowflake's connector and the account that stands in for Snowflake, imported once, then forked for every script.

Runs as the worker. DuckDB is only imported in the parent, never opened: a child forked from an open one dies.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import runpy
import sys
import threading
import traceback

MODULES = ("emulated_snowflake", "snowflake.connector.pandas_tools", "emulated_snowflake.account")


def warm() -> None:
    for module in MODULES:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()


def run(arguments: list[str]) -> None:
    """A script of the current folder, as ``python`` would run it; ends as the script would."""
    if "SNOWFLAKE_STATEMENT_LOG" in os.environ:
        import snowflake_statements

        snowflake_statements.install()
    # A project's modules may be called like ours.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [os.getcwd(), *(folder for folder in sys.path if not folder.startswith(here))]
    sys.argv, sys.dont_write_bytecode = list(arguments), True
    code = 0
    try:
        runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        # What the end of an interpreter does.
        with contextlib.suppress(Exception):
            threading._shutdown()
        atexit._run_exitfuncs()
    sys.exit(code)
