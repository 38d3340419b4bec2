"""Checks and scenarios: plain functions of a task's ``checks.py``.

    @scenario
    def day_loaded_twice(lab, world): …         # drives the lab once, returns what it saw
    @check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
    def rerunning_a_day_changes_nothing(day_loaded_twice, world): assert …

A parameter is the name of a scenario, or one of ``lab`` (harness.lab.Lab), ``world`` (what ``world.build`` made of the
hidden seed), ``rebuild`` (``world.build`` itself: other seeds and scales), ``contract`` or ``operation``. A scenario
runs at most once a grade, in a lab made fresh for it; if it fails, so does every check that names it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

DIMENSIONS = (
    "correctness",
    "idempotency",
    "durability",
    "quality",
    "late_data",
    "schema_evolution",
    "lineage",
    "scale",
    "security",
    "deliverable",
    "communication",
)
# What a parameter may name besides a scenario.
GIVEN = ("lab", "world", "rebuild", "contract", "operation")
# What a text can earn alone: these never decide ``resolved``, and earn nothing where nothing runs.
TEXT_DIMENSIONS = ("deliverable", "communication")

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


@dataclass(frozen=True)
class Check:
    """One graded behaviour. ``required`` checks together decide ``resolved``."""

    id: str
    dimension: str
    clauses: tuple[str, ...]
    weight: float
    required: bool
    function: Callable[..., Any]


@dataclass(frozen=True)
class CheckResult:
    """How one check ended; ``evidence`` says what was seen where it failed."""

    id: str
    dimension: str
    clauses: tuple[str, ...]
    weight: float
    required: bool
    passed: bool
    evidence: str = ""


def check(
    dimension: str, *, clauses: Iterable[str] = (), weight: float = 1.0, required: bool = True
) -> Callable[[AnyFunction], AnyFunction]:
    """Mark a function as a check: it passes unless it raises ``AssertionError`` or ``SubmissionFault``."""
    assert dimension in DIMENSIONS, f"unknown dimension {dimension!r}; known: {', '.join(DIMENSIONS)}"
    assert weight > 0, f"a check's weight is more than 0, not {weight}"

    def mark(function: AnyFunction) -> AnyFunction:
        name = function.__name__
        # The module would forget the first without a word.
        assert not hasattr(function.__globals__.get(name), "__check__"), f"two checks are called {name}"
        function.__check__ = Check(name, dimension, tuple(clauses), weight, required, function)  # type: ignore[attr-defined]
        return function

    return mark


def scenario(function: AnyFunction) -> AnyFunction:
    """Mark a function as a scenario, known to checks and other scenarios by its name."""
    function.__scenario__ = True  # type: ignore[attr-defined]
    return function


def checks_of(module: ModuleType) -> list[Check]:
    """A module's checks in the order they stand there."""
    return [member.__check__ for member in vars(module).values() if hasattr(member, "__check__")]


def scenarios_of(module: ModuleType) -> dict[str, Callable[..., Any]]:
    return {name: member for name, member in vars(module).items() if getattr(member, "__scenario__", False)}


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)
