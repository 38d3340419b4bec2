"""How many attempts, trials and how much money a comparison takes; or what so many attempts can detect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from results.comparison import SCORES_SHARE
from results.measures import measure
from results.paired import ALPHA
from results.power import (
    POWER,
    SPREAD,
    Design,
    Noise,
    attempts_needed,
    minimum_detectable_effect,
    tasks_needed,
)
from results.records import TrialRecord
from results.sign_flip import least_p

LADDER = (1, 2, 3, 5, 10, 20, 50)


@dataclass(frozen=True)
class Pilot:
    """What a run that exists says about runs to come. ``cost``: of a trial in the mean; unknown is ``None``."""

    tasks: int
    attempts: int
    noise: Noise
    cost: Decimal | None

    @classmethod
    def of(cls, trials: Sequence[TrialRecord]) -> Pilot:
        """
        Raises:
            ValueError: fewer than two graded trials.
        """
        scores = {task: values for task, values in measure(trials).score.items() if values}
        noise = Noise.of_pilot(scores)
        costs = [trial.cost for trial in trials if trial.cost is not None]
        cost = sum(costs, Decimal(0)) / len(costs) if len(costs) == len(trials) else None
        return cls(len(scores), min(map(len, scores.values())), noise, cost)


@dataclass(frozen=True)
class Option:
    """One way to go: attempts a task of each new run, trials of all new runs, what they cost."""

    name: str
    attempts: int
    trials: int
    cost: Decimal | None
    detects: float | None


@dataclass(frozen=True)
class Plan:
    """``options``: the ways that find ``effect``, if one was asked for. ``ladder``: what other numbers detect.

    ``power_for_effect``: of the asked attempts for the asked effect, if both were. ``tasks_needed``: how many tasks
    would do at ``at_attempts``. ``coarse``: the numbers are rough, see ``Design.coarse``.
    """

    tasks: int
    noise: Noise
    spread: float
    alpha: float
    alpha_of_score: float
    power: float
    effect: float | None
    options: tuple[Option, ...]
    ladder: tuple[Option, ...]
    power_for_effect: float | None
    at_attempts: int
    tasks_needed: int | None
    coarse: bool

    @property
    def hopeless(self) -> bool:
        """Whether no number of attempts finds anything with so few tasks."""
        return least_p(self.tasks) > self.alpha_of_score


def make_plan(
    tasks: int,
    noise: Noise,
    effect: float | None = None,
    attempts: int | None = None,
    pilot: Pilot | None = None,
    cost: Decimal | None = None,
    power: float = POWER,
    alpha: float = ALPHA,
    spread: float = SPREAD,
) -> Plan:
    """Plan for the test that `compare` makes of the score: one-sided, with the score's share of α.

    ``cost``: of a trial. With a pilot as the baseline only the candidate is new.
    """
    asked = attempts or (pilot.attempts if pilot else 3)
    design = Design(tasks, asked, noise, alpha=alpha * SCORES_SHARE, spread=spread)
    options, needed = [], None
    if effect is not None:
        enough = attempts_needed(design, effect, power)
        if enough is not None:
            options.append(_option("two new runs", replace(design, attempts=enough), 2, cost, power))
        if pilot:
            beside = replace(design, baseline_attempts=pilot.attempts)
            enough = attempts_needed(beside, effect, power)
            if enough is not None:
                name = f"against the pilot ({pilot.attempts} attempts)"
                options.append(_option(name, replace(beside, attempts=enough), 1, cost, power))
        needed = tasks_needed(design, effect, power)
    steps = sorted({*LADDER, *([attempts] if attempts else [])})
    return Plan(
        tasks,
        noise,
        spread,
        alpha,
        design.alpha,
        power,
        effect,
        tuple(options),
        tuple(_option("two new runs", replace(design, attempts=step), 2, cost, power) for step in steps),
        design.power(effect) if effect is not None and attempts else None,
        asked,
        needed,
        Design(tasks, min([asked, *(option.attempts for option in options)]), noise).coarse,
    )


def detectable(tasks: int, attempts: int, noise: Noise | None = None) -> float | None:
    """The smallest loss of score that two runs of this size find, for a line before a run is paid for.

    ``noise``: of a pilot; without one the largest there is. ``None`` if nothing is found.
    """
    design = Design(tasks, attempts, noise or Noise.assumed(0.5), alpha=ALPHA * SCORES_SHARE)
    return minimum_detectable_effect(design)


def _option(name: str, design: Design, runs: int, cost: Decimal | None, power: float) -> Option:
    trials = runs * design.tasks * design.attempts
    return Option(
        name,
        design.attempts,
        trials,
        None if cost is None else cost * trials,
        minimum_detectable_effect(design, power),
    )
