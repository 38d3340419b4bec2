"""Building environments: what fails leaves nothing half-built and says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.display import display
from harness.errors import InfrastructureError, UsageError
from harness.run import runnable
from harness.sandboxes import _environments, docker
from harness.sandboxes._environments import build_venv, venv_folder
from harness.sandboxes.embedded import Embedded
from harness.task import Task
from tests.engines.conftest import task_with

IMPOSSIBLE = "no-such-package @ file:///nowhere/no_such_package-1.0-py3-none-any.whl --hash=sha256:" + "0" * 64 + "\n"


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Recipes of our own and an empty cache. ``prepare.py`` is left out: it needs packages."""
    folder = tmp_path / "environments"
    for name in ("Dockerfile", "requirements.uv"):
        (folder / "tiny").mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((_environments.RECIPES / name).read_bytes())
    (folder / "tiny" / "requirements.lock").write_text("")
    monkeypatch.setattr(_environments, "RECIPES", folder)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    runtime = tmp_path / "runtime"
    (runtime / "driver").mkdir(parents=True)
    (runtime / "driver" / "prepare.py").write_text("import sys, pathlib; pathlib.Path(sys.argv[1]).mkdir(parents=True)")
    monkeypatch.setattr(_environments, "runtime_folder", lambda: runtime)
    return folder


def cached(tmp_path: Path) -> list[str]:
    """What is in the cache, locks apart."""
    folder = tmp_path / "cache" / "environments"
    return [path.name for path in folder.iterdir() if not path.name.endswith(".lock")] if folder.is_dir() else []


def test_an_unknown_environment_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown environment 'nothing'") as caught:
        Embedded().open("nothing", docker.BoxLimits())
    assert caught.value.mend == f"known: {', '.join(_environments.names())}"


@pytest.mark.parametrize("name", ["../core", "core/../core", ""])
def test_a_name_that_leads_elsewhere_is_unknown(name: str) -> None:
    with pytest.raises(UsageError, match="unknown environment"):
        _environments.lock_file(name)


def test_a_virtual_environment_is_built_once(recipes: Path, tmp_path: Path) -> None:
    folder = build_venv("tiny")
    assert folder == venv_folder("tiny")
    assert (folder / "share" / "warm").is_dir()
    done = subprocess.run(
        [folder / "bin" / "python", "-c", "import sys; print(sys.prefix)"], capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == str(folder)
    (folder / "witness").touch()
    assert build_venv("tiny") == folder
    assert (folder / "witness").exists()
    assert cached(tmp_path) == [folder.name]


def test_another_recipe_is_another_environment_and_leaves_the_old_to_who_uses_it(recipes: Path, tmp_path: Path) -> None:
    old = build_venv("tiny")
    (recipes / "tiny" / "requirements.lock").write_text("# changed\n")
    new = build_venv("tiny")
    assert new != old
    assert sorted(cached(tmp_path)) == sorted([old.name, new.name])


def test_an_environment_that_was_not_used_for_long_is_removed(recipes: Path, tmp_path: Path) -> None:
    old = build_venv("tiny")
    os.utime(old, (0, 0))
    assert build_venv("tiny") == old
    (recipes / "tiny" / "requirements.lock").write_text("# changed\n")
    used = build_venv("tiny")
    assert old.is_dir()
    os.utime(old, (0, 0))
    (recipes / "tiny" / "requirements.lock").write_text("# changed again\n")
    newest = build_venv("tiny")
    assert sorted(cached(tmp_path)) == sorted([used.name, newest.name])


def test_every_installation_on_one_python_shares_an_environment(recipes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = venv_folder("tiny")
    monkeypatch.setattr(sys, "executable", "/another/venv/bin/python")
    assert venv_folder("tiny") == mine


def test_a_failed_build_leaves_nothing_and_says_what_to_do(recipes: Path, tmp_path: Path) -> None:
    (recipes / "tiny" / "requirements.lock").write_text(IMPOSSIBLE)
    with pytest.raises(InfrastructureError) as caught:
        build_venv("tiny")
    assert caught.value.cause == "environment-build"
    assert "no_such_package" in caught.value.problem
    assert "again" in caught.value.mend
    assert cached(tmp_path) == []
    assert not Embedded().is_prepared("tiny")


def test_a_build_whose_preparation_fails_leaves_nothing(recipes: Path, tmp_path: Path) -> None:
    prepare = _environments.runtime_folder() / "driver" / "prepare.py"
    prepare.write_text("raise SystemExit('the database could not be made')")
    with pytest.raises(InfrastructureError, match="the database could not be made"):
        build_venv("tiny")
    assert cached(tmp_path) == []


def test_a_machine_without_what_an_environment_takes_leaves_its_tasks_out(
    recipes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (recipes / "tiny" / "prepare.py").write_text("raise SystemExit('no Java is here: install one')")
    (recipes / "other").mkdir()
    (recipes / "other" / "requirements.lock").write_text("")
    without, plain = (Task("test", recipes, task_with(["dbt"], name).manifest) for name in ("tiny", "other"))
    with display(sys.stderr) as shown:
        assert runnable(Embedded(), [without, plain], shown, named=False) == [plain]
        assert runnable(docker.Docker(), [without, plain], shown, named=True) == [without, plain]
        for tasks, named in (([without, plain], True), ([without], False)):
            with pytest.raises(UsageError, match="can't run here: no Java is here: install one"):
                runnable(Embedded(), tasks, shown, named=named)
    assert "left out: sql/orders: no Java is here: install one" in capsys.readouterr().err


BUILD = """
import sys
from pathlib import Path
from harness.sandboxes import _environments
_environments.RECIPES, runtime = Path(sys.argv[1]), Path(sys.argv[2])
_environments.runtime_folder = lambda: runtime
print(_environments.build_venv("tiny"))
"""


def test_two_processes_build_it_at_once_and_one_does(recipes: Path, tmp_path: Path) -> None:
    runtime = _environments.runtime_folder()
    prepare = runtime / "driver" / "prepare.py"
    # Fails if a second one prepares while the first does, or after it.
    prepare.write_text(f"{prepare.read_text()}\nopen({str(tmp_path / 'prepared')!r}, 'x').close()")
    argv = [sys.executable, "-c", BUILD, str(recipes), str(runtime)]
    builders = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = {builder.communicate(timeout=120)[0].strip() for builder in builders}
    assert [builder.returncode for builder in builders] == [0, 0, 0]
    assert said == {str(venv_folder("tiny"))}
    assert (tmp_path / "prepared").exists()
    assert cached(tmp_path) == [venv_folder("tiny").name]


@pytest.mark.docker
def test_an_image_that_cant_be_built_is_told_with_its_mend(recipes: Path) -> None:
    (recipes / "tiny" / "requirements.lock").write_text(IMPOSSIBLE)
    (recipes / "Dockerfile").write_text("FROM scratch\nCOPY no-such-file /\n")
    sandbox = docker.Docker()
    with pytest.raises(InfrastructureError) as caught:
        sandbox.prepare("tiny")
    assert caught.value.cause == "environment-build"
    assert "image of 'tiny'" in caught.value.problem
    assert "scripts/make-base-image" in caught.value.mend
    assert not sandbox.is_prepared("tiny")


def test_the_lock_files_pin_every_package_by_hash() -> None:
    for name in _environments.names():
        lines = _environments.lock_file(name).decode().replace("\\\n", " ").splitlines()
        pinned = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
        assert pinned
        assert all("==" in line and "--hash=sha256:" in line for line in pinned), name
