"""Schedule expressions: validation, and the next time at which a schedule is due.

Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from datetime import UTC, datetime

import pytest

from sagelocal.services.events.schedule_expressions import is_valid, next_time

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)  # a Wednesday


def july(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """Return a time in July 2026, in UTC."""
    return datetime(2026, 7, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "expected"),
    [
        pytest.param("at(2026-07-01T14:00:00)", "UTC", july(1, 14), id="once"),
        pytest.param("at(2026-07-01T15:00:00)", "Europe/Berlin", july(1, 13), id="zone"),
        pytest.param("at(2026-07-01T11:00:00)", "UTC", None, id="past"),
        pytest.param("rate(5 minutes)", "UTC", july(1, 12, 5), id="every-five-minutes"),
        pytest.param("rate(1 day)", "UTC", july(2, 12), id="daily"),
        pytest.param("cron(0 10 * * ? *)", "UTC", july(2, 10), id="tomorrow"),
        pytest.param("cron(0 15 * * ? *)", "Europe/Berlin", july(1, 13), id="cron-zone"),
        pytest.param("cron(0/15 * * * ? *)", "UTC", july(1, 12, 15), id="every-fifteen-minutes"),
        pytest.param("cron(0 18 ? * MON-FRI *)", "UTC", july(1, 18), id="weekdays"),
        pytest.param("cron(15 12 ? * 1,7 *)", "UTC", july(4, 12, 15), id="weekend"),
        pytest.param("cron(5 8-10 ? * FRI 2026-2028)", "UTC", july(3, 8, 5), id="years"),
        pytest.param("cron(0 0 L * ? *)", "UTC", july(31), id="last-day"),
        pytest.param("cron(0 0 ? * 6L *)", "UTC", july(31), id="last-friday"),
        pytest.param("cron(0 0 ? * L *)", "UTC", july(4), id="saturday"),
        pytest.param("cron(0 0 ? * 2#3 *)", "UTC", july(20), id="third-monday"),
        pytest.param("cron(0 0 5W * ? *)", "UTC", july(6), id="weekday-after-sunday"),
        pytest.param("cron(0 0 4W * ? *)", "UTC", july(3), id="weekday-before-saturday"),
        pytest.param("cron(0 0 1 JAN ? *)", "UTC", datetime(2027, 1, 1, tzinfo=UTC), id="next-year"),
        pytest.param("cron(0 0 29 2 ? *)", "UTC", datetime(2028, 2, 29, tzinfo=UTC), id="leap-day"),
        pytest.param("rate(99999999999 days)", "UTC", None, id="beyond-the-calendar"),
        pytest.param("cron(0 0 1 1 ? 2025)", "UTC", None, id="past-year"),
        pytest.param("cron(0 0 30 2 ? *)", "UTC", None, id="never"),
    ],
)
def test_next_time_follows_the_expression(expression: str, zone: str, expected: datetime | None) -> None:
    assert next_time(expression, zone, NOON) == expected


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("cron(0 10 * * * *)", id="both-day-fields"),
        pytest.param("cron(0 10 ? * ? *)", id="no-day-field"),
        pytest.param("cron(0 10 * * ?)", id="five-fields"),
        pytest.param("cron(60 10 * * ? *)", id="minute-out-of-range"),
        pytest.param("cron(0 10 ? * 0 *)", id="weekday-out-of-range"),
        pytest.param("cron(0 10 ? * XYZ *)", id="unknown-name"),
        pytest.param("cron(0 10 32W * ? *)", id="day-out-of-range"),
        pytest.param("at(2026-02-30T10:00:00)", id="day-that-does-not-exist"),
        pytest.param("cron(0/0 10 * * ? *)", id="step-of-zero"),
        pytest.param("rate(0 minutes)", id="rate-of-zero"),
        pytest.param("every day", id="text"),
    ],
)
def test_invalid_expression_is_recognized_and_never_due(expression: str) -> None:
    assert not is_valid(expression)
    assert next_time(expression, "UTC", NOON) is None
