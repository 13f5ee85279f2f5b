"""The next time at which a schedule is due."""

from datetime import UTC, datetime

import pytest

from sagelocal.services.scheduler import next_time

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "expected"),
    [
        pytest.param("at(2026-07-01T14:00:00)", "UTC", datetime(2026, 7, 1, 14, tzinfo=UTC), id="once"),
        pytest.param("at(2026-07-01T15:00:00)", "Europe/Berlin", datetime(2026, 7, 1, 13, tzinfo=UTC), id="zone"),
        pytest.param("at(2026-07-01T11:00:00)", "UTC", None, id="past"),
        pytest.param("rate(5 minutes)", "UTC", datetime(2026, 7, 1, 12, 5, tzinfo=UTC), id="every-five-minutes"),
        pytest.param("rate(1 day)", "UTC", datetime(2026, 7, 2, 12, tzinfo=UTC), id="daily"),
        pytest.param("cron(0 10 * * ? *)", "UTC", None, id="unsupported"),
    ],
)
def test_next_time_follows_the_expression(expression: str, zone: str, expected: datetime | None) -> None:
    assert next_time(expression, zone, NOON) == expected
