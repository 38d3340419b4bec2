"""Schedules as people write them, in cron or in words, and whether they contradict the one that runs."""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cronsim import CronSim, CronSimError

Moment = datetime.datetime
Period = datetime.timedelta

MINUTE, HOUR, DAY = Period(minutes=1), Period(hours=1), Period(days=1)
WEEK, MONTH, YEAR = Period(days=7), Period(days=30), Period(days=365)
SOME_DAY = Moment(2026, 1, 1, tzinfo=datetime.UTC)
# How many runs of a cron expression are looked at.
RUNS = 5


@dataclass(frozen=True)
class Stated:
    """What can be read in a sentence on a schedule. ``times`` are hours and minutes, UTC unless ``elsewhere``.

    ``on_demand``: something is started when it is asked for.
    """

    crons: tuple[str, ...]
    periods: tuple[Period, ...]
    times: tuple[tuple[int, int], ...]
    elsewhere: bool
    on_demand: bool


def read_schedule(text: str) -> Stated:
    crons = tuple(dict.fromkeys(_crons(text)))
    rest = _CRON.sub(" ", text)
    return Stated(
        crons, tuple(_periods(rest)), tuple(_times(rest)), bool(_ELSEWHERE.search(rest)), bool(_ON_DEMAND.search(rest))
    )


def contradicts(stated: Stated, schedules: Iterable[Sequence[Moment]]) -> bool:
    """Whether none of the schedules, given by the first moments at which they start a run, can be what is meant.

    A cron expression decides alone: words beside it may speak of retries, or of what it replaced.
    """
    known = [starts for starts in schedules if starts]
    if stated.crons:
        return not any(_is_cron_of(cron, starts, stated.elsewhere) for cron in stated.crons for starts in known)
    if stated.periods and not any(_is_period_of(period, starts) for period in stated.periods for starts in known):
        return True
    times = {(moment.hour, moment.minute) for starts in known for moment in starts}
    return bool(stated.times) and not stated.elsewhere and not times & set(stated.times)


def contradicts_period(stated: Stated, every: Period | None) -> bool:
    """Whether what is stated is plainly another period, where nothing but the period is known (None: there is none).

    What is started by an event may stand beside something that has a period: "the load nightly, erasures on request".
    """
    if every is None and stated.on_demand:
        return False
    of_crons = [_steps(_runs(cron, SOME_DAY)) for cron in stated.crons]
    stated_periods = [step for steps in of_crons for step in steps] or list(stated.periods)
    return bool(stated_periods) and not any(every and _is_about(period, every) for period in stated_periods)


_FIELD = r"[\d*/,\-?LW#]{1,40}|(?:MON|TUE|WED|THU|FRI|SAT|SUN|JAN|[A-Z]{3})(?:[-,][A-Z]{3}){0,6}"
_CRON = re.compile(rf"(?<![\w*/,])(?:(?:{_FIELD})[ \t]+){{4}}(?:{_FIELD})(?![\w*/])|@(?:hourly|daily|weekly|monthly)\b")
_MACROS = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *"}


def _crons(text: str) -> Iterator[str]:
    for match in _CRON.finditer(text):
        cron = " ".join(_MACROS.get(match[0], match[0]).split())
        try:
            CronSim(cron, SOME_DAY)
        except CronSimError:
            continue
        yield cron


def _runs(cron: str, after: Moment) -> list[Moment]:
    try:
        return list(itertools.islice(CronSim(cron, after), RUNS))
    except CronSimError:  # it never comes
        return []


def _steps(starts: Sequence[Moment]) -> list[Period]:
    return [later - earlier for earlier, later in itertools.pairwise(starts)]


def _is_cron_of(cron: str, starts: Sequence[Moment], elsewhere: bool) -> bool:
    found = _runs(cron, starts[0].astimezone(datetime.UTC) - MINUTE)[: len(starts)]
    if elsewhere:
        return _steps(found) == _steps(starts)[: len(found) - 1]
    return found == list(starts[: len(found)])


def _is_period_of(period: Period, starts: Sequence[Moment]) -> bool:
    return any(_is_about(step, period) for step in _steps(starts))


def _is_about(one: Period, other: Period) -> bool:
    return abs(one - other) <= 0.12 * max(one, other)


_ON_DEMAND = re.compile(
    r"\b(?:on|upon|by|per|at) (?:demand|request|event)\b|\b(?:no|without a|not on a) (?:fixed )?schedule\b"
    r"|\b(?:event|request)[- ](?:driven|triggered)\b|\bad[ -]?hoc\b|\bby hand\b|\bwhenever\b",
    re.IGNORECASE,
)
_NUMBERS = {
    "other": 2, "second": 2, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "eight": 8, "ten": 10,
    "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30,
}  # fmt: skip
_UNITS = {"min": MINUTE, "h": HOUR, "d": DAY, "night": DAY, "morning": DAY, "evening": DAY, "w": WEEK, "mon": MONTH}
_UNIT = r"min(?:ute)?s?|hours?|hrs?|h|days?|nights?|mornings?|evenings?|weeks?|months?"
_EVERY = re.compile(
    rf"\b(?:every|each|once (?:an?|per|every)|(?:an?|one) (?:run|load|file|batch)s? (?:an?|per|every|each))"
    rf"[\s-]+(?:(\d{{1,4}}|{'|'.join(_NUMBERS)})[\s-]*)?({_UNIT})\b",
    re.IGNORECASE,
)
_OFTEN = re.compile(r"\b(twice|(?:two|three|four|six|\d{1,2}) times) (?:a|per|each|every) (day|week|hour)\b", re.I)
_EACH = re.compile(r"\b(\d{1,3}[\s-]?)?(hourly|daily|nightly|overnight|weekly|monthly|quarterly|yearly)\b", re.I)
_ADVERBS = {
    "hourly": HOUR, "daily": DAY, "nightly": DAY, "overnight": DAY, "weekly": WEEK, "monthly": MONTH,
    "quarterly": 3 * MONTH, "yearly": YEAR,
}  # fmt: skip


def _periods(text: str) -> Iterator[Period]:
    for number, unit in _EVERY.findall(text):
        count = int(number) if number.isdigit() else _NUMBERS.get(number.casefold(), 1)
        folded = unit.casefold()
        yield count * next(period for start, period in _UNITS.items() if folded.startswith(start))
    for often, unit in _OFTEN.findall(text):
        word = often.split()[0].casefold()
        count = 2 if word == "twice" else int(word) if word.isdigit() else _NUMBERS[word]
        yield {"day": DAY, "week": WEEK, "hour": HOUR}[unit.casefold()] / max(count, 1)
    for number, adverb in _EACH.findall(text):
        yield int(re.sub(r"\D", "", number) or 1) * _ADVERBS[adverb.casefold()]


_CLOCK = re.compile(r"(?<![\d:T+-])(\d{1,2})[:h](\d{2})(?::00)?\s?([ap])?\.?m?\b|\b(\d{1,2})\s?([ap])\.?m\b", re.I)
_WORDS = {"midnight": (0, 0), "noon": (12, 0)}
_ELSEWHERE = re.compile(
    r"\b(?:[CEMWP][ES]?[SD]?T|CET|CEST|EET|BST|IST|JST|local time|[A-Z][a-z]+/[A-Z][a-z]+|(?:UTC|GMT)\s?[+-]\s?\d)\b"
)


def _times(text: str) -> Iterator[tuple[int, int]]:
    for hour, minute, half, bare, bare_half in _CLOCK.findall(text):
        number = int(hour or bare)
        if (half or bare_half).casefold() == "p" and number < 12:
            number += 12
        elif (half or bare_half).casefold() == "a" and number == 12:
            number = 0
        if number < 24 and int(minute or 0) < 60:
            yield number, int(minute or 0)
    yield from (time for word, time in _WORDS.items() if re.search(rf"\b{word}\b", text, re.IGNORECASE))
