"""Whether the verdicts of an ablation are true: simulated ablations, of which the effect of each clause is known.

A simulated model (`simulated/clauses:FILE`) obeys the constraints of the bundled persona with known chances, and hands
in a mutant where it doesn't. A mutant fails the checks that it names and no others (`bench verify` proves that), so the
true effect of each clause on each measure is computed, not estimated. What is expected of every scenario:

    false alarms   "load-bearing" or "harmful" said of any effect that is none, or is of the other sign: at most α
    dead weight    said of any clause that has an effect of the margin or more: at most α
    coverage       all intervals of an ablation hold the truth at once: at least 1 − α

and of the planted effects, how often they are found. What is drawn is what `bench ablate` would hand in; what is judged
is judged by its code.

python benchmarks/ablation.py [--ablations 500]     prints the table of docs/statistics.md
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.calibration import Tally
from graders import common_checks
from graders.check import CheckResult, checks_of
from graders.grade import Grade
from harness import persona as personas
from harness.agents._behaviour import Answer, Behaviour
from harness.clauses import read_persona
from harness.clauses.parts import parts, without
from harness.task import Task, load_suite, select
from results.ablation import MARGIN, SCORE, effects
from results.paired import ALPHA
from results.records import CheckRecord, TrialRecord

SEED = 20251125
# Named, so that the table in the docs stays what it is when the suite grows.
TASKS = (
    "airflow/daily-orders-load",
    "airflow/upgrade-to-3",
    "dbt/incremental-late-orders",
    "dbt/snapshot-scd2",
    "quality/quarantine",
    "sql/scd2-users",
)
Clauses = Mapping[str, tuple[float, float]]
"""The chances that a clause is obeyed: if the persona says it, and if it doesn't."""

NOTHING: Clauses = {
    "constraints/always-implement-idempotent-pipelines": (0.9, 0.9),
    "constraints/never-lose-data": (0.85, 0.85),
    "constraints/always-validate-data-quality": (0.95, 0.95),
    "constraints/plan-for-late-arriving-data": (0.9, 0.9),
    "constraints/handle-schema-evolution-gracefully": (0.95, 0.95),
}
PLANTED: Clauses = {
    **NOTHING,
    "constraints/never-lose-data": (0.95, 0.65),
    "constraints/always-validate-data-quality": (0.8, 1.0),
}


@dataclass(frozen=True)
class Scenario:
    name: str
    clauses: Clauses
    attempts: int
    skill: float = 0.9
    margin: float = MARGIN

    @property
    def behaviour(self) -> Behaviour:
        return Behaviour(
            skill=self.skill,
            clauses={
                name: Answer.model_validate({"with": said, "without": unsaid})
                for name, (said, unsaid) in self.clauses.items()
            },
        )


SCENARIOS = (
    Scenario("nothing matters", NOTHING, 3),
    Scenario("nothing matters", NOTHING, 10),
    Scenario("nothing matters", NOTHING, 40),
    Scenario("one matters, one harms", PLANTED, 3),
    Scenario("one matters, one harms", PLANTED, 10),
    Scenario("one matters, one harms", PLANTED, 40),
    # A reliable model: failures are so rare that most pairs are equal.
    Scenario("rare failures", dict.fromkeys(NOTHING, (0.995, 0.995)), 100, skill=1.0),
    Scenario("an effect of the margin", {"constraints/never-lose-data": (1.0, 0.94)}, 50, skill=1.0, margin=0.0),
)


@cache
def tasks() -> tuple[Task, ...]:
    return tuple(select(load_suite("core"), TASKS))


@cache
def graded(task: Task, mutant: str) -> TrialRecord:
    """What the mutant's trial would be; of the reference, if it has no name."""
    breaks = task.mutants[mutant][0].breaks if mutant else ()
    results = tuple(
        CheckResult(one.id, one.dimension, one.clauses, one.weight, one.required, one.id not in breaks)
        for module in (task.checks, common_checks)
        for one in checks_of(module)
    )
    grade = Grade(task.id, 0, results, (), 0.0)
    return TrialRecord(
        task=task.id,
        attempt=1,
        seed=0,
        status="graded",
        score=grade.score,
        resolved=grade.resolved,
        dimensions=grade.dimensions,
        checks=tuple(CheckRecord(**vars(result)) for result in results),
    )


def trials(behaviour: Behaviour, persona: str, attempts: int, random: np.random.Generator) -> list[TrialRecord]:
    """What the simulated model would hand in, graded."""
    found = []
    for task in tasks():
        names, chances = _chances(behaviour, task, persona)
        drawn = random.choice(len(names), size=attempts, p=chances)
        found += [
            graded(task, names[place]).model_copy(update={"attempt": attempt})
            for attempt, place in enumerate(drawn, start=1)
        ]
    return found


def _chances(behaviour: Behaviour, task: Task, persona: str) -> tuple[list[str], list[float]]:
    mistakes = behaviour.mistakes(task, persona)
    return ["", *mistakes], [max(1 - sum(mistakes.values()), 0.0), *mistakes.values()]


def expected(behaviour: Behaviour, persona: str) -> dict[str, float]:
    """The true mean of the score and each dimension, over the tasks that have it."""
    means: dict[str, list[float]] = {}
    for task in tasks():
        names, chances = _chances(behaviour, task, persona)
        rows = [{SCORE: graded(task, name).score or 0.0, **graded(task, name).dimensions} for name in names]
        for measure in rows[0]:
            means.setdefault(measure, []).append(
                sum(chance * row[measure] for chance, row in zip(chances, rows, strict=True))
            )
    return {measure: float(np.mean(values)) for measure, values in means.items()}


@dataclass
class Found:
    """What came out of the ablations of a scenario.

    ``load_bearing``, ``harmful``, ``idle``: how often clauses that are so got the verdict they must.
    """

    false_alarms: Tally = field(default_factory=Tally)
    wrongly_dead: Tally = field(default_factory=Tally)
    covered: Tally = field(default_factory=Tally)
    load_bearing: Tally = field(default_factory=Tally)
    harmful: Tally = field(default_factory=Tally)
    idle: Tally = field(default_factory=Tally)

    def verdicts(self, effect: float) -> Tally:
        """Of clauses with such an effect on the score."""
        return self.load_bearing if effect > 1e-9 else self.harmful if effect < -1e-9 else self.idle

    @property
    def fine(self) -> bool:
        return (
            self.false_alarms.at_most(ALPHA) and self.wrongly_dead.at_most(ALPHA) and self.covered.at_least(1 - ALPHA)
        )


def left_out() -> dict[str, str]:
    """The bundled persona without each of its constraints, by the clause's id."""
    text = personas.load(None).text
    known = parts(read_persona(personas.load(None)), text, "clause")
    return {part.id: without(text, part) for part in known if part.id.startswith("constraints/")}


def simulate(scenario: Scenario, ablations: int, seed: int = SEED) -> Found:
    """Ablate the bundled persona's constraints again and again."""
    random, behaviour = np.random.default_rng(seed), scenario.behaviour
    whole, texts = personas.load(None).text, left_out()
    base = expected(behaviour, whole)
    truth = {
        name: {measure: base[measure] - value for measure, value in expected(behaviour, text).items()}
        for name, text in texts.items()
    }
    # A scenario without a margin takes the largest true effect for it.
    margin = scenario.margin or max(abs(value) for values in truth.values() for value in values.values())
    found = Found()
    for _ in range(ablations):
        with_it = trials(behaviour, whole, scenario.attempts, random)
        without_it = {name: trials(behaviour, text, scenario.attempts, random) for name, text in texts.items()}
        rows = effects(with_it, without_it, margin, ALPHA)
        alarms, dead, covered = False, False, True
        for name, shown in rows.items():
            right = False
            for effect in shown:
                true = truth[name][effect.measure]
                says = {"load-bearing": 1, "harmful": -1}.get(effect.verdict, 0)
                alarms |= says != 0 and says * true <= 1e-9
                right |= says * true > 1e-9
                assert effect.low is not None
                assert effect.high is not None
                covered &= effect.low - 1e-9 <= true <= effect.high + 1e-9
            is_dead = all(effect.verdict == "dead weight" for effect in shown)
            largest = max(abs(value) for value in truth[name].values())
            dead |= is_dead and largest >= margin - 1e-9
            found.verdicts(truth[name][SCORE]).add(right if largest > 1e-9 else is_dead)
        found.false_alarms.add(alarms)
        found.wrongly_dead.add(dead)
        found.covered.add(covered)
    return found


def table(ablations: int, scenarios: Sequence[Scenario] = SCENARIOS) -> Iterator[tuple[str, bool]]:
    columns = ("scenario", "pairs", "false alarms", "wrongly dead weight", "intervals hold")
    verdicts = ("load-bearing found", "harmful found", "dead weight found")
    yield f"| {' | '.join((*columns, *verdicts))} |", True
    yield f"|:--|{'--:|' * (len(columns) + len(verdicts) - 1)}", True
    for scenario in scenarios:
        found = simulate(scenario, ablations)
        cells = [scenario.name, len(tasks()) * scenario.attempts, found.false_alarms, found.wrongly_dead, found.covered]
        cells += [tally if tally.of else "–" for tally in (found.load_bearing, found.harmful, found.idle)]
        yield f"| {' | '.join(map(str, cells))} |", found.fine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ablations", type=int, default=500)
    wrong = 0
    for line, fine in table(parser.parse_args().ablations):
        print(line if fine else f"{line}  OUT OF BOUNDS", flush=True)
        wrong += not fine
    if wrong:
        sys.exit(f"{wrong} out of bounds")


if __name__ == "__main__":
    main()
