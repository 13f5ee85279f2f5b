from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scripts.lifetime import SCHEDULE_FORMAT, LifetimeError, end, extend, lifetime
from tests.unit.stacks import make_stack

TARGET = {"Arn": "arn:aws:scheduler:::aws-sdk:sagemaker:deleteEndpoint", "RoleArn": "some-role", "Input": "{}"}


class FakeScheduler:
    """One schedule, as GetSchedule tells of it."""

    class exceptions:  # noqa: N801 (boto3's name)
        class ResourceNotFoundException(Exception):  # noqa: N818
            pass

    def __init__(self, ends: datetime | None) -> None:
        self.schedule = ends and {
            "Name": "scones-local-endpoint-expiry",
            "ScheduleExpression": ends.strftime(SCHEDULE_FORMAT),
            "Target": TARGET,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "CreationDate": ends,
        }

    def get_schedule(self, **_: str) -> Any:
        if self.schedule is None:
            raise self.exceptions.ResourceNotFoundException
        return self.schedule

    def update_schedule(self, **given: Any) -> None:
        self.schedule = given


def in_hours(hours: int) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)


def test_an_extension_counts_from_the_end_and_keeps_what_the_schedule_does() -> None:
    # GIVEN
    ends = in_hours(2)
    scheduler = FakeScheduler(ends)

    # WHEN
    extend(scheduler, make_stack(), timedelta(hours=4))

    # THEN
    assert end(scheduler, make_stack()) == ends + timedelta(hours=4)
    assert scheduler.get_schedule()["Target"] == TARGET
    assert "CreationDate" not in scheduler.get_schedule()  # UpdateSchedule takes no such thing


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        pytest.param(-1, "`make deploy` brings it back", id="over"),
        pytest.param(None, "endpoint_hours is null", id="no schedule"),
    ],
)
def test_what_has_no_end_ahead_cannot_be_prolonged(ends: int | None, said: str) -> None:
    # GIVEN
    scheduler = FakeScheduler(None if ends is None else in_hours(ends))

    # WHEN / THEN
    with pytest.raises(LifetimeError, match=said):
        extend(scheduler, make_stack(), timedelta(hours=4))


def test_an_environment_without_a_time_to_live_asks_no_schedule() -> None:
    assert end(None, make_stack(endpoint_schedule=None)) is None


def test_a_life_is_told_in_a_sentence() -> None:
    # GIVEN
    stack = make_stack()

    # WHEN / THEN
    assert "lives until `make down`" in lifetime(stack, None)
    assert "make extend" in lifetime(stack, in_hours(1))
    assert "make deploy" in lifetime(stack, in_hours(-1))
