"""Labs with real engines: one a module, brought back to the beginning before each test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.lab import Lab
from harness.sandboxes import Sandbox, _choice
from harness.submission import Submission
from harness.task import Manifest, Task
from tests.conftest import diagnosis

CANARY = "0b5f6e2e-6a4e-4f0e-9a7e-2f1f5a3c9d10"


def task_with(engines: Sequence[str], environment: str = "core", **limits: int) -> Task:
    """A task that is nothing but its manifest: enough for a lab."""
    manifest = {
        "id": "sql/orders",
        "title": "Orders",
        "version": 1,
        "environment": environment,
        "engines": list(engines),
        "kind": "build",
        "difficulty": "easy",
        "technologies": ["sql"],
        "responsibilities": ["loading"],
        "sources": ["orders"],
        "destinations": ["orders"],
        "canary": CANARY,
        "limits": {"memory": 1024, "disk": 64, "processes": 64, **limits},
    }
    return Task("test", Path("/nowhere"), Manifest.model_validate(manifest))


def quick_sandbox() -> Sandbox:
    """Bubblewrap where it works: its engines are the same as Docker's, and it opens sooner."""
    return _choice.load("bubblewrap" if diagnosis("bubblewrap").works else "embedded")


@contextmanager
def open_lab(engines: Sequence[str], environment: str = "core", sandbox: Sandbox | None = None) -> Iterator[Lab]:
    with Lab(task_with(engines, environment), sandbox or quick_sandbox(), Submission()) as lab:
        yield lab


def begin(lab: Lab, files: dict[str, str] | None = None) -> Lab:
    """The beginning, with these files submitted."""
    lab.submission = Submission({path: text.encode() for path, text in (files or {}).items()})
    lab.fresh()
    return lab


@pytest.fixture(autouse=True)
def nothing_is_left_over(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test the lab's box still runs commands of both users."""
    yield
    for name in ("postgres_lab", "duckdb_lab", "airflow_lab", "dbt_lab", "dbt_postgres_lab", "redshift_lab"):
        if name in request.fixturenames:
            box = request.getfixturevalue(name).box
            assert box.run(["true"]).ok
            assert box.run(["true"], role="driver").ok


@pytest.fixture(scope="module")
def labs() -> Iterator[dict[str, Lab]]:
    """A lab a sandbox, put here by whoever first needs it."""
    opened: dict[str, Lab] = {}
    yield opened
    for lab in opened.values():
        lab.close()


@pytest.fixture(scope="module")
def postgres_lab() -> Iterator[Lab]:
    with open_lab(["postgres"]) as lab:
        yield lab


@pytest.fixture(scope="module")
def redshift_lab() -> Iterator[Lab]:
    with open_lab(["redshift"]) as lab:
        yield lab


@pytest.fixture(scope="module")
def duckdb_lab() -> Iterator[Lab]:
    with open_lab(["duckdb"]) as lab:
        yield lab


@pytest.fixture(scope="module")
def airflow_lab() -> Iterator[Lab]:
    with open_lab(["postgres", "airflow"], "airflow3") as lab:
        yield lab


@pytest.fixture(scope="module")
def dbt_lab() -> Iterator[Lab]:
    with open_lab(["duckdb", "dbt"]) as lab:
        yield lab


@pytest.fixture(scope="module")
def dbt_postgres_lab() -> Iterator[Lab]:
    with open_lab(["postgres", "dbt"]) as lab:
        yield lab
