"""The ``provider`` fixture: a server for one test, which fails the test if a request of ours was invalid."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.provider.server import ProviderServer


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderServer]:
    for name in ("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENAI_COMPATIBLE_API_KEY"):
        monkeypatch.setenv(name, "sk-secret-of-the-test")
    with ProviderServer() as server:
        yield server
        assert not server.complaints, server.complaints
