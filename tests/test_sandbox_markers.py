import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parent / "conftest.py"
MARKED = "import pytest\n@pytest.mark.docker\ndef test_in_docker(): pass\n\ndef test_anywhere(): pass\n"


def run_marked_test(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The two tests on a machine whose Docker engine is out of reach."""
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    docker: x\n    bubblewrap: x\n")
    (folder / "test_marked.py").write_text(MARKED)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BENCH_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**inherited, "DOCKER_HOST": "unix:///nowhere/docker.sock", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_missing_sandbox_skips_its_tests_and_says_why(tmp_path: Path) -> None:
    done = run_marked_test(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 passed, 1 skipped" in done.stdout
    assert "docker:" in done.stdout


@pytest.mark.parametrize("required", ["docker", "bubblewrap, docker"])
def test_a_required_sandbox_fails_its_tests(tmp_path: Path, required: str) -> None:
    done = run_marked_test(tmp_path, BENCH_REQUIRE_SANDBOXES=required)
    assert done.returncode == 1, done.stdout
    assert "1 passed" in done.stdout
    assert "BENCH_REQUIRE_SANDBOXES names it" in done.stdout


def test_an_unknown_name_in_the_switch_is_an_error(tmp_path: Path) -> None:
    done = run_marked_test(tmp_path, BENCH_REQUIRE_SANDBOXES="docker,podman")
    assert done.returncode == 4
    assert "names podman; known: docker, bubblewrap" in done.stderr
