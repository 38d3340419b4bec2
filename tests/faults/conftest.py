from __future__ import annotations

from tests.cli.conftest import bench, suite
from tests.provider.fixture import provider

__all__ = ["bench", "provider", "suite"]
