"""Where the marks of a chart stand, in percent of its width and height: the drawings (``templates/charts.html``) are
SVG in those units, so that they fit a phone as well as a screen. Each chart stands beside the table of its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

INSET = 3.0  # percent at both ends, so that no mark is cut off


@dataclass(frozen=True)
class Axis:
    """From ``low`` to ``high``, which differ."""

    low: float
    high: float
    ticks: tuple[float, ...]
    unit: str = ""

    def at(self, value: float) -> float:
        """Percent of the width at which a value stands; what is outside stands at the end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(INSET + share * (100 - 2 * INSET), 2)

    def label(self, tick: float) -> str:
        text = f"{tick:g}".replace("-", "−")
        return f"${text}" if self.unit == "$" else text


SHARES = Axis(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))


@dataclass(frozen=True)
class Mark:
    """A value with its interval. ``tone`` names its colour: ``""``, ``good``, ``bad``."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    detail: str = ""
    link: str = ""
    tone: str = ""
    signed: bool = False

    @property
    def figure(self) -> str:
        if self.value is None:
            return "–"
        return (f"{self.value:+.2f}" if self.signed else f"{self.value:.2f}").replace("-", "−")

    @property
    def told(self) -> str:
        """What the drawing shows, in words."""
        if self.value is None:
            return f"{self.label}: nothing was measured"
        interval = "" if self.low is None or self.high is None else f", between {self.low:.2f} and {self.high:.2f}"
        return f"{self.label}: {self.figure}{interval}"


@dataclass(frozen=True)
class Point:
    """A configuration by what it cost and what it scored. ``front``: none scores as much for less money."""

    label: str
    x: float
    y: float
    front: bool = False


@dataclass(frozen=True)
class Scatter:
    axis: Axis
    points: tuple[Point, ...]
    left_out: int

    @property
    def told(self) -> str:
        return "; ".join(
            f"{point.label}: ${point.x:.4g}, score {point.y:.2f}{', on the front' if point.front else ''}"
            for point in self.points
        )

    @property
    def front(self) -> list[tuple[Point, Point]]:
        """The front's points with their successors, the cheapest first."""
        return list(pairwise(sorted((point for point in self.points if point.front), key=lambda point: point.x)))


def differences_axis(bounds: Iterable[float | None]) -> Axis:
    """Around 0, as wide as the widest of the bounds."""
    widest = max((abs(bound) for bound in bounds if bound is not None), default=0.0)
    reach = next(step for step in (0.1, 0.25, 0.5, 1.0) if widest <= step or step == 1.0)
    return Axis(-reach, reach, (-reach, -reach / 2, 0.0, reach / 2, reach))


def cost_and_score(rows: Sequence[tuple[str, Decimal | None, float | None, int, bool]]) -> Scatter | None:
    """Of (label, total cost, score, trials, whether on the front) the cost of a trial against the score.

    Nothing where fewer than two are known, or all were free.
    """
    known = [
        Point(label, float(cost) / trials, score, front)
        for label, cost, score, trials, front in rows
        if cost is not None and score is not None and trials
    ]
    dearest = max((point.x for point in known), default=0.0)
    if len(known) < 2 or dearest <= 0:
        return None
    step = 10 ** math.floor(math.log10(dearest))
    top = next(factor * step for factor in (1, 2, 4, 5, 10) if dearest <= factor * step * (1 + 1e-9))
    axis = Axis(0.0, top, (0.0, top / 2, top), "$")
    return Scatter(axis, tuple(known), len(rows) - len(known))
