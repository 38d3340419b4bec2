"""What calls cost; an unknown price is unknown, not nothing."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.models import Usage
from harness.models._prices import cost, load_prices

USAGE = Usage(input_tokens=1_000, output_tokens=200, cache_read_tokens=50_000, cache_write_tokens=4_000)


def test_each_sort_of_token_has_its_price() -> None:
    # 1,000 × $3 + 200 × $15 + 50,000 × $0.30 + 4,000 × $3.75, for a million each
    assert cost("anthropic/claude-sonnet-4-5", USAGE) == Decimal("0.036")
    assert cost("anthropic/claude-sonnet-4-5", Usage()) == 0


def test_a_snapshot_costs_what_its_model_costs() -> None:
    for snapshot, model in [
        ("anthropic/claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5"),
        ("openai/gpt-5-mini-2025-08-07", "openai/gpt-5-mini"),
    ]:
        assert cost(snapshot, USAGE) == cost(model, USAGE) is not None


@pytest.mark.parametrize("model", ["anthropic/claude-next", "openai-compatible/gpt-5", "gpt-5", "openai/gpt-5-tiny"])
def test_an_unknown_price_is_none(model: str) -> None:
    assert cost(model, USAGE) is None
    assert cost(model, Usage()) is None


def test_a_users_file_adds_and_overrides(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(
        'date = "2030-01-01"\n[models]\n'
        '"openai-compatible/own" = { input = 0.1, output = 0.2, cache_read = 0, cache_write = 0 }\n'
        '"openai/gpt-5" = { input = 1000, output = 0, cache_read = 0, cache_write = 0 }\n'
    )
    prices = load_prices(path)
    assert prices.date == "2030-01-01"
    assert prices.cost("openai-compatible/own", Usage(1_000_000, 1_000_000)) == Decimal("0.3")
    assert prices.cost("openai/gpt-5", Usage(1_000_000)) == 1000
    assert prices.cost("openai/gpt-5-mini", USAGE) == cost("openai/gpt-5-mini", USAGE)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[models", "not valid TOML"),
        ("[models]", "date"),
        ('date = "2030-01-01"\n[models]\n"a/b" = { input = 1 }', r"models.a/b.output"),
        ('date = "x"\n[models]\n"a/b" = { input = -1, output = 1, cache_read = 0, cache_write = 0 }', "input"),
    ],
)
def test_a_wrong_file_is_refused_with_its_fault(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(content)
    with pytest.raises(UsageError, match=said):
        load_prices(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        load_prices(tmp_path / "none.toml")


def test_the_bundled_table_is_dated_and_whole() -> None:
    prices = load_prices()
    assert prices.date >= "2026"
    assert all(price.cache_read < price.input < price.output for price in prices.models.values())
    assert all(price.cache_write >= price.input for price in prices.models.values())
