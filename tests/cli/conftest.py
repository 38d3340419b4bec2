from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.tiny import make_suite
from tests.provider.fixture import provider

__all__ = ["provider"]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite of one task that is graded in a blink."""
    return make_suite(tmp_path / "suites" / "tiny")
