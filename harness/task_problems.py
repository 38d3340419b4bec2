"""What can be said against a task without executing anything: mistakes that a matrix of green cases may hide."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from graders import common_checks
from graders.check import GIVEN, checks_of, parameters, scenarios_of
from harness import worlds
from harness.clauses.coverage import unknown_names
from harness.errors import UsageError
from harness.submission import from_folder, matches
from harness.task import HIDDEN_SEEDS, Task

COMMON_CHECKS = {check.id for check in checks_of(common_checks)}
COMMON_SCENARIOS = {*scenarios_of(common_checks)}
LEAST_MUTANTS, LEAST_CHECKS, LEAST_DIMENSIONS = 4, 5, 3


def task_problems(task: Task) -> list[str]:
    # First: of files that nobody could hand in there are no mutants.
    found = [*of_submit(task)] or [*of_names(task), *of_mutants(task), *of_size(task), *of_the_world(task)]
    return [f"{task.id}: {problem}" for problem in found]


def of_names(task: Task) -> Iterator[str]:
    """Names that mean nothing, or two things."""
    own, scenarios = checks_of(task.checks), scenarios_of(task.checks)
    taken = {*(check.id for check in own), *scenarios} & {*COMMON_CHECKS, *COMMON_SCENARIOS}
    yield from (f"checks.py: every task has a {name!r} of that name; call yours otherwise" for name in sorted(taken))
    known = {*GIVEN, *COMMON_SCENARIOS, *scenarios}
    for name, function in [*((check.id, check.function) for check in own), *scenarios.items()]:
        for parameter in parameters(function):
            if parameter not in known:
                yield f"checks.py: {name} asks for {parameter!r}; known are {', '.join(sorted(known))}"
    for where, name in unknown_names(task):
        yield f"{where} names {name!r}, which is no clause; `bench persona show` lists them"


def of_mutants(task: Task) -> Iterator[str]:
    ids = [check.id for check in common_checks.all_checks_of(task)]
    named = {check: name for name, (mutant, _) in task.mutants.items() for check in mutant.breaks}
    for check in sorted({*named} - {*ids}):
        yield f"the mutant {named[check]} breaks {check!r}, which is no check; known: {', '.join(sorted(ids))}"
    yield from (f"no mutant fails {check!r}" for check in sorted({*ids} - {*named} - COMMON_CHECKS))


def of_size(task: Task) -> Iterator[str]:
    if not task.alternates:
        yield "there is no alternate"
    if len(task.mutants) < LEAST_MUTANTS:
        yield f"{len(task.mutants)} mutants; at least {LEAST_MUTANTS} are asked for"
    required = [check for check in checks_of(task.checks) if check.required]
    if len(required) < LEAST_CHECKS or len({check.dimension for check in required}) < LEAST_DIMENSIONS:
        yield f"at least {LEAST_CHECKS} checks of behaviour in {LEAST_DIMENSIONS} dimensions are asked for"


def of_submit(task: Task) -> Iterator[str]:
    """A file of a solution's that no agent could hand in."""
    for where in ("reference", *(f"alternates/{name}" for name in task.alternates)):
        own = [path for path in from_folder(task.folder / where).files if path != ".remove"]
        if lost := sorted(path for path in own if not matches(path, task.takes)):
            submit = list(task.manifest.submit)
            yield f"{where}: {', '.join(lost[:5])} can't be handed in, as task.toml has submit = {submit}"


def of_the_world(task: Task) -> Iterator[str]:
    _ = task.instruction  # an error if it can't be read
    if missing := [name for name in ("build", "furnish") if not inspect.isfunction(getattr(task.world, name, None))]:
        yield f"world.py has no {' and no '.join(missing)}"
        return
    try:
        first, second = (worlds.digest(task.world.build(HIDDEN_SEEDS[0])) for _ in range(2))
    except UsageError as error:
        yield f"world.py: {error}"
        return
    except Exception as error:
        yield f"world.py: seed {HIDDEN_SEEDS[0]} can't be built: {type(error).__name__}: {error}"
        return
    if first != second:
        yield "world.py: the same seed makes another world each time; draw from random.Random(seed) alone, and no clock"
