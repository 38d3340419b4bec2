"""How good a judge is: asked about labelled excerpts (``calibration.toml``), it should say what the labels say."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.judge.asking import Opinion
from harness.judge.rubrics import Rubric, rubrics
from results.agreement import Agreement, Rated, agreement

_FILE = Path(__file__).with_name("calibration.toml")
ALL = "all"


@dataclass(frozen=True)
class Excerpt:
    """A piece of a deliverable and its labels by rubric; ``why`` says what is hard about it."""

    name: str
    text: str
    met: tuple[str, ...] = ()
    not_met: tuple[str, ...] = ()
    why: str = ""

    def label(self, rubric: str) -> Literal["met", "not_met"]:
        return "met" if rubric in self.met else "not_met"

    @property
    def asked(self) -> list[Rubric]:
        return [rubric for rubric in rubrics() if rubric.id in (*self.met, *self.not_met)]


@functools.cache
def excerpts() -> tuple[Excerpt, ...]:
    """All of them, in the order of the file."""
    read = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(
        Excerpt(name, one["text"], tuple(one.get("met", ())), tuple(one.get("not_met", ())), one.get("why", ""))
        for name, one in read.items()
    )


@dataclass(frozen=True)
class Miss:
    """A label that the judge doesn't share, with what it showed for its verdict."""

    rated: Rated
    evidence: str
    why: str


@dataclass(frozen=True)
class Calibration:
    """A row for each rubric, the last for all labels; and where judge and label differ."""

    rows: tuple[tuple[str, Agreement], ...]
    misses: tuple[Miss, ...]
    opinions: tuple[Opinion, ...]


def calibrate(ask: Callable[[Excerpt], Opinion], tell: Callable[[str], None], at_a_time: int) -> Calibration:
    """Ask about every excerpt.

    Raises:
        Whatever ``ask`` raises, after the calls that are under way.
    """
    opinions: dict[str, Opinion] = {}
    with ThreadPoolExecutor(max_workers=at_a_time) as pool:
        asked = {pool.submit(ask, excerpt): excerpt for excerpt in excerpts()}
        try:
            for done in as_completed(asked):
                opinions[asked[done].name] = done.result()
                if len(opinions) % 10 == 0:
                    tell(f"{len(opinions)} of {len(asked)} excerpts")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return compared([(excerpt, opinions[excerpt.name]) for excerpt in excerpts()])


def compared(judged: Sequence[tuple[Excerpt, Opinion]]) -> Calibration:
    """The labels beside what the judge said."""
    rated: list[Rated] = []
    misses = []
    for excerpt, opinion in judged:
        for verdict in opinion.verdicts:
            one = Rated(excerpt.name, verdict.rubric.id, excerpt.label(verdict.rubric.id), verdict.said)
            rated.append(one)
            if not one.agrees:
                shown = [vote.void or vote.reason for vote in verdict.votes if vote.said == verdict.said]
                misses.append(Miss(one, verdict.void or "; ".join(dict.fromkeys(filter(None, shown))), excerpt.why))
    named = [(rubric.id, [one for one in rated if one.rubric == rubric.id]) for rubric in rubrics()]
    rows = [(name, agreement(ones)) for name, ones in [*named, (ALL, rated)] if ones]
    return Calibration(tuple(rows), tuple(misses), tuple(opinion for _, opinion in judged))
