"""Boxes to test: one a module and sandbox, small enough that a limit is reached at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.sandboxes import BoxLimits, Sandbox, _choice
from harness.sandboxes._box import Box
from tests.turns import CONFINING

SMALL = BoxLimits(memory=256, disk=24, processes=48)


@pytest.fixture(scope="module", params=CONFINING)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """A sandbox that confines. Tests that ask for it may be hostile."""
    return _choice.load(request.param)


@pytest.fixture(scope="module")
def shared_box(sandbox: Sandbox) -> Iterator[Box]:
    with Box(sandbox, "core", SMALL) as box:
        yield box


@pytest.fixture
def box(shared_box: Box) -> Box:
    """A confining box, emptied before each test."""
    shared_box.clear("work", "data")
    return shared_box


@pytest.fixture(scope="module", params=[*CONFINING, "embedded"])
def any_shared_box(request: pytest.FixtureRequest) -> Iterator[Box]:
    with Box(_choice.load(request.param), "core", SMALL) as box:
        yield box


@pytest.fixture
def any_box(any_shared_box: Box) -> Box:
    """A box of any sandbox, also of the one that confines nothing: only for harmless tests."""
    any_shared_box.clear("work", "data")
    return any_shared_box
