"""The pytest plugin: the fixture ``bench``, for tests in a persona's repository. See docs/gate.md.

pytest loads it wherever this project is installed, so it does nothing and imports nothing of ours until a test asks
for the fixture.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.gate import Bench

FOLDER = "runs"
HELP = "Where the fixture `bench` keeps its runs. With a space for the =, pytest may take DIR for its root."


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("bench_runs", f"Where the fixture `bench` keeps its runs (default: {FOLDER}).", default=FOLDER)
    parser.getgroup("bench").addoption("--bench-runs", metavar="DIR", help=HELP)


@pytest.fixture(scope="session")
def bench(pytestconfig: pytest.Config) -> Bench:
    """Runs personas: ``bench.run(model="…", persona="PERSONA.md")``; each configuration once."""
    from harness.gate import Bench

    pytestconfig.pluginmanager.register(_Messages())
    folder = pytestconfig.getoption("--bench-runs") or pytestconfig.getini("bench_runs")
    return Bench(runs=pytestconfig.rootpath / Path(folder).expanduser(), root=pytestconfig.rootpath)


class _Messages:
    """From the fixture's first use on, a test that ends with an error of ours shows its message and no frames.

    Only the report is changed: ``pytest.raises`` still catches the error itself.
    """

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        from harness.errors import BenchError
        from results.errors import RunDirectoryError

        error = call.excinfo.value if call.excinfo else None
        if isinstance(error, BenchError | RunDirectoryError):
            message = pytest.fail.Exception(str(error), pytrace=False)
            call.excinfo = pytest.ExceptionInfo.from_exception(message.with_traceback(error.__traceback__))
        return (yield)
