"""Tests marked with a sandbox's name or ``browser`` are skipped where it doesn't work, or fail there if required.

``BENCH_REQUIRE_SANDBOXES=docker,bubblewrap`` requires both, as CI does: a sandbox that is silently missing would
leave untested what keeps a model's code in. ``BENCH_REQUIRE_BROWSER=1`` does the same for Chromium, which tests that
what a model wrote stays text in the report.
"""

from __future__ import annotations

import functools
import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

from harness.errors import UsageError
from harness.sandboxes import Diagnosis, _choice

SANDBOXES = ("docker", "bubblewrap")
SWITCH = "BENCH_REQUIRE_SANDBOXES"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_SWITCH = "BENCH_REQUIRE_BROWSER"

# Properties: a few examples, always the same, every day; many, and always others, with --hypothesis-profile nightly.
UNHURRIED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
settings.register_profile(
    "everyday", max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=UNHURRIED
)
settings.register_profile("nightly", max_examples=3000, deadline=None, print_blob=True, suppress_health_check=UNHURRIED)
settings.load_profile("everyday")


def required_sandboxes() -> set[str]:
    names = {name.strip() for name in os.environ.get(SWITCH, "").split(",") if name.strip()}
    if unknown := names - set(SANDBOXES):
        raise pytest.UsageError(f"{SWITCH} names {', '.join(sorted(unknown))}; known: {', '.join(SANDBOXES)}")
    return names


@functools.cache
def diagnosis(sandbox: str) -> Diagnosis:
    try:
        return _choice.load(sandbox).diagnose()
    except UsageError as error:
        return Diagnosis(False, error.problem, error.mend)


def browser_program() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def pytest_configure(config: pytest.Config) -> None:
    required_sandboxes()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for sandbox in SANDBOXES:
        if item.get_closest_marker(sandbox) is None or diagnosis(sandbox).works:
            continue
        reason = f"{sandbox}: {diagnosis(sandbox).detail}"
        if sandbox in required_sandboxes():
            pytest.fail(f"{reason} ({SWITCH} names it)", pytrace=False)
        pytest.skip(reason)
    if item.get_closest_marker("browser") is not None and browser_program() is None:
        reason = f"browser: none of {', '.join(BROWSERS)} is installed"
        if os.environ.get(BROWSER_SWITCH) == "1":
            pytest.fail(f"{reason} ({BROWSER_SWITCH} is set)", pytrace=False)
        pytest.skip(reason)
