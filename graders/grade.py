"""A grade: a frozen submission in a fresh box, perturbed, executed, read back, checked. Knows no model.

A submission that brings down its box, its engine or a check must not come away without a grade. Where something was
lost after it had been at work, the scenario is played again in a new box; what is lost then, too, is its own fault,
unless the new box can't be opened. Where a check breaks on what it found, the reference is graded as a control: if
the check bears that, what broke it is the submission's.
"""

from __future__ import annotations

import functools
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from graders import common_checks, tampering
from graders.check import TEXT_DIMENSIONS, Check, CheckResult, checks_of, parameters, scenarios_of
from graders.contract import Contract
from graders.operation import operation_of
from harness.errors import BenchError, InfrastructureError, SubmissionFault
from harness.foreign import verifier
from harness.lab import Lab
from harness.sandboxes import Sandbox
from harness.submission import Submission
from harness.task import Task

LONGEST_EVIDENCE = 4000
REWARDED = "the_verifier_is_satisfied"
WITHOUT_REWARD = (SubmissionFault, InfrastructureError)
# After so many losses of a grade no further scenario is played. Three scenarios may each have been unlucky once.
MOST_LOSSES = 6


@dataclass(frozen=True)
class Grade:
    """Every check of one submission in one hidden world.

    ``notes`` name what was done to the world, ``tampering`` what was recognised as an attempt on the grade.
    """

    task: str
    seed: int
    checks: tuple[CheckResult, ...]
    notes: tuple[str, ...]
    seconds: float
    tampering: tuple[str, ...] = ()
    # Of a task that brings its own verifier: its score, of which the checks only tell.
    reward: float | None = None

    @property
    def score(self) -> float:
        return weighted(self.checks) if self.reward is None else self.reward

    @property
    def resolved(self) -> bool:
        return all(check.passed for check in self.checks if check.required)

    @property
    def dimensions(self) -> dict[str, float]:
        if self.reward is not None:
            return {"correctness": self.reward}
        names = dict.fromkeys(check.dimension for check in self.checks)
        return {name: weighted([check for check in self.checks if check.dimension == name]) for name in names}

    @property
    def failed(self) -> frozenset[str]:
        return frozenset(check.id for check in self.checks if not check.passed)


def weighted(checks: tuple[CheckResult, ...] | list[CheckResult]) -> float:
    """Share of the weight that passed, 0 to 1."""
    total = sum(check.weight for check in checks)
    return sum(check.weight for check in checks if check.passed) / total if total else 0.0


def grade(
    task: Task, submission: Submission, sandbox: Sandbox, seed: int, contract: Contract, *, operates: bool = True
) -> Grade:
    """Grade a submission in the world of a hidden seed; without ``operates`` nobody follows its runbook.

    Raises:
        InfrastructureError: the box or an engine failed, or a check itself did (cause ``grader``): no grade at all.
    """
    if task.manifest.foreign:
        return rewarded(task, submission, sandbox, seed)
    done = played(task, submission, sandbox, seed, contract, operates=operates)
    return replace(done, tampering=tuple(dict.fromkeys((*tampering.in_files(task, submission), *done.tampering))))


def played(
    task: Task,
    submission: Submission,
    sandbox: Sandbox,
    seed: int,
    contract: Contract,
    *,
    operates: bool,
    is_control: bool = False,
) -> Grade:
    started = time.monotonic()
    given = {
        "world": build(task, seed),
        "rebuild": task.world.build,
        "contract": contract,
        "operation": operation_of(task),
    }

    def is_sound() -> bool:
        """Whether the reference gets a grade in this world, here and now."""
        if is_control or submission.digest == task.reference.digest:
            return False
        try:
            played(task, task.reference, sandbox, seed, contract, operates=operates, is_control=True)
        except InfrastructureError:
            return False
        return True

    scenarios = {**scenarios_of(common_checks), **scenarios_of(task.checks)}
    stage = Stage(lambda: Lab(task, sandbox, submission), scenarios, given, is_sound)
    try:
        results = [stage.result(check) for check in checks_of(task.checks)]
        runs = any(result.passed for result in results)
        results += [
            stage.result(check) if runs else failed(check, "nothing of what it describes works")
            for check in common_checks.common_checks_of(task, operates=operates)
        ]
    finally:
        stage.lab.close()
    seconds = time.monotonic() - started
    return Grade(task.id, seed, tuple(results), tuple(stage.notes), seconds, tuple(stage.incidents))


def rewarded(task: Task, submission: Submission, sandbox: Sandbox, seed: int) -> Grade:
    """What the task's own verifier gives. If it fails twice, that is the submission's fault only if it gives the
    reference (or, where that is what was handed in, the beginning) a reward here and now."""
    started = time.monotonic()
    try:
        verdict = verifier.verify(task, submission, sandbox)
    except WITHOUT_REWARD:
        try:
            verdict = verifier.verify(task, submission, sandbox)
        except WITHOUT_REWARD as fault:
            control = task.workspace if submission.digest == task.reference.digest else task.reference
            try:
                verifier.verify(task, control, sandbox)
            except WITHOUT_REWARD:
                if isinstance(fault, InfrastructureError):
                    raise fault from None
                raise InfrastructureError("grader", f"{task.id}: {fault}") from None
            verdict = verifier.Verdict({verifier.REWARD: 0.0}, str(fault))
    check = Check(REWARDED, "correctness", (), 1.0, True, rewarded)
    told = f"rewards: {dict(verdict.rewards)}; {verdict.said}"
    result = failed(check, told) if not verdict.resolved else replace(failed(check, ""), passed=True)
    return Grade(task.id, seed, (result,), (), time.monotonic() - started, reward=verdict.score)


def build(task: Task, seed: int) -> Any:
    try:
        return task.world.build(seed)
    except Exception as error:
        raise InfrastructureError(
            "grader",
            f"{task.id}: the world of seed {seed} can't be built: {told(error, task)}",
        ) from error


def told(error: Exception, task: Task) -> str:
    """What it says, and where in the task's own files it came up."""
    folder = task.folder.resolve()
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent == folder]
    place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {error}{place}"


class Stage:
    """Resolves what checks ask for by name; each scenario is played once."""

    def __init__(
        self,
        open_lab: Callable[[], Lab],
        scenarios: dict[str, Callable[..., Any]],
        given: dict[str, Any],
        is_sound: Callable[[], bool],
    ) -> None:
        self.open_lab = open_lab
        self.scenarios = scenarios
        self.given = given
        self.is_sound = functools.cache(is_sound)
        self.faults: dict[str, Exception] = {}
        self.lost: list[str] = []
        self._past: list[Lab] = []
        self._enter()

    def _enter(self) -> None:
        """A new lab: what was seen in the one before may lean on a state that is gone."""
        self.lab = self.open_lab()
        self._past.append(self.lab)
        self.values: dict[str, Any] = {**self.given, "lab": self.lab}

    @property
    def notes(self) -> list[str]:
        return list(dict.fromkeys(note for lab in self._past for note in lab.notes))

    @property
    def incidents(self) -> list[str]:
        seen = [incident for lab in self._past for incident in lab.box.incidents]
        return list(dict.fromkeys([*seen, *(["what it ran on was brought down"] if self.lost else [])]))

    def result(self, check: Check) -> CheckResult:
        try:
            check.function(**{name: self.value(name) for name in parameters(check.function)})
        except (AssertionError, SubmissionFault) as problem:
            return failed(check, str(problem) or check.id.replace("_", " "))
        except BenchError:
            raise
        except Exception as error:
            said = told(error, self.lab.task)
            if not self.is_sound():
                raise InfrastructureError(
                    "grader", f"{self.lab.task.id}: the check {check.id} itself failed: {said}"
                ) from error
            return failed(check, f"what was found can't be judged ({said}); what the reference leaves, can")
        return CheckResult(check.id, check.dimension, check.clauses, check.weight, check.required, passed=True)

    def value(self, name: str) -> Any:
        if name in self.faults:
            raise self.faults[name]
        if name not in self.values:
            try:
                self.values[name] = self.play(name)
            except Exception as problem:
                # Whatever it is but the world's, each check that asks for it is told the same: nothing is played again.
                if isinstance(problem, SubmissionFault) or not isinstance(problem, BenchError):
                    self.faults[name] = problem
                raise
        return self.values[name]

    def play(self, name: str) -> Any:
        """Play a scenario; if box or engine is lost by what the submission does there, once more in a new lab."""
        function = self.scenarios[name]
        losses = 0
        while losses < 2 and len(self.lost) < MOST_LOSSES:
            lab = self.lab
            try:
                arguments = {parameter: self.value(parameter) for parameter in parameters(function)}
                if self.lab is not lab:
                    continue  # an argument's scenario lost it: those before it were seen there
                lab.fresh()
                return function(**arguments)
            except InfrastructureError as error:
                if error.cause == "grader" or not self.lab.touched:
                    raise
                losses += 1
                self.lost.append(str(error))
                self.lab.close()
                self._enter()
        raise SubmissionFault(f"it brought down what it ran on, again and again: {self.lost[-1]}")


def failed(check: Check, evidence: str) -> CheckResult:
    text = evidence if len(evidence) <= LONGEST_EVIDENCE else evidence[:LONGEST_EVIDENCE] + " …"
    text = text.encode(errors="replace").decode()  # half a surrogate pair, say: no file could hold it
    required = check.required and check.dimension not in TEXT_DIMENSIONS
    return CheckResult(check.id, check.dimension, check.clauses, check.weight, required, passed=False, evidence=text)
