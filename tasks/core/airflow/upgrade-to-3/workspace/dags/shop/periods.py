"""Periods the shop reckons in. Used by the DAGs and by tools/; imports nothing but the standard library."""
from datetime import date, datetime, time, timedelta, timezone

DAY_STARTS = time(2, 0, tzinfo=timezone.utc)


def shop_day(day):
    """First moment of a shop day, and the first moment after it."""
    start = datetime.combine(day, DAY_STARTS)
    return start, start + timedelta(days=1)


def ends_a_week(end):
    """Whether a period that ends at midnight ends a week (Monday to Sunday)."""
    return end.weekday() == 0


def week_before(end):
    """First day of the week that ends with this moment, as a date."""
    return date(end.year, end.month, end.day) - timedelta(days=7)
