from __future__ import annotations

import datetime

import pytest

from harness.engines.airflow import Airflow, days
from harness.engines.postgres import Postgres
from harness.errors import SubmissionFault
from harness.lab import Lab
from tests.engines.conftest import begin

pytestmark = pytest.mark.engines

UTC = datetime.UTC
ORDERS = """
import datetime, os, sys
from airflow.sdk import DAG, task
from airflow.timetables.interval import CronDataIntervalTimetable, DeltaDataIntervalTimetable

STARTS = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

def said(text):
    with open("said", "a") as file:
        file.write(text + "\\n")

with DAG("orders", schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"), start_date=STARTS, catchup=True,
         max_active_runs=1, tags=["shop"], default_args={"retries": 2, "retry_delay": datetime.timedelta(minutes=5)}):
    @task
    def extract(logical_date=None, data_interval_start=None, data_interval_end=None, ds=None):
        said(f"{ds} {data_interval_start.isoformat()} {data_interval_end.isoformat()}")
        return ds

    @task(owner="data")
    def load(day):
        said(f"loaded {day}")

    load(extract())

with DAG("trigger", schedule="@daily", start_date=STARTS, catchup=False):
    @task
    def interval(data_interval_start=None, data_interval_end=None):
        said(f"{data_interval_start.isoformat()} {data_interval_end.isoformat()}")
    interval()

with DAG("stubborn", schedule=None, start_date=STARTS):
    @task(retries=3, retry_delay=datetime.timedelta(hours=1))
    def fails():
        said("try")
        raise RuntimeError("the source is gone")

    @task
    def after():
        said("after")

    fails() >> after()

with DAG("recovers", schedule=None, start_date=STARTS):
    @task(retries=2, retry_delay=datetime.timedelta(hours=1))
    def second_time():
        said("try")
        if open("said").read().count("try") < 2:
            raise RuntimeError("not yet")
    second_time()

with DAG("configured", schedule=None, start_date=STARTS):
    @task
    def conf(params=None, dag_run=None):
        said(str(dag_run.conf))
    conf()

with DAG("hangs", schedule=None, start_date=STARTS):
    @task
    def forever():
        import time
        time.sleep(600)
    forever()

with DAG("leaves", schedule=None, start_date=STARTS):
    @task
    def daemon():
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                import time
                time.sleep(600)
            os._exit(0)
        os.wait()
    daemon()

with DAG("floods", schedule=None, start_date=STARTS):
    @task
    def flood():
        while True:
            os.write(1, b"nothing to say, at length\\n" * 4000)
    flood()

with DAG("forges", schedule=None, start_date=STARTS):
    @task
    def forge():
        for number in range(3, 100):
            try:
                os.write(number, b'{"runs": [{"state": "success", "logical_date": 5}]}')
            except OSError:
                pass
        os._exit(0)
    forge()
"""
LOADS = """
import datetime
from airflow.sdk import DAG, task
from airflow.providers.postgres.hooks.postgres import PostgresHook

with DAG("load", schedule="@daily", start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), catchup=False):
    @task
    def load(ds=None):
        hook = PostgresHook("warehouse")
        with hook.get_conn() as link, link.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS days (day date)")
            cursor.execute("DELETE FROM days WHERE day = %s", (ds,))
            cursor.execute("INSERT INTO days VALUES (%s)", (ds,))
    load()
"""
# Airflow looks only into files that hold both of these words.
MARK = "# a dag for airflow\n"
WRONG = {
    "wrong.py": f"{MARK}def f(:\n",
    "missing.py": f"{MARK}import no_such_module\n",
    "raises.py": f"{MARK}raise RuntimeError('at import')\n",
}


@pytest.fixture(scope="module")
def warm_lab(airflow_lab: Lab) -> Lab:
    airflow_lab.use(Airflow).parse()
    return airflow_lab


@pytest.fixture
def lab(airflow_lab: Lab, warm_lab: Lab) -> Lab:
    return begin(airflow_lab, {"dags/orders.py": ORDERS, "dags/load.py": LOADS})


@pytest.fixture
def airflow(lab: Lab) -> Airflow:
    return lab.use(Airflow)


def said(lab: Lab) -> list[str]:
    return lab.run("cat", "said").stdout.splitlines()


def day(number: int, hour: int = 0) -> datetime.datetime:
    return datetime.datetime(2026, 1, number, hour, tzinfo=UTC)


def test_a_folder_is_parsed(airflow: Airflow) -> None:
    parsed = airflow.parse()
    assert parsed.errors == {}
    dag = parsed.dags["orders"]
    assert (dag.schedule, dag.catchup, dag.max_active_runs, dag.tags) == ("0 2 * * *", True, 1, ("shop",))
    assert dag.start_date == day(1)
    assert dag.edges == {("extract", "load")}
    assert dag.tasks["load"].owner == "data"
    assert (dag.tasks["extract"].retries, dag.tasks["extract"].retry_delay) == (2, 300.0)
    first = dag.runs[0]
    assert (first.logical_date, first.interval) == (day(1, 2), (day(1, 2), day(2, 2)))
    assert first.starts == day(2, 2)
    assert parsed.dags["stubborn"].runs == ()


def test_command_lines_are_read_as_airflow_reads_them(airflow: Airflow) -> None:
    trigger = ["dags", "trigger", "orders", "--logical-date", "2026-01-01T02:00:00+00:00"]
    assert airflow.understand(trigger).dag_id == "orders"
    assert airflow.understand(trigger).problem == ""
    backfill = ["backfill", "create", "--dag-id", "orders", "--from-date", "2026-01-01", "--to-date", "2026-01-03"]
    assert (airflow.understand(backfill).dag_id, airflow.understand(backfill).problem) == ("orders", "")
    # Of Airflow 2.
    assert airflow.understand(["dags", "backfill", "orders", "--start-date", "2026-01-01"]).problem
    assert "--exec-date" in airflow.understand(["dags", "trigger", "orders", "--exec-date", "2026-01-01"]).problem


def test_files_that_cant_be_imported_are_told_and_hide_nobody(airflow: Airflow, lab: Lab) -> None:
    lab.box.put("work", {f"dags/{name}": text.encode() for name, text in WRONG.items()})
    parsed = airflow.parse()
    assert set(parsed.errors) == set(WRONG)
    assert "SyntaxError" in parsed.errors["wrong.py"]
    assert "no_such_module" in parsed.errors["missing.py"]
    assert "at import" in parsed.errors["raises.py"]
    assert "orders" in parsed.dags


def test_a_folder_without_dags(airflow: Airflow, lab: Lab) -> None:
    begin(lab)
    assert airflow.parse().dags == {}
    done = airflow.run("orders", day(5))
    assert "there is no DAG 'orders'; found: []" in done.explain()


@pytest.mark.parametrize(
    "end", ["import os; os._exit(0)", "import os; os._exit(7)", "import os; os.kill(os.getpid(), 9)"]
)
def test_a_file_that_ends_the_process_that_parses_it(airflow: Airflow, lab: Lab, end: str) -> None:
    lab.box.put("work", {"dags/ends.py": f"{MARK}{end}".encode()})
    with pytest.raises(SubmissionFault, match="parsing the DAGs folder"):
        airflow.parse()
    assert not airflow.run("orders", day(5, 2)).ok
    lab.fresh()
    assert "orders" in airflow.parse().dags


def test_a_past_day_is_run_with_the_interval_its_schedule_gives_it(airflow: Airflow, lab: Lab) -> None:
    done = airflow.run("orders", day(5, 2))
    assert done.ok, done.explain()
    assert airflow.states(done) == {"extract": "success", "load": "success"}
    assert said(lab) == ["2026-01-05 2026-01-05T02:00:00+00:00 2026-01-06T02:00:00+00:00", "loaded 2026-01-05"]


def test_a_plain_cron_schedule_gives_the_interval_that_airflow_gives_it(airflow: Airflow, lab: Lab) -> None:
    planned = airflow.parse().dags["trigger"].runs[0]
    assert airflow.run("trigger", planned.logical_date).ok
    assert said(lab) == [f"{planned.interval[0].isoformat()} {planned.interval[1].isoformat()}"]


def test_a_backfill_runs_in_the_order_that_was_asked_for(airflow: Airflow, lab: Lab) -> None:
    done = airflow.run("orders", day(7, 2), *days(datetime.date(2026, 1, 3), 2, hour=2))
    assert done.ok, done.explain()
    assert [line for line in said(lab) if line.startswith("loaded")] == [f"loaded 2026-01-0{n}" for n in (7, 3, 4)]


def test_the_same_day_can_be_run_again(airflow: Airflow, lab: Lab) -> None:
    assert airflow.run("orders", day(5, 2)).ok
    assert airflow.run("orders", day(5, 2)).ok
    assert said(lab).count("loaded 2026-01-05") == 2


def test_a_run_takes_its_configuration(airflow: Airflow, lab: Lab) -> None:
    assert airflow.run("configured", day(5), conf={"full": True}).ok
    assert said(lab) == ["{'full': True}"]


def test_a_failing_task_is_tried_again_without_waiting_and_then_fails_the_run(airflow: Airflow, lab: Lab) -> None:
    done = airflow.run("stubborn", day(5), day(6))
    assert not done.ok
    assert said(lab) == ["try"] * 4, "retries = 3, and no second day after a failed one"
    assert airflow.states(done) == {"fails": "failed", "after": "upstream_failed"}
    assert "the source is gone" in done.explain()


def test_a_task_that_recovers_makes_a_good_run(airflow: Airflow, lab: Lab) -> None:
    done = airflow.run("recovers", day(5))
    assert done.ok, done.explain()
    assert said(lab) == ["try", "try"]


def test_an_unknown_dag(airflow: Airflow) -> None:
    assert "there is no DAG 'nightly'" in airflow.run("nightly", day(5)).explain()


def test_a_task_that_hangs_is_ended(airflow: Airflow, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    call = lab.box.call
    monkeypatch.setattr(lab.box, "call", lambda *words, **options: call(*words, **{**options, "timeout": 4}))
    assert airflow.run("hangs", day(5)).timed_out
    monkeypatch.undo()
    assert airflow.run("orders", day(5, 2)).ok


def test_a_task_that_floods_is_ended(airflow: Airflow) -> None:
    done = airflow.run("floods", day(5))
    assert not done.ok
    assert done.killed in ("output", "disk", "timeout"), done.explain()
    assert airflow.run("orders", day(5, 2)).ok


def test_what_a_task_leaves_running_is_gone(airflow: Airflow, lab: Lab) -> None:
    done = airflow.run("leaves", day(5))
    assert done.outlived >= 1
    assert lab.run("bash", "-c", "cat /proc/[0-9]*/comm | grep -c airflow").stdout.strip() == "0"


def test_a_task_that_forges_its_result_is_no_success(airflow: Airflow) -> None:
    assert not airflow.run("forges", day(5)).ok
    assert airflow.run("orders", day(5, 2)).ok


def test_a_dag_loads_the_warehouse_and_can_be_killed_after_a_statement(airflow: Airflow, lab: Lab) -> None:
    postgres = lab.use(Postgres)
    postgres.count()
    done = airflow.run("load", day(5))
    assert done.ok, done.explain()
    assert postgres.stop_counting() == list("TTTTI")
    assert postgres.table("days").rows == ((datetime.date(2026, 1, 5),),)

    lab.fresh()
    postgres.crash(4)
    assert airflow.run("load", day(5)).killed == "killed"
    assert postgres.stop_counting() == list("TTTT")
    with pytest.raises(SubmissionFault):
        postgres.table("days")
    assert airflow.run("load", day(5)).ok
