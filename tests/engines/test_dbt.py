from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from harness.engines.dbt import Dbt
from harness.engines.duckdb import DuckDB
from harness.engines.postgres import Postgres
from harness.errors import SubmissionFault
from harness.lab import Lab
from tests.engines.conftest import begin

pytestmark = pytest.mark.engines

PROJECT = """
name: shop
profile: warehouse
model-paths: [models]
snapshot-paths: [snapshots]
vars: {least: 0}
"""
SOURCES = """
version: 2
sources:
  - name: shop
    %s
    schema: shop
    tables: [{name: orders}]
models:
  - name: orders
    columns:
      - name: id
        data_tests: [unique, not_null]
"""
INCREMENTAL = """
{{ config(materialized='incremental', unique_key='id') }}
select id, amount from {{ source('shop', 'orders') }} where amount >= {{ var('least') }}
{% if is_incremental() %} and id > (select coalesce(max(id), 0) from {{ this }}) {% endif %}
"""
SNAPSHOT = """
snapshots:
  - name: kept
    relation: source('shop', 'orders')
    config: {unique_key: id, strategy: check, check_cols: [amount]}
"""
FILES = {
    "dbt_project.yml": PROJECT,
    "models/orders.sql": INCREMENTAL,
    "snapshots/kept.yml": SNAPSHOT,
    "models/total.sql": "select sum(amount) as total from {{ ref('orders') }}",
}
MAKE = ("CREATE SCHEMA shop", "CREATE TABLE shop.orders (id int, amount int)")


class Warehouse:
    """The same questions to either warehouse."""

    def __init__(self, lab: Lab, engine: DuckDB | Postgres) -> None:
        self.lab, self.engine, self.dbt = lab, engine, lab.use(Dbt)
        self.schema = "main" if isinstance(engine, DuckDB) else "analytics"

    def begin(self, **changed: str) -> None:
        database = "database: source" if isinstance(self.engine, DuckDB) else "quoting: {database: false}"
        begin(self.lab, {**FILES, "models/shop.yml": SOURCES % database, **changed})
        self.engine.execute(*MAKE)
        if isinstance(self.engine, Postgres):
            self.engine.execute("GRANT USAGE ON SCHEMA shop TO loader", "GRANT SELECT ON shop.orders TO loader")
        self.insert((1, 10), (2, 20))

    def insert(self, *rows: tuple[int, int | None]) -> None:
        values = ", ".join(f"({number}, {'NULL' if amount is None else amount})" for number, amount in rows)
        self.engine.execute(f"INSERT INTO shop.orders VALUES {values}")

    def orders(self) -> list[tuple[int, int]]:
        return sorted(self.engine.table(f"{self.schema}.orders").rows)


@pytest.fixture(params=["duckdb", "postgres"])
def warehouse(request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    if request.param == "duckdb":
        lab: Lab = request.getfixturevalue("dbt_lab")
        found = Warehouse(lab, lab.use(DuckDB))
    else:
        lab = request.getfixturevalue("dbt_postgres_lab")
        found = Warehouse(lab, lab.use(Postgres))
    found.begin()
    return found


@pytest.fixture
def on_duckdb(dbt_lab: Lab) -> Warehouse:
    found = Warehouse(dbt_lab, dbt_lab.use(DuckDB))
    found.begin()
    return found


def test_build_makes_models_snapshots_and_runs_tests(warehouse: Warehouse) -> None:
    done = warehouse.dbt.build()
    assert done.ok, done.explain()
    assert warehouse.orders() == [(1, 10), (2, 20)]
    assert [int(row[0]) for row in warehouse.engine.table(f"{warehouse.schema}.total").rows] == [30]

    warehouse.insert((3, 30))
    warehouse.engine.execute("UPDATE shop.orders SET amount = 11 WHERE id = 1")
    result = warehouse.dbt.invoke("build")
    assert result.success
    assert warehouse.orders() == [(1, 10), (2, 20), (3, 30)], "an incremental run"
    node = result.named("orders")
    assert node
    assert node.status == "success"
    assert {name.split(".")[0] for name in result.nodes} == {"model", "snapshot", "test"}
    kept = warehouse.engine.table(f"{warehouse.schema}.kept")
    assert sorted((row["id"], row["amount"], row["dbt_valid_to"] is None) for row in kept) == [
        (1, 10, False),
        (1, 11, True),
        (2, 20, True),
        (3, 30, True),
    ]

    assert warehouse.dbt.run("orders", full_refresh=True).ok
    assert warehouse.orders() == [(1, 11), (2, 20), (3, 30)], "a full refresh"


def test_a_failing_test_fails_the_build_and_is_named(warehouse: Warehouse) -> None:
    warehouse.insert((2, 21))
    result = warehouse.dbt.invoke("build", "orders")
    assert not result.success
    assert not result.completed.ok
    assert "test.shop.unique_orders_id" in result.completed.explain()
    node = result.named("unique_orders_id")
    assert node
    assert (node.status, node.failures) == ("fail", 1)


def test_variables_are_passed(warehouse: Warehouse) -> None:
    assert warehouse.dbt.run("orders", {"least": 15}).ok
    assert warehouse.orders() == [(2, 20)]
    with pytest.raises(SubmissionFault):
        warehouse.engine.table(f"{warehouse.schema}.total")


def test_a_snapshot_alone(on_duckdb: Warehouse) -> None:
    assert on_duckdb.dbt.snapshot("kept").ok
    assert len(on_duckdb.engine.table("main.kept")) == 2


BROKEN = {
    "a model that doesn't parse": ({"models/orders.sql": "select {{ from"}, "orders"),
    "SQL that doesn't": ({"models/orders.sql": "selec 1 as id"}, "orders"),
    "a project that is no YAML": ({"dbt_project.yml": "name: [shop"}, "Syntax error"),
    "a model of a model that isn't there": ({"models/orders.sql": "select * from {{ ref('nowhere') }}"}, "nowhere"),
}


@pytest.mark.parametrize(("files", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_project_fails_and_says_why(on_duckdb: Warehouse, files: dict[str, str], said: str) -> None:
    on_duckdb.begin(**files)
    done = on_duckdb.dbt.run("orders")
    assert not done.ok
    assert said in done.explain()


def test_a_folder_without_a_project(on_duckdb: Warehouse) -> None:
    begin(on_duckdb.lab)
    assert "dbt_project.yml" in on_duckdb.dbt.build().explain()


ELSEWHERE = """
warehouse:
  target: elsewhere
  outputs:
    elsewhere: {type: duckdb, path: elsewhere.duckdb, threads: 1}
    duckdb: {type: duckdb, path: elsewhere.duckdb, threads: 1}
    postgres: {type: duckdb, path: elsewhere.duckdb, threads: 1}
"""
REDIRECTIONS = {
    "profiles.yml": ELSEWHERE,
    ".dbt/profiles.yml": ELSEWHERE,
    "profiles/profiles.yml": ELSEWHERE,
    ".env": "DBT_PROFILES_DIR=.\nDBT_TARGET=elsewhere\n",
    "dbt_project.yml": PROJECT + "target-path: elsewhere\n",
    ".user.yml": "id: elsewhere\n",
}


def test_a_project_cant_choose_where_it_writes(warehouse: Warehouse) -> None:
    warehouse.begin(**REDIRECTIONS)
    done = warehouse.dbt.run("orders")
    assert done.ok, done.explain()
    assert warehouse.orders() == [(1, 10), (2, 20)]
    assert not warehouse.lab.run("bash", "-c", "ls -d elsewhere*").ok


def test_a_project_with_another_profile_finds_none(on_duckdb: Warehouse) -> None:
    on_duckdb.begin(**{"dbt_project.yml": PROJECT.replace("warehouse", "mine"), "profiles.yml": ELSEWHERE})
    done = on_duckdb.dbt.run("orders")
    assert not done.ok
    assert "Could not find profile named 'mine'" in done.explain()


def test_the_profile_cant_be_written(on_duckdb: Warehouse) -> None:
    lab = on_duckdb.lab
    if lab.box.path("sockets") != "/sockets":
        pytest.skip("the embedded sandbox confines nobody")
    path = PurePosixPath(lab.run("bash", "-c", "echo $DBT_PROFILES_DIR").stdout.strip())
    assert lab.run("test", "-r", str(path / "profiles.yml")).ok
    for script in (f"echo x > {path}/profiles.yml", f"rm {path}/profiles.yml", f"mv {path} {path}.old"):
        assert not lab.run("bash", "-c", script).ok


# A Python model runs in dbt's own process.
PYTHON_MODEL = """
import os, time

def model(dbt, session):
    dbt.config(materialized="table")
    {act}
    return session.sql("select 1 as id")
"""
ACTS = {
    "ends the process": "os._exit(0)",
    "kills it": "os.kill(os.getpid(), 9)",
    "forges the result": "[closed(n) for n in range(3, 64)]; os._exit(0)",
    "raises": "raise RuntimeError('the model is broken')",
}
CLOSED = """

def closed(number):
    try:
        os.write(number, b'{"success": true, "exception": "", "nodes": 5}')
    except OSError:
        pass
"""


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_a_model_that_ends_dbt_is_no_success(on_duckdb: Warehouse, act: str) -> None:
    on_duckdb.begin(**{"models/hostile.py": PYTHON_MODEL.format(act=act) + CLOSED})
    assert not on_duckdb.dbt.run("hostile").ok


def test_a_model_that_hangs_is_ended(on_duckdb: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    on_duckdb.begin(**{"models/hangs.py": PYTHON_MODEL.format(act="time.sleep(600)")})
    box = on_duckdb.lab.box
    call = box.call
    monkeypatch.setattr(box, "call", lambda *words, **options: call(*words, **{**options, "timeout": 5}))
    assert on_duckdb.dbt.run("hangs").timed_out
    monkeypatch.undo()
    on_duckdb.begin()
    assert on_duckdb.dbt.run("orders").ok


def test_what_a_model_leaves_running_is_gone(on_duckdb: Warehouse) -> None:
    on_duckdb.begin(**{"models/leaves.py": PYTHON_MODEL.format(act="os.fork() or (os.setsid(), time.sleep(600))")})
    done = on_duckdb.dbt.run("leaves")
    assert done.ok, done.explain()
    assert done.outlived >= 1


def test_a_kill_after_a_statement_on_postgres(dbt_postgres_lab: Lab) -> None:
    warehouse = Warehouse(dbt_postgres_lab, dbt_postgres_lab.use(Postgres))
    postgres = dbt_postgres_lab.use(Postgres)
    warehouse.begin()
    postgres.count()
    assert warehouse.dbt.run("orders").ok
    statuses = postgres.stop_counting()
    assert "T" in statuses
    assert "I" in statuses
    # In the midst of the last transaction.
    warehouse.begin()
    postgres.crash(len(statuses) - 1)
    assert warehouse.dbt.run("orders").killed == "killed"
    assert len(postgres.stop_counting()) == len(statuses) - 1
    assert warehouse.dbt.run("orders").ok
    assert warehouse.orders() == [(1, 10), (2, 20)]


def test_a_kill_after_a_statement_on_duckdb(on_duckdb: Warehouse) -> None:
    duckdb = on_duckdb.lab.use(DuckDB)
    duckdb.count()
    assert on_duckdb.dbt.run("orders").ok
    statuses = duckdb.stop_counting()
    assert len(statuses) > 3
    on_duckdb.begin()
    duckdb.crash(len(statuses) - 2)
    assert on_duckdb.dbt.run("orders").exit_code == -9
    assert len(duckdb.stop_counting()) == len(statuses) - 2
    assert on_duckdb.dbt.run("orders").ok
    assert on_duckdb.orders() == [(1, 10), (2, 20)]
