"""Format times for the terminal and the report."""

from datetime import UTC, datetime


def format_utc(moment: datetime, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Return a time in UTC as text; boto3 returns times in the machine's own time zone.

    Parameters
    ----------
    moment : with a time zone
    """
    return moment.astimezone(UTC).strftime(pattern)
