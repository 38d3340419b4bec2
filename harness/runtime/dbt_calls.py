"""dbt, imported once, then forked for every command. Runs as the worker.

DuckDB is only imported in the parent, never opened: a child forked from an open one dies.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import tempfile
from pathlib import Path

# A project with one of most kinds of nodes. Nothing in it may start the threads of dbt's static parser (a model parsed
# by it, a ref in a snapshot's YAML): a forked child would wait for them forever.
EXAMPLE = {
    "dbt_project.yml": "name: example\nprofile: example\n",
    "profiles.yml": """\
example:
  target: nowhere
  outputs:
    nowhere: {type: postgres, host: h, port: 1, user: u, password: p, dbname: d, schema: s, threads: 1}
""",
    "models/example.sql": "select * from {{ source('example', 'rows') }}",
    "models/example.yml": """\
version: 2
sources: [{name: example, tables: [{name: rows}]}]
models: [{name: example, columns: [{name: id, data_tests: [unique]}]}]
""",
    "tests/example.sql": "select 1 from {{ ref('example') }}",
}


def warm(adapters: list[str]) -> None:
    import importlib
    from multiprocessing import resource_tracker

    # dbt leaves its locks behind, and Python says so after every command.
    sys.warnoptions.append("ignore::UserWarning:multiprocessing.resource_tracker")
    for module in ("dbt.cli.main", "dbt.task.build", "dbt.task.snapshot", "dbt.task.test", "dbt.task.seed"):
        importlib.import_module(module)
    for adapter in adapters:
        with contextlib.suppress(ImportError):
            importlib.import_module(f"dbt.adapters.{adapter}")
    write_json_at_once()
    # Parsing connects to nothing, but compiles what every command would have to compile again: the first time what
    # writes a project's state, the second time what reads it.
    with tempfile.TemporaryDirectory() as folder:
        for name, text in EXAMPLE.items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        for _ in range(2):
            run(["parse", "--quiet", "--no-static-parser"], folder, folder, Path(folder, "target"))
    # dbt's locks have started a process that a later run would take for one left behind.
    resource_tracker._resource_tracker._stop()
    gc.collect()
    gc.freeze()


def write_json_at_once() -> None:
    """Let dbt's artifacts be encoded in C, not piece by piece in Python: the text is the same."""
    import json

    from dbt_common.utils.encoding import JSONEncoder

    JSONEncoder.iterencode = lambda self, value, _one_shot=False: json.JSONEncoder.iterencode(self, value, True)


def run(command: list[str], project: str, profiles: str, target: Path):
    from dbt.cli.main import dbtRunner

    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "False"
    folders = {"project-dir": project, "profiles-dir": profiles, "target-path": target, "log-path": target / "logs"}
    options = [word for name, folder in folders.items() for word in (f"--{name}", str(folder))]
    return dbtRunner().invoke(["--no-version-check", "--no-use-colors", *command, *options])


def invoke(project: str, profiles: str, command: list[str], variables: dict) -> dict:
    """One dbt command on a project; what each node came to."""
    import json

    if "STATEMENT_LOG" in os.environ:
        import duckdb_statements

        duckdb_statements.install()
    # Kept between commands, as on a scheduler's machine: dbt parses again only what changed.
    target = Path(tempfile.gettempdir()) / "dbt-target"
    words = [*command, "--quiet"]
    if variables:
        words += ["--vars", json.dumps(variables)]
    gc.disable()  # the process ends with the command
    result = run(words, project, profiles, target)
    nodes = {
        item.node.unique_id: {
            "status": str(getattr(item.status, "value", item.status)),
            "message": str(item.message or "")[:2000],
            "failures": item.failures,
        }
        for item in getattr(result.result, "results", None) or []
    }
    return {
        "success": bool(result.success),
        "exception": f"{type(result.exception).__name__}: {result.exception}"[:4000] if result.exception else "",
        "nodes": nodes,
    }
