from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness import cli
from tests.cli.program import Bench
from tests.cli.tiny import make_suite
from tests.provider.fixture import provider

__all__ = ["provider"]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite of one task that is graded in a blink."""
    return make_suite(tmp_path / "suites" / "tiny")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    """``bench`` in this process, which has imported everything already, in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        code = cli.execute(arguments)
        said = capsys.readouterr()
        assert "Traceback" not in said.err, said.err
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    return run
