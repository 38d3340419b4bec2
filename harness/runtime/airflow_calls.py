"""Airflow, imported and warmed once, then forked for every call. Runs as the worker.

``warm`` runs a throw-away DAG, so that a forked child finds every module imported and the execution API's
application built; what may not cross a fork (database connections, the API's event loop and its thread) is shut
down first and made anew in the child. What a call returns is what the worker's process says.
"""

from __future__ import annotations

import contextlib
import datetime
import gc
import importlib
import os
import shutil
import sys
import tempfile
import textwrap
from pathlib import Path

import airflow_waits

SETTINGS = {
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "30",
    "AIRFLOW__CORE__DEFAULT_TIMEZONE": "utc",
    "AIRFLOW__CORE__FERNET_KEY": "",
    # Else it is made up once and lost at times; the API is spoken to within one process only.
    "AIRFLOW__API_AUTH__JWT_SECRET": "spoken within one process only",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "0",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "AIRFLOW__SCHEDULER__ENABLE_TRACEMALLOC": "False",
}

# How many scheduled runs are looked at; and where those of a DAG without a start date are looked for.
LOOK_AHEAD = 5
SOME_DAY = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

THROW_AWAY = """
import datetime
from airflow.sdk import DAG, Connection, task
with DAG("warm", schedule="@daily", start_date=datetime.datetime(2026, 1, 1), catchup=False):
    @task
    def one():
        return 1
    @task
    def two(value):
        with __import__("contextlib").suppress(Exception):
            Connection.get("warm")
        return value
    two(one())
"""


def warm(template: str) -> None:
    """Import Airflow and run a DAG that is thrown away. ``template`` is a migrated metadata database."""
    gc.disable()  # what is imported stays: nothing to be found among it
    home = Path(tempfile.mkdtemp())
    os.environ.update(SETTINGS)
    (home / "dags").mkdir()
    (home / "dags" / "warm.py").write_text(textwrap.dedent(THROW_AWAY))
    shutil.copyfile(template, home / "airflow.db")
    point_at(home, home / "dags")

    for module in ("airflow", "airflow.settings", "airflow.models", "airflow.providers.standard.operators.python"):
        importlib.import_module(module)
    for module in (
        "airflow.providers.common.sql.operators.sql",
        "airflow.providers.postgres.hooks.postgres",
        "airflow.providers.standard.operators.bash",
        "airflow.providers.standard.operators.empty",
        "airflow.providers.standard.sensors.filesystem",
        "airflow.providers.standard.sensors.python",
        "airflow.providers.standard.triggers.file",
        "pandas",
        "psycopg2",
    ):
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    connect()
    found = dags_in(home / "dags")
    play(found.dags["warm"], datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), {})
    stop_what_cannot_be_forked()
    shutil.rmtree(home, ignore_errors=True)
    # A child's collector would write into every page that it shares with us.
    gc.freeze()
    gc.enable()


def point_at(home: Path, dags: Path) -> None:
    os.environ["AIRFLOW_HOME"] = str(home)
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(dags)
    os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{home}/airflow.db"
    os.environ["AIRFLOW__LOGGING__BASE_LOG_FOLDER"] = f"{home}/logs"


def connect() -> None:
    from airflow import settings

    settings.configure_vars()
    settings.configure_orm()


def stop_what_cannot_be_forked() -> None:
    from airflow import settings
    from airflow.sdk.execution_time.supervisor import in_process_api_server

    application = in_process_api_server().app
    in_process_api_server.cache_clear()
    gc.collect()  # ends the loop and its thread, by the transport's finalizer
    in_process_api_server()._app = application
    settings.dispose_orm()


def begin(template: str, dags_folder: str) -> None:
    """In the child: a metadata database of its own, and the worker's folder."""
    home = Path(tempfile.mkdtemp())
    shutil.copyfile(template, home / "airflow.db")
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    point_at(home, Path(dags_folder))
    connect()
    # As the scheduler has it: modules beside the DAGs can be imported.
    sys.path.insert(0, dags_folder)


def dags_in(folder: Path):
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(folder), bundle_path=folder, bundle_name="dags-folder")


def play(dag, logical_date: datetime.datetime, conf: dict) -> dict:
    """One run of a DAG as its schedule would make it for that logical date."""
    from airflow.serialization import encoders

    original = encoders.coerce_to_core_timetable

    def scheduled(timetable):
        """A manual run infers its interval otherwise than a scheduled one: give it the scheduled one's."""
        core = original(timetable)
        runs = scheduled_runs(core, logical_date, LOOK_AHEAD)
        info = next((info for info in runs if info.logical_date == logical_date), None)
        if info:
            core.infer_manual_data_interval = lambda run_after: info.data_interval
        return core

    encoders.coerce_to_core_timetable = scheduled
    try:
        run = dag.test(logical_date=as_pendulum(logical_date), run_conf=conf)
    finally:
        encoders.coerce_to_core_timetable = original
    return {
        "state": str(run.state),
        "tasks": {
            f"{item.task_id}[{item.map_index}]" if item.map_index >= 0 else item.task_id: str(item.state)
            for item in run.get_task_instances()
        },
    }


def scheduled_runs(timetable, earliest: datetime.datetime, count: int) -> list:
    """The first runs a schedule makes from a moment on, if it is one that makes runs by itself."""
    from airflow.timetables.base import TimeRestriction

    restriction = TimeRestriction(earliest=as_pendulum(earliest), latest=None, catchup=True)
    infos: list = []
    with contextlib.suppress(Exception):
        while len(infos) < count:
            last = infos[-1].data_interval if infos else None
            info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
            if info is None or info.data_interval is None:
                break
            infos.append(info)
    return infos


def as_pendulum(moment: datetime.datetime):
    import pendulum

    return pendulum.instance(moment, tz="UTC")


def run(
    template: str, dags_folder: str, dag_id: str, logical_dates: list[str], conf: dict, told: str, answer: str
) -> dict:
    """Run a DAG for each logical date (ISO 8601) in turn, in one metadata database.

    ``told``, ``answer``: files by which the clock is told while tasks wait (``airflow_waits``); empty: to nobody.
    """
    begin(template, dags_folder)
    waits = airflow_waits.Waits(told, answer)
    airflow_waits.install(waits)
    bag = dags_in(Path(dags_folder))
    if dag_id not in bag.dags:
        return {"problem": f"there is no DAG {dag_id!r}; found: {sorted(bag.dags)}", "errors": errors_of(bag)}
    runs = []
    for text in logical_dates:
        moment = datetime.datetime.fromisoformat(text)
        waits.by_task.clear()
        runs.append({"logical_date": text, **play(bag.dags[dag_id], moment, conf), "waited": dict(waits.by_task)})
        if runs[-1]["state"] != "success":
            break
    return {"runs": runs}


def errors_of(bag) -> dict:
    return {Path(path).name: str(error)[-2000:] for path, error in bag.import_errors.items()}


def describe(template: str, dags_folder: str) -> dict:
    """Parse the folder as the DAG processor would; what each DAG looks like, and what can't be imported."""
    import warnings

    begin(template, dags_folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bag = dags_in(Path(dags_folder))
    deprecated = sorted(
        {str(item.message)[:300] for item in caught if "deprecat" in f"{item.category.__name__}{item.message}".lower()}
    )
    return {
        "errors": errors_of(bag),
        "deprecations": deprecated,
        "dags": {dag_id: description(dag) for dag_id, dag in bag.dags.items()},
    }


def description(dag) -> dict:
    from airflow.serialization import encoders

    schedule = dag.timetable
    starts = [start for start in (dag.start_date, *(task.start_date for task in dag.tasks)) if start]
    infos = scheduled_runs(encoders.coerce_to_core_timetable(schedule), min(starts, default=SOME_DAY), LOOK_AHEAD)
    return {
        "runs": [
            [moment.isoformat() for moment in (info.logical_date, info.run_after, *info.data_interval)]
            for info in infos
        ],
        "schedule": getattr(schedule, "summary", None) or str(dag.schedule),
        "catchup": bool(dag.catchup),
        "start_date": dag.start_date.isoformat() if dag.start_date else None,
        "max_active_runs": dag.max_active_runs,
        "tags": sorted(dag.tags),
        "tasks": {
            task.task_id: {
                "type": task.task_type,
                "retries": task.retries or 0,
                "retry_delay": getattr(task.retry_delay, "total_seconds", lambda: 0)(),
                "downstream": sorted(task.downstream_task_ids),
                "owner": task.owner,
                "trigger_rule": str(task.trigger_rule),
                "depends_on_past": bool(task.depends_on_past),
            }
            for task in dag.tasks
        },
    }


def understand(template: str, dags_folder: str, commands: list[list[str]]) -> list[dict]:
    """What Airflow's own command line makes of commands, without executing them: the DAG named, or what is wrong."""
    import argparse
    import io

    begin(template, dags_folder)
    from airflow.cli.cli_parser import get_parser

    understood = []
    for words in commands:
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                given = get_parser().parse_args(words)
            understood.append({"dag_id": str(getattr(given, "dag_id", "") or ""), "problem": ""})
        except (SystemExit, argparse.ArgumentError, ValueError) as problem:
            asked = isinstance(problem, SystemExit) and problem.code in (0, None)
            understood.append({"dag_id": "", "problem": "" if asked else (said.getvalue()[-600:] or str(problem))})
    return understood
