"""How a simulated model answers to clauses of its persona: read from a TOML file, exact in what it does.

    skill = 0.95                       # else something goes wrong that none of these clauses is about; default 1
    seed = 1                           # other draws, of the same chances; default 0

    [clauses]
    "constraints/never-lose-data" = { with = 0.95, without = 0.6 }
    "constraints/plan-for-late-arriving-data" = { with = 0.9, without = 0.9 }

``with`` and ``without`` are the chances that a trial obeys the clause if the persona says it, and if it doesn't. At
most one thing goes wrong in a trial: a mutant against one of the clauses is handed in, or one against none of them.
The draws depend on the task, the attempt, the persona's text and the seed. So two personas differ by chance as well,
as with a model, and what they differ by besides is known.
"""

from __future__ import annotations

import hashlib
import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import pydantic

from graders.check import checks_of
from harness.clauses import own_clauses, read_persona, resolve
from harness.errors import UsageError
from harness.persona import Persona
from harness.submission import Submission
from harness.task import Task

FORM = 'it is of the form: skill = 0.95, [clauses], "constraints/never-lose-data" = { with = 0.95, without = 0.6 }'

Chance = Annotated[float, pydantic.Field(ge=0, le=1, allow_inf_nan=False)]


class Answer(pydantic.BaseModel):
    """The chances that a clause is obeyed if the persona says it, and if it doesn't."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    said: Chance = pydantic.Field(alias="with")
    unsaid: Chance = pydantic.Field(alias="without")

    def disobeys(self, is_said: bool) -> float:
        return 1 - (self.said if is_said else self.unsaid)


class Behaviour(pydantic.BaseModel):
    """The whole file."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    skill: Chance = 1.0
    seed: int = 0
    clauses: Mapping[str, Answer] = pydantic.Field(min_length=1)

    def mistakes(self, task: Task, persona: str) -> dict[str, float]:
        """The chance of each mutant of a task to be handed in; with what is left it is the reference.

        A clause that no mutant of the task breaks is obeyed there, whatever its chance.
        """
        says = said(persona, tuple(self.clauses))
        chances: dict[str, float] = {}
        for name, answer in self.clauses.items():
            _share(chances, answer.disobeys(name in says), mutants_against(task, name))
        about = {mutant for name in self.clauses for mutant in _touching(task, name)}
        _share(chances, 1 - self.skill, sorted(set(task.mutants) - about))
        return chances

    def choose(self, task: Task, attempt: int, persona: str) -> tuple[Submission, str]:
        """What is handed in, and what that is in words."""
        prompt = hashlib.sha256(persona.encode()).hexdigest()
        place = random.Random(f"{self.seed}|{prompt}|{task.id}|{attempt}").random()  # noqa: S311 - a seeded draw
        for name, chance in self.mistakes(task, persona).items():
            if place < chance:
                return task.mutants[name][1], f"the mutant {name}"
            place -= chance
        return task.reference, "the reference"


def _share(chances: dict[str, float], chance: float, mutants: Sequence[str]) -> None:
    for name in mutants:
        chances[name] = chances.get(name, 0.0) + chance / len(mutants)


@dataclass(frozen=True)
class BehaviourFile:
    """A behaviour and the digest of the file that it was read from."""

    behaviour: Behaviour
    digest: str


def read_behaviour(path: Path) -> BehaviourFile:
    """
    Raises:
        UsageError: missing, no TOML, no behaviour, a clause nobody knows, or chances that add up to more than 1.
    """
    try:
        content = path.read_bytes()
        behaviour = Behaviour.model_validate(tomllib.loads(content.decode("utf-8")))
    except OSError as error:
        raise UsageError(f"the behaviour {path} can't be read: {error.strerror}", FORM) from None
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(f"the behaviour {path} is wrong at {where}: {first['msg']}", FORM) from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the behaviour {path} is not valid TOML: {error}", FORM) from None
    if unknown := [name for name in behaviour.clauses if not resolve(name)]:
        raise UsageError(f"the behaviour {path} names no clause: {unknown[0]!r}", "known: bench persona show --json")
    answers = behaviour.clauses.values()
    total = 1 - behaviour.skill + sum(1 - min(answer.said, answer.unsaid) for answer in answers)
    if total > 1 + 1e-9:
        raise UsageError(
            f"the behaviour {path} goes wrong with a chance of {total:.2f}, and more than 1 is none",
            "a trial obeys all clauses but one: raise the skill, or what is obeyed `with` or `without`",
        )
    return BehaviourFile(behaviour, hashlib.sha256(content).hexdigest()[:8])


def mutants_against(task: Task, clause: str) -> list[str]:
    """The mutants that break checks of a clause, and checks of as few other clauses as it gets."""
    found = _touching(task, clause)
    fewest = min(found.values(), default=0)
    return sorted(name for name, others in found.items() if others == fewest)


@lru_cache(maxsize=4096)
def _touching(task: Task, clause: str) -> dict[str, int]:
    """The mutants that break a check of a clause, each with the number of other clauses that they touch."""
    meant = set(resolve(clause))
    clauses = {check.id: {one for name in check.clauses for one in resolve(name)} for check in checks_of(task.checks)}
    found = {}
    for name, (mutant, _) in task.mutants.items():
        touched = {one for check in mutant.breaks for one in clauses.get(check, ())}
        if touched & meant:
            found[name] = len(touched - meant)
    return found


@lru_cache(maxsize=256)
def said(persona: str, clauses: tuple[str, ...]) -> frozenset[str]:
    """Which of the clauses a persona says, in whatever words."""
    reading = read_persona(Persona("", persona))
    return frozenset(name for name in clauses if own_clauses(reading, name))
