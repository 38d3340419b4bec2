"""Each engine once in Docker: the rest of these tests is content with the quicker sandbox."""

from __future__ import annotations

import datetime

import pytest

from harness.engines.airflow import Airflow
from harness.engines.dbt import Dbt
from harness.engines.duckdb import DuckDB
from harness.engines.postgres import Postgres
from harness.errors import SubmissionFault
from harness.sandboxes import _choice
from tests.engines.conftest import begin, open_lab

pytestmark = [pytest.mark.engines, pytest.mark.docker]

DAG = """
import datetime
from airflow.sdk import DAG, task
from airflow.providers.postgres.hooks.postgres import PostgresHook

with DAG("load", schedule="@daily", start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), catchup=False):
    @task
    def load(ds=None):
        PostgresHook("warehouse").run("CREATE TABLE days AS SELECT %s::date AS day", parameters=(ds,))
    load()
"""
LOAD = "import duckdb, os; duckdb.connect(os.environ['WAREHOUSE']).execute('CREATE TABLE orders AS SELECT 1 AS id')"
PROJECT = "name: shop\nprofile: warehouse\n"


def test_warehouses_and_dbt() -> None:
    files = {"dbt_project.yml": PROJECT, "models/orders.sql": "select 2 as id", "load.sql": "CREATE TABLE t (n int);"}
    with open_lab(["postgres", "duckdb", "dbt"], sandbox=_choice.load("docker")) as lab:
        begin(lab, files)
        postgres, duckdb = lab.use(Postgres), lab.use(DuckDB)
        done = lab.use(Dbt).build()
        assert done.ok, done.explain()
        assert postgres.table("analytics.orders").rows == ((2,),)
        assert lab.run("python", "-c", LOAD).ok
        assert duckdb.table("orders").rows == ((1,),)

        duckdb.crash(0)
        assert lab.run("python", "-c", LOAD).exit_code == -9
        assert duckdb.stop_counting() == []
        postgres.crash(0)
        assert postgres.script("load.sql").killed == "killed"
        assert postgres.stop_counting() == []
        with pytest.raises(SubmissionFault):
            postgres.table("t")
        assert postgres.script("load.sql").ok


def test_airflow() -> None:
    day = datetime.datetime(2026, 1, 5, tzinfo=datetime.UTC)
    with open_lab(["postgres", "airflow"], "airflow3", sandbox=_choice.load("docker")) as lab:
        begin(lab, {"dags/load.py": DAG})
        airflow = lab.use(Airflow)
        assert set(airflow.parse().dags) == {"load"}
        done = airflow.run("load", day)
        assert done.ok, done.explain()
        assert lab.use(Postgres).table("days").rows == ((day.date(),),)
