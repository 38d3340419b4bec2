"""What would take hours of waiting keeps its meaning, and takes none."""

from __future__ import annotations

import datetime

import pytest

from harness.engines.airflow import Airflow
from harness.lab import Lab
from tests.engines.conftest import begin

pytestmark = pytest.mark.engines

DAGS = """
import datetime, os
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.sdk import DAG, task

def looks():
    with open("said", "a") as file:
        file.write("look\\n")
    return os.path.exists(f"{os.environ['DATA']}/due/file")

def sensor(name, **named):
    with DAG(name, schedule=None):
        PythonSensor(task_id="wait", python_callable=looks, poke_interval=300, **named)

sensor("waits", timeout=3600)
sensor("is_rescheduled", timeout=3600, mode="reschedule", retries=2)
sensor("is_skipped", timeout=3600, soft_fail=True)
sensor("is_ended", execution_timeout=datetime.timedelta(minutes=20), retries=0)
sensor("for_ever")

with DAG("is_deferred", schedule=None):
    FileSensor(task_id="wait", filepath=f"{os.environ['DATA']}/due/file", poke_interval=300, timeout=3600,
               deferrable=True)

with DAG("tries", schedule=None):
    @task(retries=12, retry_delay=datetime.timedelta(minutes=5))
    def wait():
        assert looks()
    wait()
"""
DAY = datetime.datetime(2026, 1, 5, tzinfo=datetime.UTC)
FILES = {1500.0: {"due/file": "here"}}


@pytest.fixture
def lab(airflow_lab: Lab) -> Lab:
    return begin(airflow_lab, {"dags/waiting.py": DAGS})


def looks(lab: Lab) -> int:
    return len(lab.run("cat", "said").stdout.splitlines())


@pytest.mark.parametrize(
    ("dag", "state", "waited", "times"),
    [
        ("waits", "failed", 3600.0, 13),
        ("is_rescheduled", "failed", 3600.0, 13),
        ("is_skipped", "skipped", 3600.0, 13),
        ("is_ended", "failed", 1500.0, 5),
        ("for_ever", "failed", 7 * 86400.0, 2017),
        ("is_deferred", "failed", 3900.0, 0),
        ("tries", "failed", 3600.0, 13),
    ],
)
def test_whoever_waits_looks_as_often_as_it_would(lab: Lab, dag: str, state: str, waited: float, times: int) -> None:
    airflow = lab.use(Airflow)
    done = airflow.run(dag, DAY)
    assert airflow.states(done) == {"wait": state}, done.explain()
    assert airflow.waited(done)["wait"] == pytest.approx(waited, abs=1)
    assert looks(lab) == times


@pytest.mark.parametrize("dag", ["waits", "is_rescheduled", "is_deferred", "tries"])
def test_a_file_that_comes_meanwhile_is_found(lab: Lab, dag: str) -> None:
    airflow = lab.use(Airflow)
    done = airflow.run(dag, DAY, arrivals=FILES)
    assert airflow.states(done) == {"wait": "success"}, done.explain()
    assert airflow.waited(done)["wait"] == pytest.approx(1500.0, abs=1)


def test_a_file_that_comes_too_late_is_not_found(lab: Lab) -> None:
    airflow = lab.use(Airflow)
    done = airflow.run("waits", DAY, arrivals={5000.0: {"due/file": "here"}})
    assert airflow.states(done) == {"wait": "failed"}
