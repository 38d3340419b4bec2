"""A wheel, installed where nothing else is, does the main job from another folder: all that it needs travels in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import uv

from harness.task import load_suite
from results.run_directory import RunDirectory, find_runs

ROOT = Path(__file__).parents[2]
HEAVY = ("pandas", "numpy", "scipy", "pydantic", "rich", "docker", "anthropic", "openai", "httpx2", "sqlglot", "uv")


def must(*argv: object, cwd: Path) -> str:
    """Run a program without anything that points back to the checkout."""
    inherited = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(list(map(str, argv)), cwd=cwd, env=inherited, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bench`` of an environment into which the wheel was installed, beside the packages that tests run with."""
    folder = tmp_path_factory.mktemp("wheel")
    tool, environment = uv.find_uv_bin(), folder / "venv"
    must(tool, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    must(tool, "venv", "--quiet", "--python", sys.executable, environment, cwd=folder)
    # The versions at hand, which are in uv's or pip's cache: no test of what the newest are.
    frozen = must(tool, "pip", "freeze", "--exclude-editable", "--python", sys.executable, cwd=folder)
    (folder / "constraints.txt").write_text(frozen)
    install = [tool, "pip", "install", "--quiet", "--python", environment / "bin" / "python"]
    must(*install, "--constraints", folder / "constraints.txt", wheel, cwd=folder)
    return environment / "bin" / "bench"


def test_an_installed_wheel_lists_the_tasks(installed: Path, tmp_path: Path) -> None:
    shown = must(installed, "tasks", "--json", cwd=tmp_path)
    assert all(f'"id": "{task.id}"' in shown for task in load_suite())
    where = must(installed.with_name("python"), "-c", "import harness; print(harness.__file__)", cwd=tmp_path)
    assert not Path(where.strip()).is_relative_to(ROOT)


def test_an_installed_wheel_runs_and_grades(installed: Path, tmp_path: Path) -> None:
    must(installed, "run", "--model", "nop", "--task", "sql/scd2-users", cwd=tmp_path)
    (path,) = find_runs(tmp_path / "runs")
    run = RunDirectory.open(path)
    (record,) = run.records()
    assert (record.status, record.score, record.resolved) == ("graded", 0.0, False)
    assert run.record.persona.text == (ROOT / "harness" / "personas" / "data-engineer.md").read_text()
    assert (
        run.record.tasks["sql/scd2-users"].digest == {task.id: task.digest for task in load_suite()}["sql/scd2-users"]
    )
    must(installed, "report", cwd=tmp_path)
    assert "leaderboard" in (tmp_path / "site" / "index.html").read_text().lower()
    assert (tmp_path / "site" / "assets" / "report.js").read_bytes()


def test_an_installed_wheel_makes_a_task(installed: Path, tmp_path: Path) -> None:
    must(installed, "new", "task", "sql/mine", "--suite", "mine", cwd=tmp_path)
    assert "sql/mine" in must(installed, "tasks", "--suite", "./tasks/mine", cwd=tmp_path)
    assert "airflow3" in must(installed, "engines", cwd=tmp_path)


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys; from harness import cli; cli.execute(['--help']);"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.endswith("[]\n")
