"""Verdicts that stand: what ``bench verify`` has executed needn't be executed again while all it rests on is the same.

A verdict rests on its solution and what that must fail, on the task's folder (without its other solutions), on the
sandbox and what its boxes are made of, and on the code that opens boxes and grades. After a changed byte of these
the case is executed anew. Wrong verdicts stand as well, or else a check that fails now and then would end up green.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path

import pydantic

import graders
import harness
from graders.grade import Grade
from harness.errors import UsageError
from harness.sandboxes import Sandbox
from harness.submission import IGNORED_FOLDERS, NO_LIMITS, from_folder
from harness.task import Task
from harness.verify import Case, Verdict, operates
from results.durable import Journal, writing


class Proof(pydantic.BaseModel):
    """A line of the file: a digest of what the verdict ``rests_on``, what was judged, and how it came out."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    rests_on: str
    task: str
    case: str
    seed: int
    grade: Grade | None
    problems: tuple[str, ...]


class Proofs:
    """The verdicts in a file of JSON lines, made if it isn't there.

    Raises:
        UsageError: the file holds something else.
        RunDirectoryError: it can't be read or written, or is damaged.
    """

    def __init__(self, path: Path, sandbox: Sandbox, environments: Mapping[str, str]) -> None:
        self._sandbox, self._environments, self._code = sandbox.name, environments, code_digest()
        self._standing: defaultdict[str, list[Proof]] = defaultdict(list)
        self.taken = 0
        with writing(path):  # now, not when the first verdict has been worked for
            path.open("ab").close()
        self._journal = Journal(path)
        for number, line in enumerate(self._journal.lines(), start=1):
            try:
                proof = Proof.model_validate_json(line)
            except pydantic.ValidationError:
                raise UsageError(
                    f"{path}: line {number} is no verdict of bench verify", "give --proofs a file of its own"
                ) from None
            self._standing[proof.rests_on].append(proof)
        self._journal.repair()

    def take(self, case: Case) -> Verdict | None:
        """A verdict of this case that stands. Each is given once: to judge a case twenty times takes twenty."""
        standing = self._standing[self._rests_on(case)]
        if not standing:
            return None
        self.taken += 1
        proof = standing.pop(0)
        return Verdict(case, proof.grade, proof.problems)

    def keep(self, verdict: Verdict) -> None:
        """Write a verdict down; not that a box or an engine failed, which proves nothing."""
        if verdict.lost:
            return
        case = verdict.case
        proof = Proof(
            rests_on=self._rests_on(case),
            task=case.task.id,
            case=case.label,
            seed=case.seed,
            grade=verdict.grade,
            problems=verdict.problems,
        )
        self._journal.append(proof.model_dump_json())

    def _rests_on(self, case: Case) -> str:
        grounds = {
            "sandbox": self._sandbox,
            "environment": self._environments[case.task.manifest.environment],
            "code": self._code,
            "task": task_digest(case.task),
            "submission": case.submission.digest,
            "case": (case.label, case.seed, sorted(case.must_fail), operates(case)),
        }
        return digest_of(grounds)


def digest_of(grounds: object) -> str:
    """Of all that a verdict or a grade rests on, as JSON knows it."""
    return hashlib.sha256(json.dumps(grounds).encode()).hexdigest()


def task_digest(task: Task) -> str:
    """All of a task's folder but its alternates and mutants: to add one leaves the others proven."""
    folder = from_folder(task.folder, limits=NO_LIMITS, ignored=IGNORED_FOLDERS | {"alternates"})
    return folder.without(["mutants.toml"]).digest


def code_digest() -> str:
    """The code that opens boxes and grades, and all installed packages."""
    folders = [Path(path) for package in (harness, graders) for path in package.__path__]
    packages = sorted(f"{found.name} {found.version}" for found in distributions())
    parts = [*(from_folder(folder, limits=NO_LIMITS).digest for folder in folders), *packages]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
