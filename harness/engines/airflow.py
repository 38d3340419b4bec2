"""Apache Airflow 3: the real scheduler's task loop, forked warm for every call."""

from __future__ import annotations

import datetime
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import pydantic

from harness.engines import Engine
from harness.engines.postgres import DATABASE
from harness.errors import SubmissionFault
from harness.sandboxes._box import Box, Completed

CALLS = "airflow_calls"
Moment = datetime.datetime


@dataclass(frozen=True)
class DagTask:
    """A task of a DAG as parsed. ``retry_delay`` in seconds; ``downstream`` are task ids."""

    id: str
    type: str
    retries: int
    retry_delay: float
    downstream: tuple[str, ...]
    owner: str
    trigger_rule: str
    depends_on_past: bool


@dataclass(frozen=True)
class ScheduledRun:
    """A run as the schedule makes it: for which logical date, from when on, over which data interval. All in UTC."""

    logical_date: datetime.datetime
    starts: datetime.datetime
    interval: tuple[datetime.datetime, datetime.datetime]


@dataclass(frozen=True)
class Dag:
    """A DAG as parsed. ``schedule`` is its timetable's summary (a cron expression, say).

    ``runs`` are the first five that the schedule makes from the start date on: two schedules that are written
    otherwise but mean the same have the same.
    """

    id: str
    schedule: str
    catchup: bool
    start_date: datetime.datetime | None
    max_active_runs: int
    tags: tuple[str, ...]
    tasks: dict[str, DagTask]
    runs: tuple[ScheduledRun, ...] = ()

    @property
    def edges(self) -> set[tuple[str, str]]:
        return {(task.id, below) for task in self.tasks.values() for below in task.downstream}


@dataclass(frozen=True)
class Parsed:
    """What the DAG processor sees: DAGs, files that can't be imported, deprecation warnings."""

    dags: dict[str, Dag]
    errors: dict[str, str]
    deprecations: tuple[str, ...]


@dataclass(frozen=True)
class Understood:
    """A command line of Airflow's: the DAG that it names, and what is wrong with it; either may be empty."""

    dag_id: str
    problem: str


class Airflow(Engine):
    """DAGs lie in ``work/dags``; the connection ``warehouse`` leads to PostgreSQL where the task has it."""

    name: ClassVar[str] = "airflow"
    fidelity: ClassVar[str] = (
        "Airflow 3.3, the real DAG processor, task loop and execution API on SQLite; "
        "sensors, retries and triggers wait on a clock that is moved; no triggerer process (triggers run in line)."
    )
    starts_slowly: ClassVar[bool] = True

    def start(self) -> None:
        self._template = f"{self.box.space.interpreter.removesuffix('/bin/python')}/share/warm/airflow/airflow.db"
        home = f"{self.box.path('tmp')}/airflow"
        self.box.run(["mkdir", "-p", home])
        self.box.run(["cp", self._template, home])

    @property
    def dags_folder(self) -> str:
        return f"{self.box.path('work')}/dags"

    def variables(self) -> dict[str, str]:
        sockets = self.box.path("sockets").replace("/", "%2F")
        home = f"{self.box.path('tmp')}/airflow"
        return {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__DAGS_FOLDER": self.dags_folder,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW_CONN_FS_DEFAULT": "fs://",
            "AIRFLOW_CONN_WAREHOUSE": f"postgres://loader:loader@{sockets}/{DATABASE}",
        }

    def parse(self) -> Parsed:
        """Parse the DAGs folder."""
        done = self._call("describe")
        raw = validated(RawParsed, done.result)
        if not done.ok or raw is None:
            raise SubmissionFault(f"parsing the DAGs folder: {done.explain()}")
        dags = {dag_id: dag_from(dag_id, dag) for dag_id, dag in raw.dags.items()}
        return Parsed(dags, raw.errors, raw.deprecations)

    def run(
        self,
        dag_id: str,
        *logical_dates: datetime.datetime,
        conf: dict[str, Any] | None = None,
        arrivals: Mapping[float, Mapping[str, bytes | str]] | None = None,
    ) -> Completed:
        """Run a DAG for the logical dates, one after the other, stopping at the first that doesn't succeed.

        ``ok`` only if every run succeeded; otherwise ``explain()`` says which task of which run failed. ``arrivals``:
        files (below ``$DATA``) that are there once a task has waited for so many seconds.
        """
        dates = [moment.replace(tzinfo=moment.tzinfo or datetime.UTC).isoformat() for moment in logical_dates]
        arguments = {"dag_id": dag_id, "logical_dates": dates, "conf": conf or {}, "told": "", "answer": ""}
        if arrivals:
            with Clock(self.box, arrivals) as clock:
                done = self._call("run", **arguments | {"told": clock.told, "answer": clock.answer})
        else:
            done = self._call("run", **arguments)
        if not done.ok:
            return done
        result = validated(RawRuns, done.result) or RawRuns()
        if [run.state for run in result.runs] == ["success"] * len(dates):
            return done
        said = result.problem or (str(result.runs[-1].model_dump()) if result.runs else "nothing was run")
        errors = "".join(f"\n{file}: {error}" for file, error in result.errors.items())
        # Tasks log to standard output; what made the last one fail stands at its end.
        evidence = f"{said}{errors}\n{done.stderr[-300:]}{done.stdout[-900:]}"
        return Completed(1, done.stdout, evidence, result=result.model_dump())

    def understand(self, words: Sequence[str]) -> Understood:
        """What Airflow's own parser makes of a command line (the words after ``airflow``), without executing it."""
        done = self._call("understand", commands=[list(words)])
        raw = validated(RawUnderstood, {"commands": done.result})
        if not done.ok or raw is None or len(raw.commands) != 1:
            raise SubmissionFault(f"`airflow {' '.join(words)}` can't be read: {done.explain()}")
        return Understood(raw.commands[0].dag_id, raw.commands[0].problem)

    def states(self, done: Completed) -> dict[str, str]:
        """The task states of the last run that ``run`` returned."""
        result = validated(RawRuns, done.result)
        return result.runs[-1].tasks if result and result.runs else {}

    def waited(self, done: Completed) -> dict[str, float]:
        """The seconds for which each task instance of the last run that ``run`` returned would have waited."""
        result = validated(RawRuns, done.result)
        return result.runs[-1].waited if result and result.runs else {}

    def _call(self, function: str, **arguments: Any) -> Completed:
        # Warmed on first use: an agent that only writes files never pays for it.
        self.box.preload(CALLS, template=self._template)
        arguments = {"template": self._template, "dags_folder": self.dags_folder, **arguments}
        return self.box.call(CALLS, function, arguments, timeout=180.0)


class Clock:
    """Delivers files while a run waits: it tells how long it has, and is answered once what is due is there."""

    def __init__(self, box: Box, arrivals: Mapping[float, Mapping[str, bytes | str]]) -> None:
        self._box, self._due = box, sorted(arrivals.items(), key=lambda item: item[0])
        self._over = threading.Event()
        self._problem: Exception | None = None
        self.told = f"{box.path('work')}/.waited"
        self.answer = f"{box.path('sockets')}/clock"

    def __enter__(self) -> Clock:
        self._box.run(["rm", "-f", self.told])
        self._box.put("sockets", {"clock": b""})
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()
        return self

    def _keep(self) -> None:
        try:
            self._answer()
        except Exception as problem:
            self._problem = problem

    def _answer(self) -> None:
        known = ""
        while not self._over.wait(0.02):
            # The submission's own file: the driver follows no link and waits for no pipe.
            argv = ["dd", f"if={self.told}", "iflag=nofollow,nonblock", "status=none", "bs=64", "count=1"]
            said = self._box.run(argv, role="driver").stdout
            if said == known or not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", said):
                continue
            known = said
            while self._due and self._due[0][0] <= float(said):
                files = self._due.pop(0)[1]
                self._box.put(
                    "data", {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
                )
            self._box.put("sockets", {"clock": said.encode()})

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=60)
        self._box.run(["rm", "-f", self.told])
        if self._problem:
            raise self._problem


def days(first: datetime.date, count: int, hour: int = 0) -> Sequence[datetime.datetime]:
    """The same hour of consecutive days, in UTC."""
    start = datetime.datetime.combine(first, datetime.time(hour), datetime.UTC)
    return [start + datetime.timedelta(days=number) for number in range(count)]


class RawTask(pydantic.BaseModel):
    type: str
    retries: int
    retry_delay: float
    downstream: tuple[str, ...]
    owner: str
    trigger_rule: str
    depends_on_past: bool


class RawDag(pydantic.BaseModel):
    runs: tuple[tuple[Moment, Moment, Moment, Moment], ...]
    schedule: str
    catchup: bool
    start_date: Moment | None
    max_active_runs: int
    tags: tuple[str, ...]
    tasks: dict[str, RawTask]


class RawParsed(pydantic.BaseModel):
    """What ``runtime/airflow_calls.py`` says of a folder: said in the submission's own process."""

    dags: dict[str, RawDag]
    errors: dict[str, str]
    deprecations: tuple[str, ...]


class RawRun(pydantic.BaseModel):
    logical_date: str
    state: str
    tasks: dict[str, str]
    waited: dict[str, float] = {}


class RawRuns(pydantic.BaseModel):
    runs: tuple[RawRun, ...] = ()
    problem: str = ""
    errors: dict[str, str] = {}


class RawCommand(pydantic.BaseModel):
    dag_id: str
    problem: str


class RawUnderstood(pydantic.BaseModel):
    commands: tuple[RawCommand, ...]


AnyModel = TypeVar("AnyModel", bound=pydantic.BaseModel)


def validated(kind: type[AnyModel], raw: object) -> AnyModel | None:
    """None for what is nothing of the kind: a DAG file that wrote the result itself, say."""
    try:
        return kind.model_validate(raw)
    except pydantic.ValidationError:
        return None


def dag_from(dag_id: str, raw: RawDag) -> Dag:
    tasks = {task_id: DagTask(task_id, **task.model_dump()) for task_id, task in raw.tasks.items()}
    runs = tuple(ScheduledRun(logical, starts, (begin, end)) for logical, starts, begin, end in raw.runs)
    return Dag(dag_id, raw.schedule, raw.catchup, raw.start_date, raw.max_active_runs, raw.tags, tasks, runs)


ENGINE = Airflow
