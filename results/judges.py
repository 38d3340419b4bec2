"""What judges said of a run's deliverables: beside the trials' records, and no part of any score.

<run>/judges/<judge>.json                           who was asked what (JudgeRecord), written before the first call
<run>/trials/<task>/<attempt>/judges/<judge>.json   the verdicts on one deliverable (OpinionRecord)
                                     <judge>.calls.jsonl   the calls that were made for it

A judge is a model with its parameters and the rubrics; its name ends in a digest of them. Judges stand side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal, TypeVar

import pydantic

from results.errors import RunDirectoryError
from results.records import Cost, Record, Setting, TaskId, TrialRecord, Usage
from results.run_directory import RunDirectory, TrialFolder
from results.statistics import Estimate, rate

FORMAT: Final = 1
FOLDER: Final = "judges"

Said = Literal["met", "not_met", "void"]
R = TypeVar("R", bound=Record)


class RubricRecord(Record):
    id: str
    clause: str
    asks: str
    met: str
    not_met: str


class JudgeRecord(Record):
    """Who was asked what."""

    format: Literal[1] = FORMAT
    judge: str
    model: str
    parameters: Mapping[str, Setting] = {}
    harness_version: str
    rubrics: tuple[RubricRecord, ...]


class VoteRecord(Record):
    """One answer. ``void``: why it counts for nothing."""

    said: Said
    quote: str = ""
    reason: str = ""
    void: str = ""


class VerdictRecord(Record):
    """What the votes on one rubric come to. ``void``: why there is none, where the votes don't tell."""

    rubric: str
    clause: str
    said: Said
    void: str = ""
    votes: tuple[VoteRecord, ...] = ()


class Opinion(Record):
    """A judge's verdicts on one deliverable, of so many votes each, and what they took."""

    judge: str
    votes: int = pydantic.Field(ge=1)
    verdicts: tuple[VerdictRecord, ...]
    usage: Usage = Usage()
    cost: Cost | None = None


class OpinionRecord(Opinion):
    """That on a trial's deliverable; ``submission`` is the digest of what it was read from."""

    format: Literal[1] = FORMAT
    task: TaskId
    attempt: int = pydantic.Field(ge=1)
    submission: str


def judge_file(directory: RunDirectory, judge: str) -> Path:
    return directory.path / FOLDER / f"{judge}.json"


def opinion_file(folder: TrialFolder, judge: str) -> Path:
    return folder.path / FOLDER / f"{judge}.json"


def calls_file(folder: TrialFolder, judge: str) -> Path:
    return folder.path / FOLDER / f"{judge}.calls.jsonl"


def judges(directory: RunDirectory) -> list[JudgeRecord]:
    """Those that were asked about this run, by name."""
    return [_read(path, JudgeRecord) for path in sorted((directory.path / FOLDER).glob("*.json"))]


def call_journals(directory: RunDirectory, judge: str) -> list[Path]:
    """The calls of a judge for all trials of a run: finished, cut off, or repeated since."""
    return sorted(path for path in directory.path.glob(f"trials/*/*/{FOLDER}/*") if path.name == f"{judge}.calls.jsonl")


def opinion(folder: TrialFolder, judge: str) -> OpinionRecord | None:
    """What a judge said of a trial; ``None`` if it wasn't asked, or not to the end."""
    path = opinion_file(folder, judge)
    return _read(path, OpinionRecord) if path.is_file() else None


def _read(path: Path, kind: type[R]) -> R:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        raise RunDirectoryError(
            f"{path} is damaged, or another version wrote it", "delete it; the judge's calls are kept beside it"
        ) from None


@dataclass(frozen=True)
class RubricTally:
    """Of how many trials a judge said that they meet a rubric; ``met`` has the task as its unit.

    ``judged`` counts the trials with a verdict, ``void`` those without.
    """

    rubric: str
    clause: str
    met_trials: int
    judged: int
    void: int
    met: Estimate | None


@dataclass(frozen=True)
class Summary:
    """A judge's verdicts on a run. ``void_votes``: how many votes are void, by why; ``cost`` is ``None`` if unknown."""

    judge: JudgeRecord
    tallies: tuple[RubricTally, ...]
    trials: int
    unjudged: int
    void_votes: Mapping[str, int]
    votes: int
    tokens: int
    cost: Decimal | None


def summary(directory: RunDirectory, judge: JudgeRecord) -> Summary:
    """What a judge said of the graded trials of a run, added up."""
    graded = [record for record in directory.records() if record.status == "graded"]
    found = {record.key: opinion(directory.trial(*record.key), judge.judge) for record in graded}
    opinions = [one for one in found.values() if one]
    votes = [vote for one in opinions for verdict in one.verdicts for vote in verdict.votes]
    voids = [vote.void for vote in votes if vote.said == "void"]
    costs = [one.cost for one in opinions]
    return Summary(
        judge,
        tuple(_tally(rubric, opinions) for rubric in judge.rubrics),
        len(opinions),
        len(graded) - len(opinions),
        {why: voids.count(why) for why in sorted(set(voids))},
        len(votes),
        sum(tokens(one.usage) for one in opinions),
        None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0)),
    )


def _tally(rubric: RubricRecord, opinions: Iterable[OpinionRecord]) -> RubricTally:
    outcomes: dict[str, list[float]] = {}
    void = 0
    for one in opinions:
        for verdict in one.verdicts:
            if verdict.rubric == rubric.id and verdict.said == "void":
                void += 1
            elif verdict.rubric == rubric.id:
                outcomes.setdefault(one.task, []).append(float(verdict.said == "met"))
    judged = sum(map(len, outcomes.values()))
    met = round(sum(map(sum, outcomes.values())))
    return RubricTally(rubric.id, rubric.clause, met, judged, void, rate(outcomes))


def tokens(usage: Usage) -> int:
    """Of all four kinds."""
    return usage.input + usage.output + usage.cache_read + usage.cache_write


def opinions_on(directory: RunDirectory, trial: TrialRecord) -> list[tuple[JudgeRecord, OpinionRecord]]:
    """What each judge said of one trial."""
    folder = directory.trial(*trial.key)
    found = [(judge, opinion(folder, judge.judge)) for judge in judges(directory)]
    return [(judge, said) for judge, said in found if said]
