"""Agreement and kappa, against worked examples."""

from __future__ import annotations

import pytest

from results.agreement import Agreement, Rated, agreement
from results.statistics import wilson


def rated(**counts: int) -> list[Rated]:
    """``met_not_met=3``: three excerpts labelled met, of which the judge said not met."""
    pairs = {
        "met_met": ("met", "met"),
        "met_not_met": ("met", "not_met"),
        "met_void": ("met", "void"),
        "not_met_met": ("not_met", "met"),
        "not_met_not_met": ("not_met", "not_met"),
        "not_met_void": ("not_met", "void"),
    }
    return [Rated(f"{name} {number}", "r", *pairs[name]) for name, count in counts.items() for number in range(count)]


def test_a_worked_example() -> None:
    # p_o = 35/50; p_e = (25·30 + 25·20)/50² = 0.5; κ = 0.2/0.5
    found = agreement(rated(met_met=20, met_not_met=5, not_met_met=10, not_met_not_met=15))
    assert found.agreement.value == pytest.approx(0.7)
    assert found.kappa == pytest.approx(0.4)
    assert found.low is not None
    assert found.high is not None
    # Cohen's standard error: √(p_o(1 − p_o)/n)/(1 − p_e) = 0.1296; Wilson's interval is near it at this size.
    assert found.low == pytest.approx(0.4 - 1.96 * 0.1296, abs=0.03)
    assert found.high == pytest.approx(0.4 + 1.96 * 0.1296, abs=0.04)


def test_full_agreement_on_few_labels_is_not_certain() -> None:
    found = agreement(rated(met_met=4, not_met_not_met=4))
    low, _ = wilson(8, 8)
    assert found.kappa == 1
    assert found.low == pytest.approx((low - 0.5) / 0.5)
    assert found.high == 1


def test_who_says_one_thing_agrees_by_chance_only() -> None:
    found = agreement(rated(met_met=5, not_met_met=5))
    assert (found.agreement.value, found.kappa) == (0.5, 0)


def test_who_says_the_contrary_is_below_chance() -> None:
    assert agreement(rated(met_not_met=5, not_met_met=5)).kappa == -1


def test_a_void_verdict_never_agrees() -> None:
    found = agreement(rated(met_met=4, not_met_not_met=4, met_void=1, not_met_void=1))
    # p_e = (5·4 + 5·4)/100
    assert (found.void, found.agreement.value) == (2, 0.8)
    assert found.kappa == pytest.approx((0.8 - 0.4) / 0.6)
    assert agreement(rated(met_void=3, not_met_void=3)).kappa == 0


def test_where_all_labels_are_one_kappa_says_nothing() -> None:
    found = agreement(rated(met_met=5))
    assert (found.agreement.value, found.kappa, found.low) == (1, None, None)


def test_labels_on_one_excerpt_are_no_independent_witnesses() -> None:
    def width(found: Agreement) -> float:
        assert found.low is not None
        assert found.high is not None
        return found.high - found.low

    alone = [Rated(f"{number}", "r", "met", "met" if number < 8 else "not_met") for number in range(16)]
    alone += [Rated(f"{number}", "r", "not_met", "not_met") for number in range(16, 32)]
    together = [Rated(str(int(one.excerpt) // 4), one.rubric, one.label, one.said) for one in alone]
    assert agreement(alone).kappa == agreement(together).kappa
    assert width(agreement(together)) > 1.2 * width(agreement(alone))
    assert agreement(alone[:1]).low is None
