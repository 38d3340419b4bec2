"""The command lines of Fivetran's and Airbyte's kits, imported once, then forked for every command. Runs as the worker.

DuckDB is only imported in the parent, never opened: a child forked from an open one dies.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import sys
import threading

MODULES = {
    # DuckDB imports pandas for a statement's parameters.
    "fivetran": (
        "fivetran_connector_sdk_cli.cli",
        "fivetran_connector_sdk",
        "fivetran_connector_sdk_core.destination.duckdb_destination",
        "duckdb",
        "pandas",
        "requests",
    ),
    "source-declarative-manifest": (
        "airbyte_cdk.cli.source_declarative_manifest._run",
        "airbyte_cdk.sources.declarative.parsers.model_to_component_factory",
        "dateparser",
    ),
}


def warm(program: str) -> None:
    for module in MODULES[program]:
        importlib.import_module(module)
    if program != "fivetran":
        # Each message at once, and not after a tenth of a second, in which a quick server is asked for several pages.
        sys.modules["airbyte_cdk.logger"].PRINT_BUFFER.flush_interval = 0
    gc.collect()
    gc.freeze()


def specification(arguments: list[str]) -> dict:
    """What a manifest says of its configuration; ``spec`` tells of the program itself, whatever the manifest."""
    import logging

    forget_ourselves()
    source = sys.modules[MODULES["source-declarative-manifest"][0]].create_declarative_source(arguments)
    return dict(source.spec(logging.getLogger("airbyte")).connectionSpecification)


def forget_ourselves() -> None:
    """A project's modules may be called like ours."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [folder for folder in sys.path if not folder.startswith(here)]


def run(program: str, arguments: list[str]) -> None:
    """A command line in the current folder; ends as the program would."""
    forget_ourselves()
    sys.argv, sys.dont_write_bytecode = [program, *arguments], True
    module = sys.modules[MODULES[program][0]]
    try:
        sys.exit(module.main() if program == "fivetran" else module.run())
    finally:
        # What the end of an interpreter does.
        with contextlib.suppress(Exception):
            threading._shutdown()
        atexit._run_exitfuncs()
