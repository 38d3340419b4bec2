import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parent / "conftest.py"
MARKED = "import pytest\n@pytest.mark.{mark}\ndef test_marked(): pass\n\ndef test_anywhere(): pass\n"


def run_marked_test(folder: Path, mark: str = "docker", **variables: str) -> subprocess.CompletedProcess[str]:
    """The two tests on a machine whose Docker engine is out of reach, and that has no program on its path."""
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    docker: x\n    bubblewrap: x\n    browser: x\n")
    (folder / "test_marked.py").write_text(MARKED.format(mark=mark))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BENCH_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**inherited, "DOCKER_HOST": "unix:///nowhere/docker.sock", "PATH": "/nowhere", **variables},
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


def test_a_missing_browser_skips_its_tests_or_fails_them(tmp_path: Path) -> None:
    skipped = run_marked_test(tmp_path, "browser")
    assert (skipped.returncode, "1 passed, 1 skipped" in skipped.stdout) == (0, True), skipped.stdout
    failed = run_marked_test(tmp_path, "browser", BENCH_REQUIRE_BROWSER="1")
    assert (failed.returncode, "1 passed" in failed.stdout) == (1, True), failed.stdout
    assert "browser: none of chromium, chromium-browser, google-chrome is installed (BENCH_REQUIRE_BROWSER is set)" in (
        failed.stdout
    )
