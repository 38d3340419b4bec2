"""Proves a suite's graders: every solution of every task is graded, and must lose exactly the checks it should.

Reference and alternates pass everything in every hidden world; the untouched workspace passes nothing; each mutant
fails all the checks it ``breaks`` and no other; every check is failed by a mutant. Runbooks are executed in the first
world only, as all are tried on the data that the agent saw, and for mutants only if that is what they break;
``harness.lies`` are the mutants of the checks that all tasks share. The case ``tried`` is the reference together with
what a run of it in the visible world has left in its folder: whoever tries a solution first is graded like the others.
Of a task that doesn't say how it is run, the visible world is at least ``furnished``.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from graders import common_checks
from graders.contract import Contract
from graders.grade import Grade, grade
from graders.operation import operation_of
from graders.trying import execute
from harness.errors import BenchError, InfrastructureError
from harness.lab import Lab
from harness.lies import lies_problems
from harness.sandboxes import Sandbox
from harness.side_by_side import side_by_side
from harness.submission import Submission, SubmissionError
from harness.task import HIDDEN_SEEDS, VISIBLE_SEED, Task
from harness.task_problems import task_problems


@dataclass(frozen=True)
class Case:
    """One solution in one hidden world, and the checks it must fail."""

    task: Task
    kind: str
    name: str
    seed: int
    submission: Submission
    must_fail: frozenset[str]

    @property
    def label(self) -> str:
        return f"{self.kind} {self.name}".strip()


@dataclass(frozen=True)
class Verdict:
    """How a case came out; ``problems`` is empty if it is as it must be. One whose box was ``lost`` proves nothing."""

    case: Case
    grade: Grade | None
    problems: tuple[str, ...]
    lost: bool = False


@dataclass(frozen=True)
class Matrix:
    """All verdicts, and what is wrong with a task as a whole."""

    verdicts: tuple[Verdict, ...]
    problems: tuple[str, ...] = field(default=())

    @property
    def green(self) -> bool:
        return not self.problems and not any(verdict.problems for verdict in self.verdicts)


def check_ids(task: Task) -> list[str]:
    return [check.id for check in common_checks.all_checks_of(task)]


def cases(task: Task, seeds: Sequence[int] = HIDDEN_SEEDS) -> Iterator[Case]:
    """The matrix of one task: solutions in all worlds, mutants and the untouched workspace in the first."""
    nothing: frozenset[str] = frozenset()
    for seed in seeds:
        yield Case(task, "reference", "", seed, task.reference, nothing)
        for name, submission in task.alternates.items():
            yield Case(task, "alternate", name, seed, submission, nothing)
    yield Case(task, "nop", "", seeds[0], task.workspace, frozenset(check_ids(task)))
    for name, (mutant, submission) in task.mutants.items():
        yield Case(task, "mutant", name, seeds[0], submission, frozenset(mutant.breaks))
    if operation_of(task):
        yield Case(task, "lies", "", seeds[0], task.reference, nothing)
        yield Case(task, "tried", "", seeds[0], task.reference, nothing)
    else:
        yield Case(task, "furnished", "", VISIBLE_SEED, task.workspace, nothing)


def telling_mutants(task: Task) -> frozenset[str]:
    """The names of few mutants that between them fail every check any mutant fails.

    A mutant that breaks the whole proves little of each check: one that fails over a third of them comes in only for
    a check that no other fails.
    """
    breaks = {name: frozenset(mutant.breaks) for name, (mutant, _) in task.mutants.items()}
    narrow = {name: failed for name, failed in breaks.items() if len(failed) <= len(check_ids(task)) / 3}
    unproven = set().union(*breaks.values())
    chosen: set[str] = set()
    for pool in (narrow, breaks):
        while unproven & set().union(*pool.values()):
            best = max(pool, key=lambda name: len(pool[name] & unproven))
            chosen.add(best)
            unproven -= pool[best]
    return frozenset(chosen)


def judge(case: Case, sandbox: Sandbox, contract: Contract) -> Verdict:
    """Whatever goes wrong in it is this case's verdict: the others go on."""
    try:
        if case.kind == "lies":
            return Verdict(case, None, tuple(lies_problems(case.task, sandbox, contract)))
        if case.kind == "furnished":
            with Lab(case.task, sandbox, case.submission) as lab:
                case.task.world.furnish(case.task.world.build(case.seed), lab)
            return Verdict(case, None, ())
        return judge_grade(case, sandbox, contract)
    except InfrastructureError as error:
        return Verdict(case, None, (f"no grade: {error}",), lost=True)
    except Exception as error:
        said = str(error) if isinstance(error, (BenchError, SubmissionError)) else f"{type(error).__name__}: {error}"
        return Verdict(case, None, (f"no grade: {said}",))


def judge_grade(case: Case, sandbox: Sandbox, contract: Contract) -> Verdict:
    submission = tried(case.task, sandbox) if case.kind == "tried" else case.submission
    graded = grade(case.task, submission, sandbox, case.seed, contract, operates=operates(case))
    evidence = {check.id: check.evidence for check in graded.checks}
    problems = [f"{name} failed: {evidence[name]}" for name in sorted(graded.failed - case.must_fail)]
    problems += [f"{name} passed, and must not" for name in sorted(case.must_fail - graded.failed)]
    return Verdict(case, graded, tuple(problems))


def operates(case: Case) -> bool:
    """Whether a case is worth following its runbook."""
    executed = {check.id for check in common_checks.common_checks_of(case.task) if common_checks.executes(check)}
    return bool(case.must_fail & executed) or (case.kind != "mutant" and case.seed == HIDDEN_SEEDS[0])


def tried(task: Task, sandbox: Sandbox) -> Submission:
    """The reference as it is handed in by somebody who ran it before.

    Raises:
        SubmissionError: what was left can't be handed in.
    """
    operation = operation_of(task)
    assert operation is not None
    with Lab(task, sandbox, task.reference) as lab:
        task.world.furnish(task.world.build(VISIBLE_SEED), lab)
        execute(lab, shlex.split(operation.command), operation.command, operation)
        return lab.collect()


def verify(
    tasks: Sequence[Task],
    sandbox: Sandbox,
    contract: Contract,
    *,
    seeds: Sequence[int],
    jobs: int,
    wanted: Callable[[Case], bool] = lambda case: True,
    standing: Callable[[Case], Verdict | None] = lambda case: None,
    tell: Callable[[Verdict], None] = lambda verdict: None,
    note: Callable[[str], None] = lambda text: None,
) -> Matrix:
    """Judge every wanted case that no verdict is ``standing`` of, ``jobs`` at a time; ``tell`` hears of each.

    Raises:
        KeyboardInterrupt: as ``side_by_side``.
    """
    planned = [case for task in tasks for case in cases(task, seeds) if wanted(case)]
    problems = [problem for task in tasks for problem in task_problems(task)]
    for problem in problems:  # before hours of execution
        note(f"wrong: {problem}")
    verdicts = {index: verdict for index, case in enumerate(planned) if (verdict := standing(case))}

    def one(index: int) -> None:
        verdicts[index] = verdict = judge(planned[index], sandbox, contract)
        tell(verdict)

    open_ones = [index for index in range(len(planned)) if index not in verdicts]
    side_by_side(open_ones, one, note, "what is being graded is", concurrency=jobs)
    return Matrix(tuple(verdicts[index] for index in sorted(verdicts)), tuple(problems))
