"""Whether the gate's numbers are true: simulated comparisons, of which the truth is known.

A simulated model solves a task with its skill there, and else hands in a mutant that breaks some of the task's
dimensions. Tasks are drawn anew for each comparison, so the truth is about tasks of that kind, not about those
drawn. What is expected of every scenario:

    false alarms   of the score's test, of McNemar's and of the gate as a whole: at most α, where nothing changed
    power          of the score's test: as `bench plan` said
    coverage       of the interval: at least its nominal 90 %
    not regressed  said of a loss as large as the margin: at most α

python benchmarks/calibration.py [--comparisons 1000] [--on-disk 100]     prints the tables of docs/statistics.md
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

sys.path.insert(0, str(Path(__file__).parents[1]))

from results.comparison import SCORES_SHARE, compare, gate_rows, overall
from results.measures import Measures
from results.paired import ALPHA, bootstrap
from results.power import Design, Noise, minimum_detectable_effect
from results.sign_flip import mcnemar
from tests.results.comparisons import drawn_trials, on_disk, task_names

DIMENSIONS = ("correctness", "idempotency", "durability", "late_data", "deliverable")
SEED = 20250717
POWER = 0.8
# A count may miss its expectation by chance; this often, all is well and it is still called out of bounds.
DOUBT = 0.001
# How far the power found may be from the one planned; `bench plan` says where it is only roughly known.
TOLERANCE, COARSE_TOLERANCE = 0.05, 0.12


@dataclass(frozen=True)
class Scenario:
    """Comparisons of one kind. ``skills``: the parameters of the Beta distribution that tasks' skills come from."""

    tasks: int
    attempts: int
    skills: tuple[float, float]

    def __str__(self) -> str:
        return (
            f"{self.tasks} tasks × {self.attempts}, skill {self.mean:.2f} (Beta {self.skills[0]:g}, {self.skills[1]:g})"
        )

    @property
    def mean(self) -> float:
        return self.skills[0] / sum(self.skills)

    def draw_skills(self, random: np.random.Generator) -> NDArray[np.float64]:
        return random.beta(*self.skills, size=self.tasks)

    def noise(self) -> Noise:
        """What attempts at one task vary by, from a pilot so large that it is the truth."""
        pilot = Scenario(2000, 10, self.skills)
        random = np.random.default_rng(SEED)
        return Noise.of_pilot(draw(pilot.draw_skills(random), pilot.attempts, random).score)


SCENARIOS = (
    Scenario(6, 5, (2.0, 2.0)),
    Scenario(10, 1, (2.0, 2.0)),
    Scenario(12, 3, (4.0, 1.5)),
    Scenario(20, 5, (8.0, 2.0)),
    Scenario(40, 3, (2.0, 2.0)),
    Scenario(60, 2, (10.0, 1.0)),
)


def draw(skills: NDArray[np.float64], attempts: int, random: np.random.Generator) -> Measures:
    """What a simulated model scores: all if it solves the task, else what a mutant leaves whole."""
    shape = (len(skills), attempts)
    solved = random.random(shape) < skills[:, None]
    # A mutant breaks one dimension, in four of ten cases a second one as well.
    first = random.integers(0, len(DIMENSIONS), shape)
    second = np.where(random.random(shape) < 0.4, random.integers(0, len(DIMENSIONS), shape), first)
    whole = np.ones((*shape, len(DIMENSIONS)))
    for broken in (first, second):
        np.put_along_axis(whole, broken[..., None], 0.0, axis=2)
    whole[solved] = 1.0
    names = [f"a/{number}" for number in range(len(skills))]
    return Measures(
        dict(zip(names, whole.mean(axis=2).tolist(), strict=True)),
        dict(zip(names, solved.astype(float).tolist(), strict=True)),
        {name: dict(zip(names, whole[..., number].tolist(), strict=True)) for number, name in enumerate(DIMENSIONS)},
    )


# Of the dimensions a mutant breaks in the mean: one, and a second one in 0.4 · 4/5 of the cases.
LOST = (1 + 0.4 * (1 - 1 / len(DIMENSIONS))) / len(DIMENSIONS)


def worsened(
    skills: NDArray[np.float64], effect: float, spread: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """Skills with which the mean score is less by ``effect``, which varies over tasks by ``spread`` effects."""
    losses = random.normal(effect, spread * effect, size=len(skills)) / LOST
    return np.clip(skills - losses, 0.0, 1.0)


@dataclass
class Tally:
    """How often something happened in how many comparisons."""

    count: int = 0
    of: int = 0

    def add(self, happened: bool) -> None:
        self.count += happened
        self.of += 1

    @property
    def rate(self) -> float:
        return self.count / self.of

    def at_most(self, rate: float) -> bool:
        return bool(binom.sf(self.count - 1, self.of, rate) >= DOUBT)

    def at_least(self, rate: float) -> bool:
        return bool(binom.cdf(self.count, self.of, rate) >= DOUBT)

    def __str__(self) -> str:
        return f"{100 * self.rate:.1f} %"


@dataclass
class Found:
    """What came out of the comparisons of a scenario at one true effect."""

    effect: float
    score: Tally = field(default_factory=Tally)
    score_at_its_share: Tally = field(default_factory=Tally)
    mcnemar: Tally = field(default_factory=Tally)
    gate: Tally = field(default_factory=Tally)
    not_regressed: Tally = field(default_factory=Tally)
    covered: Tally = field(default_factory=Tally)
    covered_by_bootstrap: Tally = field(default_factory=Tally)


def simulate(
    scenario: Scenario,
    comparisons: int,
    effect: float = 0.0,
    spread: float = 0.0,
    margin: float = 0.02,
    seed: int = SEED,
) -> Found:
    """Compare two simulated runs again and again; the second loses ``effect`` in the mean."""
    random = np.random.default_rng(SEED)
    truth = true_effect(scenario, effect, spread)
    found = Found(truth)
    for _ in range(comparisons):
        skills = scenario.draw_skills(random)
        baseline = draw(skills, scenario.attempts, random)
        candidate = draw(worsened(skills, effect, spread, random), scenario.attempts, random)
        rows = gate_rows(baseline, candidate, margin)
        score, turns = rows["score"].difference, rows["resolved"].by_task
        found.score.add(score.p.worse <= ALPHA)
        found.score_at_its_share.add(score.p.worse <= ALPHA * SCORES_SHARE)
        found.mcnemar.add(mcnemar(sum(t < 0 for t in turns), sum(t > 0 for t in turns)).worse <= ALPHA)
        found.gate.add(overall(rows) == "regressed")
        found.not_regressed.add(score.not_inferior(margin))
        assert score.low is not None
        assert score.high is not None
        found.covered.add(score.low <= -truth <= score.high)
        low, high = bootstrap(rows["score"].by_task, resamples=1000) or (0.0, 0.0)
        found.covered_by_bootstrap.add(low - 1e-12 <= -truth <= high + 1e-12)
    return found


def true_effect(scenario: Scenario, effect: float, spread: float) -> float:
    """The mean loss over tasks of this kind; less than asked where a skill can't fall below 0."""
    if effect == 0:
        return 0.0
    random = np.random.default_rng(SEED + 1)
    skills = random.beta(*scenario.skills, size=1_000_000)
    return float((skills - worsened(skills, effect, spread, random)).mean() * LOST)


def simulate_on_disk(comparisons: int, folder: Path, tasks: int = 12, attempts: int = 3, seed: int = SEED) -> Tally:
    """False alarms of the whole way: from run directories, read back and compared as `bench compare` does."""
    random, names = np.random.default_rng(seed), task_names(tasks)
    alarms = Tally()
    for number in range(comparisons):
        skills = dict(zip(names, random.beta(4.0, 1.5, tasks), strict=True))
        base, candidate = (
            on_disk(folder / f"{number}-{side}", drawn_trials(skills, attempts, random), simulated=True)
            for side in ("base", "candidate")
        )
        alarms.add(compare(base, candidate).verdict == "regressed")
    return alarms


Line = tuple[str, bool]
"""Of the report, and whether what it says is as it must be."""


def unchanged(scenario: Scenario, comparisons: int) -> Line:
    found = simulate(scenario, comparisons)
    alarms = (found.score, found.mcnemar, found.gate)
    fine = all(tally.at_most(ALPHA) for tally in alarms) and found.covered.at_least(1 - 2 * ALPHA)
    return _row(scenario, *alarms, found.covered, found.covered_by_bootstrap), fine


def worse(scenario: Scenario, comparisons: int) -> Line:
    design = Design(scenario.tasks, scenario.attempts, scenario.noise(), alpha=ALPHA * SCORES_SHARE)
    # The most that can be lost, with a fifth to spare for tasks that lose more than the mean.
    most = 0.8 * LOST * scenario.mean
    effect = min(minimum_detectable_effect(design, POWER) or most, most)
    found = simulate(scenario, comparisons, effect, design.spread)
    planned, power = design.power(found.effect), found.score_at_its_share
    tolerance = COARSE_TOLERANCE if design.coarse else TOLERANCE
    fine = abs(power.rate - planned) <= tolerance and found.covered.at_least(1 - 2 * ALPHA)
    cells = (f"{found.effect:.3f}", f"{100 * planned:.1f} %", power, found.gate, found.covered)
    return _row(scenario, *cells, found.covered_by_bootstrap), fine


def worse_by_the_margin(scenario: Scenario, comparisons: int) -> Line:
    effect = 0.25 * LOST * scenario.mean
    margin = true_effect(scenario, effect, 0.5)
    found = simulate(scenario, comparisons, effect, 0.5, margin)
    return _row(scenario, f"{margin:.3f}", found.not_regressed), found.not_regressed.at_most(ALPHA)


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


TABLES: tuple[tuple[str, tuple[str, ...], Callable[[Scenario, int], Line]], ...] = (
    ("Nothing changed", ("score", "McNemar", "gate", "interval covers", "bootstrap covers"), unchanged),
    (
        f"A loss that `bench plan` finds with {100 * POWER:g} %, or the largest that these skills have to lose",
        ("loss", "power planned", "power found", "gate", "interval covers", "bootstrap covers"),
        worse,
    ),
    ("A loss as large as the margin", ("margin", "“not regressed”"), worse_by_the_margin),
)


def tables(comparisons: int, comparisons_on_disk: int) -> Iterator[Line]:
    for title, columns, row in TABLES:
        yield f"{title}; {comparisons:,} comparisons each:\n", True
        yield _row("scenario", *columns), True
        yield f"|:--|{'--:|' * len(columns)}", True
        for scenario in SCENARIOS:
            yield row(scenario, comparisons)
        yield "", True
    with tempfile.TemporaryDirectory() as folder:
        gate = simulate_on_disk(comparisons_on_disk, Path(folder))
    text = f"From run directories, nothing changed, {gate.of} comparisons: the gate alarmed in {gate}."
    yield text, gate.at_most(ALPHA)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=1000)
    parser.add_argument("--on-disk", type=int, default=100)
    options = parser.parse_args()
    wrong = []
    for line, fine in tables(options.comparisons, options.on_disk):
        print(line if fine else f"{line}  OUT OF BOUNDS", flush=True)
        if not fine:
            wrong.append(line)
    if wrong:
        sys.exit(f"{len(wrong)} out of bounds")


if __name__ == "__main__":
    main()
