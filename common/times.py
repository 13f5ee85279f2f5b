"""Time ranges, and the format of times and durations in the terminal and HTML pages."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from common.errors import OperatorError

YEARS = range(2000, 2100)
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
DURATION = re.compile(r"(\d{1,6})([mhd])", re.ASCII)
DEFAULT_RANGE = timedelta(days=7)
# S3 refuses requests from a machine whose clock differs by more than 15 minutes (RequestTimeTooSkewed), so the times in
# records are at most 15 minutes in the future:
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
MAX_CLOCK_SKEW = timedelta(minutes=15)


class TimeRangeError(OperatorError):
    """A time range is invalid, or is in the future."""


@dataclass(frozen=True)
class Window:
    """A time range in UTC that includes its start and excludes its end."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def __str__(self) -> str:
        start = format_utc(self.start)
        return f"since {start} UTC" if self.end > datetime.now(UTC) else f"{start} to {format_utc(self.end)} UTC"

    def to_json(self) -> dict[str, str]:
        """Return the start and the end as text in ISO 8601."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat()}


def parse_window(since: str, until: str = "", *, now: datetime | None = None) -> Window:
    """Return the time range that the options SINCE and UNTIL select.

    Parameters
    ----------
    since : value of SINCE, which `parse_moment` describes; empty for seven days before the end
    until : value of UNTIL, in the same format as SINCE; empty for the current time, and then the range also includes
        records from machines whose clocks are ahead
    now : the current time; only tests pass it

    Raises
    ------
    TimeRangeError
        A value is invalid, the range is empty, or it starts in the future.
    """
    now = now or datetime.now(UTC)
    end = parse_moment("UNTIL", until, now) if until else now
    start = parse_moment("SINCE", since, now) if since else end - DEFAULT_RANGE
    if start > now:
        raise TimeRangeError(f"SINCE must not be in the future (got {since}, now it is {format_utc(now)} UTC)")
    if start >= end:
        raise TimeRangeError(
            f"SINCE must be before UNTIL (got {format_utc(start)} UTC and {format_utc(end)} UTC), "
            "such as SINCE=48h UNTIL=24h"
        )
    return Window(start, end if until else end + MAX_CLOCK_SKEW)


def parse_moment(name: str, text: str, now: datetime) -> datetime:
    """Return the UTC time that a text describes: a duration before `now`, or a date or time in ISO 8601.

    A date or a time without a time zone is in UTC.

    Parameters
    ----------
    name : name of the option, for the error message
    text : value of the option
    now : the current time

    Raises
    ------
    TimeRangeError
        The text is neither a duration nor a date or time, or the year is out of range.

    Examples
    --------
    >>> noon = datetime(2026, 3, 8, 12, tzinfo=UTC)
    >>> str(parse_moment("SINCE", "24h", noon)), str(parse_moment("SINCE", "2026-03-01", noon))
    ('2026-03-07 12:00:00+00:00', '2026-03-01 00:00:00+00:00')
    """
    try:
        if match := DURATION.fullmatch(text):
            moment = now - int(match[1]) * UNITS[match[2]]
        else:
            moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        if moment.year in YEARS:
            return moment
    except (ValueError, OverflowError):
        pass
    raise TimeRangeError(
        f"{name} must be a duration such as 24h or 7d, or a date or time such as 2026-03-01 or 2026-03-01T12:00, "
        f"in the years {YEARS[0]} to {YEARS[-1]} (got {text!r})"
    )


def format_utc(moment: datetime, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Return a time as text in UTC. Times that boto3 returns are in the machine's time zone.

    Parameters
    ----------
    moment : a time with a time zone
    pattern : format of the text, as `strftime` expects it
    """
    return moment.astimezone(UTC).strftime(pattern)


def format_duration(seconds: float) -> str:
    """Return a duration as text in milliseconds, seconds, or minutes and seconds.

    Examples
    --------
    >>> format_duration(0.0123), format_duration(2.5), format_duration(135)
    ('12 ms', '2.50 s', '2 min 15 s')
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.2f} s"
