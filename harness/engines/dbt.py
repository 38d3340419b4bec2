"""dbt Core with the DuckDB or the PostgreSQL adapter, forked warm for every command.

The profile is the grader's: it lies where a submission can't write, and is called ``warehouse``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pydantic

from harness.engines import Engine
from harness.sandboxes._box import Box, Completed

CALLS = "dbt_calls"

# Both outputs stand in one file: a project may name its target, the task says which one is the default.
PROFILE = """\
warehouse:
  target: {target}
  outputs:
    duckdb:
      type: duckdb
      path: {work}/warehouse.duckdb
      schema: main
      threads: 1
      attach:
        - path: {data}/source.duckdb
          alias: source
          read_only: true
    postgres:
      type: postgres
      host: {sockets}
      port: 5432
      user: loader
      password: loader
      dbname: warehouse
      schema: analytics
      threads: 1
"""


@dataclass(frozen=True)
class Node:
    """What became of one node of a run. ``status`` as dbt says it: success, pass, fail, error, warn, skipped."""

    status: str
    message: str
    failures: int | None


@dataclass(frozen=True)
class DbtResult:
    """A dbt command that ended. ``nodes`` are keyed by unique id (``model.shop.fct_orders``)."""

    completed: Completed
    success: bool
    nodes: Mapping[str, Node] = field(default_factory=dict)

    def named(self, name: str) -> Node | None:
        """The result of the model, snapshot or test of that name."""
        return next((node for unique_id, node in self.nodes.items() if unique_id.split(".")[2:3] == [name]), None)


class Dbt(Engine):
    """The project lies in the work folder. The task's engines name the warehouse: ``duckdb`` or ``postgres``."""

    name: ClassVar[str] = "dbt"
    programs: ClassVar[tuple[str, ...]] = ("dbt",)
    leaves: ClassVar[tuple[str, ...]] = ("target/*", "*/target/*", "dbt_packages/*", "*/dbt_packages/*")
    fidelity: ClassVar[str] = "dbt Core 1.11, the real thing, with its DuckDB and PostgreSQL adapters; no packages hub."
    starts_slowly: ClassVar[bool] = True

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self._profiles = f"{box.path('sockets')}/dbt"

    def start(self) -> None:
        # Beside the sockets: the driver writes there, the submission only reads.
        target = "postgres" if "PGHOST" in self.box.variables else "duckdb"
        folders = {name: self.box.path(name) for name in ("work", "data", "sockets")}
        self.box.put("sockets", {"dbt/profiles.yml": PROFILE.format(target=target, **folders).encode()})

    def variables(self) -> dict[str, str]:
        return {"DBT_PROFILES_DIR": self._profiles, "DBT_SEND_ANONYMOUS_USAGE_STATS": "False"}

    def build(
        self,
        select: str | None = None,
        variables: Mapping[str, Any] | None = None,
        *,
        full_refresh: bool = False,
        exclude: str | None = None,
    ) -> Completed:
        """``dbt build``: models, snapshots, seeds and tests in order. ``ok`` only if all of them succeeded."""
        return self.invoke("build", select, variables, full_refresh=full_refresh, exclude=exclude).completed

    def run(
        self, select: str | None = None, variables: Mapping[str, Any] | None = None, *, full_refresh: bool = False
    ) -> Completed:
        return self.invoke("run", select, variables, full_refresh=full_refresh).completed

    def snapshot(self, select: str | None = None) -> Completed:
        return self.invoke("snapshot", select).completed

    def test(self, select: str | None = None, variables: Mapping[str, Any] | None = None) -> DbtResult:
        return self.invoke("test", select, variables)

    def invoke(
        self,
        command: str,
        select: str | None = None,
        variables: Mapping[str, Any] | None = None,
        *,
        full_refresh: bool = False,
        exclude: str | None = None,
    ) -> DbtResult:
        """Any dbt command, as the scheduler would start it in the project's folder."""
        words = [command]
        words += ["--select", select] if select else []
        words += ["--exclude", exclude] if exclude else []
        words += ["--full-refresh"] if full_refresh else []
        return self._call(words, variables or {})

    def command(self, words: Sequence[str]) -> Completed:
        """A command line of the submission's: the words after ``dbt``."""
        return self._call(list(words), {}).completed if words else Completed(2, stderr="dbt without a command")

    def _call(self, words: list[str], variables: Mapping[str, Any]) -> DbtResult:
        self.box.preload(CALLS, adapters=["duckdb", "postgres"])
        arguments = {
            "project": self.box.path("work"),
            "profiles": self._profiles,
            "command": words,
            "variables": dict(variables),
        }
        return read(self.box.call(CALLS, "invoke", arguments, timeout=180.0))


class RawResult(pydantic.BaseModel):
    """What ``runtime/dbt_calls.py`` says of a command: said in the submission's own process."""

    success: bool
    exception: str
    nodes: dict[str, Node]


def read(done: Completed) -> DbtResult:
    """The outcome of a call. A run that failed has an exit code of 1 and says which node failed and why."""
    if not done.ok:
        return DbtResult(done, success=False)
    try:
        result = RawResult.model_validate(done.result)
    except pydantic.ValidationError:
        said = f"dbt's process gave no account of itself\n{done.stderr[-1000:]}"
        return DbtResult(Completed(1, done.stdout, said), success=False)
    nodes = result.nodes
    if not result.success:
        bad = [f"{name}: {node.status}: {node.message}" for name, node in nodes.items() if node.status in BAD]
        said = "\n".join(filter(None, [result.exception, *bad])) or done.stdout[-2000:]
        done = Completed(1, done.stdout, f"{done.stderr[-1000:]}\n{said}".strip(), result=done.result)
    return DbtResult(done, result.success, nodes)


BAD = ("error", "fail", "runtime error")

ENGINE = Dbt
