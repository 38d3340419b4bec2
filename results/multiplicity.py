"""Many questions asked of the same trials: p-values adjusted so that one false alarm among all stays rare."""

from __future__ import annotations

from collections.abc import Mapping


def holm(p_values: Mapping[str, float], weights: Mapping[str, float] | None = None) -> dict[str, float]:
    """Adjusted p-values: what is at most α may be believed, with a chance of at most α that any of it is wrong.

    Holm, *A Simple Sequentially Rejective Multiple Test Procedure*, 1979, with the weights of its section 4: a
    hypothesis of weight w gets w / Σ weights of α first, and what is rejected leaves its share to the rest::

        sort by p / w;  p̃_(i) = max over j ≤ i of  p_(j) · Σ_{k ≥ j} w_(k) / w_(j)

    Holds whatever the dependence between the tests.
    """
    shares = dict.fromkeys(p_values, 1.0) if weights is None else {name: weights[name] for name in p_values}
    if any(share <= 0 for share in shares.values()):
        raise ValueError("a weight must be above 0")
    remaining, highest = sum(shares.values()), 0.0
    adjusted = {}
    for name in sorted(p_values, key=lambda one: p_values[one] / shares[one]):
        highest = max(highest, min(p_values[name] * remaining / shares[name], 1.0))
        adjusted[name] = highest
        remaining -= shares[name]
    return {name: adjusted[name] for name in p_values}
