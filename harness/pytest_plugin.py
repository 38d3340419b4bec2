"""The pytest plugin: the fixture ``bench``, for tests in a persona's repository. See docs/gate.md.

pytest loads it wherever this project is installed, so it does nothing and imports nothing of ours until a test asks
for the fixture.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.gate import Bench

FOLDER = "runs"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("bench_runs", f"Where the fixture `bench` keeps its runs (default: {FOLDER}).", default=FOLDER)
    parser.getgroup("bench").addoption("--bench-runs", metavar="DIR", help="Where the fixture `bench` keeps its runs.")


@pytest.fixture(scope="session")
def bench(pytestconfig: pytest.Config) -> Bench:
    """Runs personas: ``bench.run(model="…", persona="PERSONA.md")``; each configuration once."""
    from harness.gate import Bench

    folder = pytestconfig.getoption("--bench-runs") or pytestconfig.getini("bench_runs")
    return Bench(runs=pytestconfig.rootpath / Path(folder).expanduser(), root=pytestconfig.rootpath)
