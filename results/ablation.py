"""An ablation: the whole persona and the persona without each of its parts on the same tasks; what each part does.

An ablation directory holds ordinary run directories:

    ablation.json             what was asked (AblationRecord); never changed
    whole/                    the run of the whole persona
    without-<number>-<part>/  the run without a part

The unit is a pair of trials: the same task, attempt and hidden world, once with the whole persona and once without
the part. If the part does nothing, either of the two could as well have been the other, whatever the task; so the
sign-flip test of the pairs is exact. Its answer is about the tasks of this suite, and more attempts make it surer; what
`bench compare` says of two runs is about tasks like these, with the task as unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import fmean
from typing import Final, Literal

import pydantic

from results.comparable import require_comparable
from results.errors import RunDirectoryError
from results.multiplicity import holm
from results.paired import ALPHA, bounds, unseen
from results.power import Design, Noise, minimum_detectable_effect
from results.records import PersonaRecord, Record, TrialRecord
from results.run_directory import ABLATION, RunDirectory, write_whole
from results.sign_flip import exact_sign_flip, least_p
from results.statistics import Coverage
from results.text import one_line

FORMAT: Final = 1
WHOLE = "whole"
SCORE = "score"
MARGIN = 0.05

Verdict = Literal["load-bearing", "harmful", "dead weight", "can't tell with this budget"]
CANT_TELL: Final = "can't tell with this budget"

# How many tokens a text has, if nobody has counted them: an English one of about four characters each.
CHARACTERS_A_TOKEN = 4


class PartRecord(Record):
    """A part of the persona that one run does without.

    ``lines``: the first and the last one. ``clauses``: their ids. ``digest``: of the persona that is left. ``run``: the
    folder of that run.
    """

    id: str
    title: str
    lines: tuple[int, int]
    clauses: tuple[str, ...]
    characters: int = pydantic.Field(ge=1)
    digest: str
    run: str = pydantic.Field(pattern=r"^without-[a-z0-9-]+$")


class AblationRecord(Record):
    """``ablation.json``. ``persona``: the whole one."""

    format: Literal[1] = FORMAT
    created: pydantic.AwareDatetime
    by: Literal["section", "clause"]
    persona: PersonaRecord
    parts: tuple[PartRecord, ...] = pydantic.Field(min_length=1)
    margin: float = pydantic.Field(default=MARGIN, gt=0, le=1)
    alpha: float = pydantic.Field(default=ALPHA, gt=0, lt=0.5)


@dataclass(frozen=True)
class Effect:
    """What a part does to the score or a dimension: the mean of the whole's trials minus those without the part.

    ``low`` and ``high``: the interval that holds it, together with all other intervals of the ablation, at 1 − α
    (Bonferroni); ``None`` with fewer than two pairs. ``p``: two-sided, Holm-adjusted over all effects.
    """

    measure: str
    whole: float
    without: float
    value: float
    low: float | None
    high: float | None
    pairs: int
    p: float
    verdict: Verdict


@dataclass(frozen=True)
class PartResult:
    """What leaving out one part did.

    ``text_tokens``: saved in every call of the model, by the length of the text. ``input_tokens``: saved in a trial,
    as measured, all its calls together; ``None`` where no model told.
    """

    part: PartRecord
    coverage: Coverage
    effects: tuple[Effect, ...]
    text_tokens: int
    input_tokens: float | None

    @property
    def verdict(self) -> Verdict:
        """What one effect shows holds for the part; dead weight is shown by all of them together."""
        shown = [effect.verdict for effect in self.effects]
        if "load-bearing" in shown:
            return "load-bearing"
        if "harmful" in shown:
            return "harmful"
        return "dead weight" if shown and set(shown) == {"dead weight"} else CANT_TELL

    @property
    def score(self) -> Effect | None:
        return next((effect for effect in self.effects if effect.measure == SCORE), None)


@dataclass(frozen=True)
class Ablation:
    """An ablation directory, read and judged. ``cost``: of all its trials; unknown is ``None``."""

    path: Path
    record: AblationRecord
    whole: RunDirectory
    coverage: Coverage
    parts: tuple[PartResult, ...]
    cost: Decimal | None

    @property
    def comparisons(self) -> int:
        """All effects that were asked about."""
        return sum(len(one.effects) for one in self.parts)

    @property
    def pairs(self) -> int:
        """Of each part, if all trials are done."""
        return len(self.whole.record.planned_trials)

    @property
    def simulated(self) -> bool:
        return self.whole.record.simulated


def write_record(path: Path, record: AblationRecord) -> None:
    write_whole(path / ABLATION, record.model_dump_json(indent=2).encode() + b"\n")


def read_record(path: Path) -> AblationRecord:
    """
    Raises:
        RunDirectoryError: it is no ablation directory, or damaged.
    """
    file = path / ABLATION
    try:
        return AblationRecord.model_validate_json(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise RunDirectoryError(f"{path} is not an ablation directory", f"it has no {ABLATION}") from None
    except OSError as error:
        raise RunDirectoryError(f"can't read {file}: {error.strerror or error}") from None
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise RunDirectoryError(
            f"{file} is damaged, or another version wrote it: {where}: {first['msg']}", "restore it from a copy"
        ) from None


def read_ablation(path: Path) -> Ablation:
    """Judge what there is of an ablation; one that isn't finished is judged by its finished pairs.

    Raises:
        RunDirectoryError: it is no ablation directory, or a run of it is missing or damaged.
    """
    record = read_record(path)
    whole, runs = read_runs(path, record)
    with_it = whole.records()
    trials = {part.id: run.records() for part, run in zip(record.parts, runs, strict=True)}
    found = effects(with_it, trials, record.margin, record.alpha)
    parts = tuple(
        PartResult(
            part,
            _coverage(run, trials[part.id]),
            found[part.id],
            round(part.characters / CHARACTERS_A_TOKEN),
            input_tokens_saved(with_it, trials[part.id]),
        )
        for part, run in zip(record.parts, runs, strict=True)
    )
    costs = [trial.cost for run in (with_it, *trials.values()) for trial in run]
    known = [cost for cost in costs if cost is not None]
    cost = sum(known, Decimal(0)) if len(known) == len(costs) else None
    return Ablation(path, record, whole, _coverage(whole, with_it), parts, cost)


def read_runs(path: Path, record: AblationRecord) -> tuple[RunDirectory, list[RunDirectory]]:
    """The run of the whole persona, and those without a part, in the order of the parts.

    Raises:
        RunDirectoryError: one is missing or damaged, or isn't the run that belongs there.
    """
    whole = RunDirectory.open(path / WHOLE)
    runs = [RunDirectory.open(path / part.run) for part in record.parts]
    wanted = [record.persona.digest, *(part.digest for part in record.parts)]
    for run, digest in zip([whole, *runs], wanted, strict=True):
        if run.record.persona.digest != digest:
            raise RunDirectoryError(
                f"{run.path} is the run of another persona than {path / ABLATION} says",
                "restore the folder from a copy, or begin a new ablation",
            )
        if run_with(run) != run_with(whole):
            raise RunDirectoryError(
                f"{run.path} was run with {one_line(run_with(run))}, {whole.path} with {one_line(run_with(whole))}",
                "restore the folder from a copy, or begin a new ablation",
            )
        require_comparable(whole, run)
    return whole, runs


def run_with(run: RunDirectory) -> str:
    """What the persona was given to."""
    settings = " ".join(f"{name}={value}" for name, value in sorted(run.record.settings.items()))
    return " ".join(filter(None, (run.record.model, run.record.agent, settings, f"× {run.record.attempts}")))


def effects(
    whole: Sequence[TrialRecord], without: Mapping[str, Sequence[TrialRecord]], margin: float, alpha: float
) -> dict[str, tuple[Effect, ...]]:
    """Of each part its effects on the score and on every dimension; one family of tests.

    Effects of so few pairs that nothing could be shown take no share of α (as in ``results.comparison``); their
    intervals are as wide as all others'.
    """
    before = _by_measure(whole)
    pairs = {(part, name): _pairs(before[name], after) for part, name, after in _measured(before, without)}
    pairs = {key: found for key, found in pairs.items() if found}
    gaps = {key: [one - other for one, other in found] for key, found in pairs.items()}
    chances = {key: exact_sign_flip(gap) for key, gap in gaps.items()}
    asked = [key for key, gap in gaps.items() if 2 * least_p(len(gap)) <= alpha]
    adjusted = holm({f"{part}\n{name}": chances[part, name].either for part, name in asked})
    found: dict[str, list[Effect]] = {part: [] for part in without}
    for (part, name), gap in gaps.items():
        value, low, high = interval(gap, alpha / (2 * len(gaps)))
        p = adjusted.get(f"{part}\n{name}", 1.0)
        verdict: Verdict = CANT_TELL
        if p <= alpha:
            verdict = "load-bearing" if value > 0 else "harmful"
        elif low is not None and high is not None and max(-low, high) < margin:
            verdict = "dead weight"
        with_it, without_it = (fmean(side) for side in zip(*pairs[part, name], strict=True))
        found[part].append(Effect(name, with_it, without_it, value, low, high, len(gap), p, verdict))
    return {part: tuple(rows) for part, rows in found.items()}


def interval(differences: Sequence[float], alpha: float) -> tuple[float, float | None, float | None]:
    """Their mean and its bounds, each at α; ``None`` with fewer than two differences.

    The paired t interval, but never narrower than what may have gone unseen: most pairs differ by nothing, and of those
    that do, a few or none may be among the observed. At most q = 1 − α^(1/n) of all are of a kind that n pairs didn't
    show, and they differ by at most 1 (see ``results.paired.compare_scores``).
    """
    value, count = fmean(differences), len(differences)
    if count < 2:
        return value, None, None
    _, low, high = bounds(differences, alpha)
    lowest, highest = unseen(value, count, alpha)
    return value, min(low, lowest), max(high, highest)


Values = dict[tuple[str, int], float]


def _by_measure(trials: Iterable[TrialRecord]) -> dict[str, Values]:
    """The score and each dimension (sorted) of every graded trial."""
    found: dict[str, Values] = {SCORE: {}}
    for trial in trials:
        if trial.status == "graded" and trial.score is not None:
            for name, value in {SCORE: trial.score, **trial.dimensions}.items():
                found.setdefault(name, {})[trial.key] = value
    return {name: found[name] for name in sorted(found, key=lambda name: (name != SCORE, name))}


def _measured(
    before: Mapping[str, Values], without: Mapping[str, Sequence[TrialRecord]]
) -> Iterable[tuple[str, str, Values]]:
    for part, trials in without.items():
        after = _by_measure(trials)
        yield from ((part, name, after[name]) for name in before if name in after)


def _pairs(before: Values, after: Values) -> list[tuple[float, float]]:
    return [(before[key], after[key]) for key in sorted(before) if key in after]


def input_tokens_saved(whole: Sequence[TrialRecord], without: Sequence[TrialRecord]) -> float | None:
    """The mean over pairs of the input tokens (cached ones, too) that the whole took more; ``None`` if unknown."""
    before, after = ({trial.key: _input(trial) for trial in trials} for trials in (whole, without))
    shared = before.keys() & after.keys()
    if not shared or not all(before[key] and after[key] for key in shared):
        return None
    return fmean(before[key] - after[key] for key in shared)


def _input(trial: TrialRecord) -> int:
    return trial.usage.input + trial.usage.cache_read + trial.usage.cache_write


def detectable(pairs: int, comparisons: int, noise: Noise, alpha: float = ALPHA) -> float | None:
    """The smallest effect on a part's score that is found with 80 % power, before anything is paid for.

    ``comparisons``: effects that are asked about; the first that Holm's method looks at has to do with α divided by
    them. ``None`` if nothing would be found.
    """
    return minimum_detectable_effect(Design(pairs, 1, noise, alpha=alpha / (2 * comparisons)))


def pairs_needed(comparisons: int, alpha: float = ALPHA) -> int:
    """So few pairs, all of them worse, would be evidence: below, nothing can be shown."""
    return _fewest(lambda pairs: 2 * least_p(pairs) * comparisons <= alpha)


def pairs_for_dead_weight(comparisons: int, margin: float, alpha: float = ALPHA) -> int:
    """So many pairs without any difference rule out one of the margin."""
    return _fewest(lambda pairs: unseen(0.0, pairs, alpha / (2 * comparisons))[1] < margin)


def _fewest(enough: Callable[[int], bool]) -> int:
    most = 2
    while not enough(most):
        most *= 2
    low = 1
    while most - low > 1:
        middle = (low + most) // 2
        low, most = (low, middle) if enough(middle) else (middle, most)
    return most


def _coverage(run: RunDirectory, trials: Sequence[TrialRecord]) -> Coverage:
    graded = sum(trial.status == "graded" for trial in trials)
    return Coverage(len(run.record.planned_trials), graded, len(trials) - graded)
