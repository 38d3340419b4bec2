"""The kinds of things that are found, as their messages name them."""

from __future__ import annotations

import pytest

from harness import discovery
from harness.errors import UsageError


@pytest.mark.parametrize(
    ("package", "told"),
    [
        ("harness.agents", "unknown agent 'foo'"),
        ("harness.cli", "unknown command 'foo'"),
        ("harness.engines", "unknown engine 'foo'"),
        ("harness.models", "unknown model 'foo'"),
        ("harness.sandboxes", "unknown sandbox 'foo'"),
    ],
)
def test_an_unknown_one_is_named_in_the_singular(package: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        discovery.load(package, "foo")
    assert caught.value.problem == told
