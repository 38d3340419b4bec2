"""The same schedule in other words is no contradiction; another schedule is one, in whatever words."""

import datetime

import pytest

from graders.schedules import contradicts, contradicts_period, read_schedule


def starts(hours: float, hour: int = 4, minute: int = 0) -> list[datetime.datetime]:
    first = datetime.datetime(2026, 3, 2, hour, minute, tzinfo=datetime.UTC)
    return [first + number * datetime.timedelta(hours=hours) for number in range(5)]


DAILY_AT_FOUR = [
    "`0 4 * * *`",
    "daily at 04:00 UTC",
    "Every day, 4:00 a.m. UTC, no catch-up",
    "once per day at 4 am",
    "nightly (0 4 * * *), retried every 5 minutes",
    "nightly, when the shop's file is there",
    "05:00 Europe/Berlin in winter, each day",
    "00 04 * * *",
    "by Airflow",
]
NOT_DAILY_AT_FOUR = [
    "`0 5 * * *`",
    "hourly",
    "every 6 hours",
    "@weekly",
    "daily at 16:00 UTC",
    "every day at 4 pm",
    "once a week, on Monday",
    "*/15 * * * *",
    "twice a day",
]


@pytest.mark.parametrize("said", DAILY_AT_FOUR)
def test_the_same_in_other_words_is_true(said: str) -> None:
    assert not contradicts(read_schedule(said), [starts(24)])


@pytest.mark.parametrize("said", NOT_DAILY_AT_FOUR)
def test_another_schedule_is_found_out(said: str) -> None:
    assert contradicts(read_schedule(said), [starts(24)])


def test_of_several_pipelines_one_schedule_is_enough() -> None:
    known = [starts(24, 2), starts(24, 0), starts(6, 0)]
    assert not contradicts(read_schedule("`0 2 * * *`, `@daily` and every 6 hours, UTC"), known)
    assert not contradicts(read_schedule("nightly at 02:00; every six hours"), known)
    assert contradicts(read_schedule("every quarter of an hour: */15 * * * *"), known)


def test_a_pipeline_that_never_starts_has_no_schedule() -> None:
    assert contradicts(read_schedule("daily at 04:00"), [])


@pytest.mark.parametrize(
    "said", ["nightly", "every night after the export", "`30 2 * * *`", "started by the scheduler"]
)
def test_where_somebody_else_starts_it_the_period_counts(said: str) -> None:
    assert not contradicts_period(read_schedule(said), datetime.timedelta(days=1))


def test_what_an_event_starts_has_no_period() -> None:
    assert not contradicts_period(read_schedule("by the CI, after every change of the project"), None)
    assert contradicts_period(read_schedule("nightly"), None)
    assert not contradicts_period(read_schedule("the load nightly at 02:00; `erase.py` on request"), None)


@pytest.mark.parametrize("said", ["hourly", "every 15 minutes", "0 6 * * 1", "weekly"])
def test_where_somebody_else_starts_it_another_period_is_false(said: str) -> None:
    assert contradicts_period(read_schedule(said), datetime.timedelta(days=1))
