"""``bench new task``: what it writes is proven as it stands, and it overwrites nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.scaffold import engines, make_task
from harness.task import load_suite
from harness.task_problems import task_problems
from tests.cli.program import bench


def test_a_new_task_is_proven_as_it_stands(tmp_path: Path) -> None:
    made = bench("new", "task", "sql/daily-orders", "--suite", "mine/shop", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "mine/shop/sql/daily-orders/checks.py" in made.stdout.splitlines()
    assert "bench verify sql/daily-orders --suite ./mine/shop" in made.stderr
    verified = bench("verify", "--suite", "./mine/shop", "--seeds", "1", cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert verified.stdout.endswith("all green\n")


@pytest.mark.parametrize("engine", engines())
def test_every_engines_template_makes_a_whole_task(engine: str, tmp_path: Path) -> None:
    make_task(f"{engine}/orders", tmp_path / "shop", engine)
    (task,) = load_suite(f"{tmp_path}/shop")
    assert engine in task.manifest.engines
    assert task_problems(task) == []
    assert not list(task.folder.rglob("*.template"))
    assert "Replace: " in task.instruction


def test_every_engine_whose_task_can_be_asked_for_has_a_template() -> None:
    assert engines() == ["airflow", "dbt", "duckdb", "postgres"]


def test_two_tasks_have_different_canaries(tmp_path: Path) -> None:
    make_task("sql/one", tmp_path / "shop", "postgres")
    make_task("sql/two", tmp_path / "shop", "postgres")
    one, two = load_suite(f"{tmp_path}/shop")
    assert one.manifest.canary != two.manifest.canary


@pytest.mark.parametrize(
    "name", ["sql", "sql/", "/x", "a/b/c", "SQL/Load", "sql/../x", "sql/lo ad", "-a/b", "sql/a--b"]
)
def test_a_bad_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no task's name"):
        make_task(name, tmp_path / "shop", "postgres")
    assert not list(tmp_path.iterdir())


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    existing = tmp_path / "shop" / "sql" / "orders"
    existing.mkdir(parents=True)
    (existing / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        make_task("sql/orders", tmp_path / "shop", "postgres")
    assert [path.name for path in existing.iterdir()] == ["mine.txt"]


def test_an_unknown_engine_and_a_place_that_is_none(tmp_path: Path) -> None:
    refused = bench("new", "task", "sql/orders", "--engine", "oracle", "--suite", f"{tmp_path}/shop", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "known: airflow, dbt, duckdb, postgres" in refused.stderr
    (tmp_path / "file").write_text("")
    refused = bench("new", "task", "sql/orders", "--suite", f"{tmp_path}/file", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "can't be written" in refused.stderr
