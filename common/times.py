"""Format times and durations for the terminal and HTML pages."""

from datetime import UTC, datetime


def format_utc(moment: datetime, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Return a time in UTC as text; boto3 returns times in the machine's own time zone.

    Parameters
    ----------
    moment : with a time zone
    """
    return moment.astimezone(UTC).strftime(pattern)


def format_duration(seconds: float) -> str:
    """Return a duration as text.

    Examples
    --------
    >>> format_duration(0.0123), format_duration(2.5), format_duration(135)
    ('12 ms', '2.50 s', '2 min 15 s')
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.2f} s"
