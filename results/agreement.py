"""How far a judge agrees with labels, beyond what chance would give.

Cohen's kappa: ``κ = (p_o − p_e) / (1 − p_e)``, with ``p_o`` the observed agreement and ``p_e`` what two raters would
agree on who only kept to their own shares of verdicts (Cohen, *A coefficient of agreement for nominal scales*, 1960). A
void verdict is a category of its own that no label has: it never agrees.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from results.statistics import Estimate, rate


@dataclass(frozen=True)
class Rated:
    """One label and what the judge said; ``excerpt`` names what they are about."""

    excerpt: str
    rubric: str
    label: str
    said: str

    @property
    def agrees(self) -> bool:
        return self.label == self.said


@dataclass(frozen=True)
class Agreement:
    """``agreement`` is a rate with its interval; ``kappa`` is ``None`` where chance alone would always agree.

    As Cohen did, kappa's interval takes ``p_e`` for known: it is that of the agreement (Wilson's, with the excerpt as
    unit: labels on one excerpt resemble each other), on kappa's scale. It is ``None`` for fewer than two excerpts.
    """

    labels: int
    void: int
    agreement: Estimate
    kappa: float | None
    low: float | None
    high: float | None


def agreement(rated: Sequence[Rated]) -> Agreement:
    """Of at least one label."""
    outcomes: defaultdict[str, list[float]] = defaultdict(list)
    for one in rated:
        outcomes[one.excerpt].append(float(one.agrees))
    observed = rate(outcomes)
    if observed is None:
        raise ValueError("no agreement without a label")
    labels, said = Counter(one.label for one in rated), Counter(one.said for one in rated)
    chance = sum(labels[category] * said[category] for category in labels) / len(rated) ** 2

    def kappa(agreed: float | None) -> float | None:
        return None if agreed is None or chance == 1 else (agreed - chance) / (1 - chance)

    return Agreement(
        len(rated), said["void"], observed, kappa(observed.value), kappa(observed.low), kappa(observed.high)
    )
