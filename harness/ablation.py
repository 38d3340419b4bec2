"""An ablation, from the persona to the trials: what is left out, what that costs and can find, and doing it.

Its trials lie in run directories, one of the whole persona and one without each part (``results.ablation`` draws the
tree), so that it is gone on with after a kill like a run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path

from graders import common_checks
from graders.check import checks_of
from harness import run
from harness.clauses import read_persona
from harness.clauses.parts import By, Part, parts, without
from harness.display import Display
from harness.errors import UsageError
from harness.persona import Persona
from harness.sandboxes import Sandbox
from harness.task import Task
from results.ablation import (
    WHOLE,
    AblationRecord,
    PartRecord,
    detectable,
    pairs_for_dead_weight,
    pairs_needed,
    read_record,
    read_runs,
    write_record,
)
from results.planning import Pilot
from results.power import Noise
from results.records import PersonaRecord
from results.run_directory import RunDirectory, RunDirectoryError, whole_folder


def chosen_parts(persona: Persona, by: By, patterns: Sequence[str]) -> list[Part]:
    """The parts to leave out, one after the other: all, or those whose ids match one of the globs.

    Raises:
        UsageError: the persona has no parts, or only one; or nothing matches a pattern.
    """
    if not persona.text:
        raise UsageError(f"the persona {persona.name!r} has nothing to leave out", "name one: --persona FILE")
    known = parts(read_persona(persona), persona.text, by)
    other = "--by clause" if by == "section" else "--by section"
    if not known:
        raise UsageError(f"the persona {persona.name!r} has no {by}s", f"try {other}; bench persona show lists both")
    if len(known) == 1 or not all(without(persona.text, part).strip() for part in known):
        raise UsageError(
            f"the persona {persona.name!r} is one {by}: without it nothing is left",
            f"try {other}; or compare it with none: bench run --persona none, bench compare",
        )
    for pattern in patterns:
        if not any(fnmatchcase(part.id, pattern) for part in known):
            shown = ", ".join(part.id for part in known[:20]) + (", …" if len(known) > 20 else "")
            raise UsageError(f"the persona {persona.name!r} has no {by} {pattern!r}", f"known: {shown}")
    return [part for part in known if not patterns or any(fnmatchcase(part.id, pattern) for pattern in patterns)]


@dataclass(frozen=True)
class Prospect:
    """What is known of an ablation before it is paid for.

    ``trial_cost``: in the mean; ``None`` if unknown. ``comparisons``: of each part, the score and every dimension that
    the tasks' checks have. ``noise``: of scores, from a pilot or assumed.
    """

    by: By
    parts: int
    tasks: int
    attempts: int
    comparisons: int
    trial_cost: Decimal | None
    noise: Noise
    margin: float
    alpha: float

    @property
    def pairs(self) -> int:
        return self.tasks * self.attempts

    @property
    def trials(self) -> int:
        return self.pairs * (self.parts + 1)

    @property
    def cost(self) -> Decimal | None:
        return None if self.trial_cost is None else self.trial_cost * self.trials

    @property
    def detects(self) -> float | None:
        """The smallest effect on a score that is found with 80 %; ``None`` if none is."""
        return detectable(self.pairs, self.comparisons, self.noise, self.alpha)

    def attempts_for(self, pairs: int) -> int:
        return -(-pairs // self.tasks)

    @property
    def attempts_for_evidence(self) -> int:
        """With fewer attempts a task nothing can be shown, whatever happens."""
        return self.attempts_for(pairs_needed(self.comparisons, self.alpha))

    @property
    def attempts_for_dead_weight(self) -> int:
        """With fewer, not even trials that all come out the same show that a part does nothing."""
        return self.attempts_for(pairs_for_dead_weight(self.comparisons, self.margin, self.alpha))


def prospect(
    by: By,
    left_out: int,
    tasks: Sequence[Task],
    attempts: int,
    trial_cost: Decimal | None,
    pilot: Pilot | None,
    margin: float,
    alpha: float,
) -> Prospect:
    """Without a pilot the scores are assumed to vary as much as any can."""
    modules = [common_checks, *(task.checks for task in tasks if not task.manifest.foreign)]
    dimensions = {check.dimension for module in modules for check in checks_of(module)}
    noise = pilot.noise if pilot else Noise.assumed(0.5)
    comparisons = left_out * (1 + len(dimensions))
    return Prospect(by, left_out, len(tasks), attempts, comparisons, trial_cost, noise, margin, alpha)


def create(
    chosen: run.Chosen,
    persona: Persona,
    left_out: Sequence[Part],
    by: By,
    tasks: Sequence[Task],
    attempts: int,
    sandbox: Sandbox,
    display: Display,
    runs: Path,
    margin: float,
    alpha: float,
) -> Path:
    """Write down a new ablation: all its run directories, without a trial; it appears whole or not at all.

    Raises:
        UsageError, InfrastructureError, RunWriteError: something that it needs is missing; nothing was begun.
    """
    personas = [Persona(f"{persona.name} without {part.id}", without(persona.text, part)) for part in left_out]
    for one in (persona, *personas):
        run.rehearse(chosen, one, tasks, attempts)
    environments = run.prepare(sandbox, tasks, display)
    whole = run.new_record(chosen, persona, sandbox.name, environments, tasks, attempts)
    records = [
        PartRecord(
            id=part.id,
            title=part.title,
            lines=part.lines,
            clauses=part.clauses,
            characters=len(persona.text) - len(left.text),
            digest=left.digest,
            run=_folder_name(number, part),
        )
        for number, (part, left) in enumerate(zip(left_out, personas, strict=True), start=1)
    ]
    record = AblationRecord(
        created=datetime.now(UTC), by=by, persona=whole.persona, parts=tuple(records), margin=margin, alpha=alpha
    )
    path = runs / f"{whole.run}-ablation"
    with whole_folder(path) as draft:
        RunDirectory.create(draft / WHOLE, whole)
        for part, left in zip(records, personas, strict=True):
            own = PersonaRecord(name=left.name, digest=left.digest, text=left.text)
            changed = whole.model_copy(update={"persona": own, "run": f"{whole.run}-{part.run}"})
            RunDirectory.create(draft / part.run, changed)
        write_record(draft, record)
    return path


def _folder_name(number: int, part: Part) -> str:
    """Unique, and a file name everywhere, whatever the language of the persona."""
    words = re.sub(r"[^a-z0-9]+", "-", part.id)[:60].strip("-")
    return f"without-{number:02}-{words}".rstrip("-")


def require_persona(path: Path, persona: Persona) -> None:
    """
    Raises:
        UsageError: the ablation is one of another persona.
        RunDirectoryError: there is no ablation.
    """
    begun_with = read_record(path).persona
    if begun_with.digest != persona.digest:
        raise UsageError(
            f"{path} is an ablation of another persona: {begun_with.name}@{begun_with.digest[:7]}, "
            f"not {persona.name}@{persona.digest[:7]}",
            "leave out --persona to go on with it, or begin a new one without --resume",
        )


def unfinished(path: Path, *, retry_invalid: bool = False) -> list[RunDirectory]:
    """The runs of an ablation that lack trials, the whole persona's first.

    Raises:
        RunDirectoryError: no ablation directory, or damaged.
    """
    if (path / "run.json").is_file():
        raise RunDirectoryError(f"{path} is a run, not an ablation", f"go on with: bench run --resume {path}")
    whole, without_parts = read_runs(path, read_record(path))
    return [one for one in (whole, *without_parts) if _lacks_trials(one, retry_invalid)]


def _lacks_trials(directory: RunDirectory, retry_invalid: bool) -> bool:
    done = {trial.key for trial in directory.records() if not (retry_invalid and trial.status == "invalid")}
    return done != set(directory.record.planned_trials)
