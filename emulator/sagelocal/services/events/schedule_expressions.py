"""Schedule expressions of EventBridge rules and of EventBridge Scheduler: `at`, `rate` and `cron`.

Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import product
from zoneinfo import ZoneInfo

ONE_TIME = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
RATE = re.compile(r"rate\(([1-9]\d*) (minute|hour|day)s?\)")
CRON = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
YEARS = range(1970, 2200)


def is_valid(expression: str) -> bool:
    """Return whether an expression is a valid `at`, `rate` or `cron` expression."""
    if RATE.fullmatch(expression):
        return True
    try:
        if one_time := ONE_TIME.fullmatch(expression):
            return bool(datetime.fromisoformat(one_time[1]))
        return _parse_cron(expression) is not None
    except ValueError:
        return False


def is_zone(name: str) -> bool:
    """Return whether there is a time zone with this name."""
    try:
        return bool(ZoneInfo(name))
    # in this order: the name is unknown, points outside the time zone database, or names a folder of the database
    except (KeyError, ValueError, OSError):
        return False


@lru_cache(maxsize=1024)  # cached, because each schedule is checked several times a second
def next_time(expression: str, zone: str, after: datetime) -> datetime | None:
    """Return the next time at which a schedule is due, or None if it is never due again.

    Parameters
    ----------
    expression
        Schedule expression: `at(2026-01-31T12:00:00)`, `rate(5 minutes)` or `cron(0 8 ? * MON-FRI *)`. A schedule with
        an invalid expression is never due.
    zone
        Time zone of an `at` or `cron` expression.
    after
        Time of the schedule's creation, last update or last invocation, whichever is latest.
    """
    if not is_valid(expression):
        return None
    if one_time := ONE_TIME.fullmatch(expression):
        moment = datetime.fromisoformat(one_time[1]).replace(tzinfo=ZoneInfo(zone))
        return moment if moment > after else None
    if rate := RATE.fullmatch(expression):
        try:
            return after + timedelta(**{f"{rate[2]}s": int(rate[1])})
        except OverflowError:  # later than the last datetime
            return None
    cron = _parse_cron(expression)
    local = after.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    moments = cron.moments(local) if cron else iter(())
    return next((each.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for each in moments if each > local), None)


@dataclass(frozen=True)
class _Cron:
    minutes: list[int]
    hours: list[int]
    days: str  # day of the month
    months: list[int]
    weekdays: str
    years: list[int]

    def moments(self, start: datetime) -> Iterator[datetime]:
        """Yield, in order, all matching local times on or after the day of `start`."""
        for year, month in product(self.years, self.months):
            if (year, month) < (start.year, start.month):
                continue
            for day in _dates(year, month):
                if day >= start.date() and _is_day(self.days, day) and _is_weekday(self.weekdays, day):
                    for hour, minute in product(self.hours, self.minutes):
                        yield datetime(day.year, day.month, day.day, hour, minute)


@lru_cache(maxsize=1024)
def _parse_cron(expression: str) -> _Cron | None:
    """Return the fields of a `cron` expression, or None for `at` and `rate` expressions.

    Raises
    ------
    ValueError
        A field is invalid, or `?` is in both or in neither of the fields day-of-month and day-of-week.
    """
    found = CRON.fullmatch(expression)
    if not found:
        return None
    minutes, hours, days, months, weekdays, years = found.groups()
    if [days, weekdays].count("?") != 1:
        raise ValueError("exactly one of day-of-month and day-of-week must be ?")
    cron = _Cron(
        _values(minutes, range(60)),
        _values(hours, range(24)),
        days,
        _values(months, range(1, 13), MONTHS),
        weekdays,
        _values(years, YEARS),
    )
    # these calls raise the ValueError of an invalid field; the date does not matter
    _is_day(days, date(2026, 1, 31))
    _is_weekday(weekdays, date(2026, 1, 31))
    return cron


def _values(text: str, allowed: range, names: tuple[str, ...] = ()) -> list[int]:
    """Return the sorted values that a field such as `*`, `5`, `0/15`, `MON-FRI` or `1,15` contains."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            first, last = allowed[0], allowed[-1]
        else:
            low, dash, high = span.partition("-")
            first = _number(low, names)
            last = _number(high, names) if dash else allowed[-1] if step else first
        if first not in allowed or last not in allowed or first > last:
            raise ValueError(f"{part} is not within {allowed[0]} to {allowed[-1]}")
        found.update(range(first, last + 1, int(step or 1)))
    return sorted(found)


def _number(text: str, names: tuple[str, ...]) -> int:
    return names.index(text.upper()) + 1 if text.upper() in names else int(text)


def _dates(year: int, month: int) -> list[date]:
    return [date(year, month, day) for day in range(1, calendar.monthrange(year, month)[1] + 1)]


def _is_day(text: str, day: date) -> bool:
    """Return whether a day-of-month field, such as `?`, `L`, `15W` or `1-7`, matches a date."""
    month = _dates(day.year, day.month)
    if text == "?":
        return True
    if text == "L":
        return day == month[-1]
    if nearest := re.fullmatch(r"(\d+)W", text):
        number = _values(nearest[1], range(1, 32))[0]
        target = month[min(number, len(month)) - 1]
        workdays = [each for each in month if each.isoweekday() <= 5]
        return day == min(workdays, key=lambda each: abs(each - target))
    return day.day in _values(text, range(1, 32))


def _is_weekday(text: str, day: date) -> bool:
    """Return whether a day-of-week field, such as `?`, `MON-FRI`, `6L` or `6#3`, matches a date."""
    weekday = day.isoweekday() % 7 + 1  # 1 is Sunday
    if text == "?":
        return True
    if text == "L":
        return weekday == 7
    if last := re.fullmatch(r"(\w+)L", text):
        return weekday == _values(last[1], range(1, 8), WEEKDAYS)[0] and (day + timedelta(days=7)).month != day.month
    if nth := re.fullmatch(r"(\w+)#([1-5])", text):
        return weekday == _values(nth[1], range(1, 8), WEEKDAYS)[0] and (day.day - 1) // 7 + 1 == int(nth[2])
    return weekday in _values(text, range(1, 8), WEEKDAYS)
