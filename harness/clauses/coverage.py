"""Which check of a suite tests which clause of a persona, and what nobody tests.

A check tests the canonical clauses that it names. A task's checks of behaviour also test the technologies, the
responsibilities and the collaboration that its manifest lists: they execute what was built with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from graders import common_checks
from graders.check import TEXT_DIMENSIONS, Check
from harness.clauses.reading import Clause, Reading
from harness.clauses.sections import Kind
from harness.clauses.vocabulary import parties, resolve, technologies
from harness.task import Manifest, Task

# What a suite answers for. Who a persona says it is can't be checked; of its other text nobody knows what it is.
ANSWERED: tuple[Kind, ...] = (
    "responsibilities",
    "expertise",
    "standards",
    "deliverable",
    "collaboration",
    "constraints",
    "communication",
)
# Every clause of these kinds has to be tested by a suite that is whole.
OWED: frozenset[Kind] = frozenset({"constraints", "responsibilities", "communication"})


@dataclass(frozen=True)
class Test:
    """A check that tests a clause; ``by`` says whether the check names it or its task's manifest does."""

    task: str
    check: str
    dimension: str
    by: Literal["check", "task"]


@dataclass(frozen=True)
class Covered:
    """A clause with all that tests it."""

    clause: Clause
    tests: tuple[Test, ...]

    @property
    def tasks(self) -> list[str]:
        return sorted({test.task for test in self.tests})


@dataclass(frozen=True)
class Coverage:
    """The matrix. ``unknown`` are names in checks and manifests that are no canonical clause, with where they are."""

    rows: tuple[Covered, ...]
    unknown: tuple[tuple[str, str], ...]
    tasks: int

    def of_kind(self, kind: Kind) -> list[Covered]:
        return [row for row in self.rows if row.clause.kind == kind]

    @property
    def uncovered(self) -> list[Clause]:
        return [row.clause for row in self.rows if not row.tests]

    @property
    def gaps(self) -> list[Clause]:
        """Uncovered clauses that a suite owes a test."""
        return [clause for clause in self.uncovered if clause.kind in OWED]


def coverage(reading: Reading, tasks: Sequence[Task]) -> Coverage:
    """The matrix of a persona's clauses and a suite's checks."""
    tests: dict[str, list[Test]] = {}
    unknown: dict[tuple[str, str], None] = {}
    for task in tasks:
        for check in common_checks.all_checks_of(task):
            for canonical, by in _tested(task.manifest, check):
                tests.setdefault(canonical, []).append(Test(task.id, check.id, check.dimension, by))
        unknown |= dict.fromkeys((f"{task.id}: {where}", name) for where, name in unknown_names(task))
    rows = [
        Covered(clause, _distinct(test for canonical in clause.canonical for test in tests.get(canonical, [])))
        for clause in reading.clauses
        if clause.kind in ANSWERED or clause.canonical
    ]
    return Coverage(tuple(rows), tuple(unknown), len(tasks))


def _tested(manifest: Manifest, check: Check) -> Iterator[tuple[str, Literal["check", "task"]]]:
    named = dict.fromkeys(canonical for name in check.clauses for canonical in resolve(name))
    for canonical in named:
        yield canonical, "check"
    if check.dimension in TEXT_DIMENSIONS:
        return  # a text alone executes nothing
    listed = [canonical for name in manifest.responsibilities for canonical in resolve(name)]
    listed += [canonical for name in manifest.collaboration for canonical in parties(name)]
    listed += technologies([*manifest.technologies, *manifest.engines])
    for canonical in dict.fromkeys(listed):
        if canonical not in named:
            yield canonical, "task"


def unknown_names(task: Task) -> Iterator[tuple[str, str]]:
    """Names of a task's that are no canonical clause, each with the check that names it, or ``task.toml``."""
    for check in common_checks.all_checks_of(task):
        yield from ((check.id, name) for name in check.clauses if not resolve(name))
    yield from (("task.toml", name) for name in task.manifest.responsibilities if not resolve(name))
    yield from (("task.toml", name) for name in task.manifest.collaboration if not parties(name))


def _distinct(tests: Iterable[Test]) -> tuple[Test, ...]:
    """One test for each check of a task, the named before the listed."""
    found: dict[tuple[str, str], Test] = {}
    for test in sorted(tests, key=lambda test: (test.task, test.by, test.check)):
        found.setdefault((test.task, test.check), test)
    return tuple(found.values())
