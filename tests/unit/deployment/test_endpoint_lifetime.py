"""The lifetime of the endpoint: its schedule is read and extended."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from common.errors import OperatorError
from deployment.endpoint_lifetime import SCHEDULE_FORMAT, EndpointLifetime

TARGET = {"Arn": "arn:aws:scheduler:::aws-sdk:sagemaker:deleteEndpoint", "RoleArn": "some-role", "Input": "{}"}


class FakeScheduler:
    """An EventBridge Scheduler client.

    Parameters
    ----------
    end : time at which the schedule deletes the endpoint, or None if there is no schedule
    """

    class exceptions:  # noqa: N801 (boto3's name)
        class ResourceNotFoundException(Exception):  # noqa: N818
            pass

    def __init__(self, end: datetime | None) -> None:
        self.schedule = end and {
            "Name": "scones-local-endpoint-expiry",
            "ScheduleExpression": end.strftime(SCHEDULE_FORMAT),
            "Target": TARGET,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "CreationDate": end,
        }

    def get_schedule(self, **_: str) -> Any:
        if self.schedule is None:
            raise self.exceptions.ResourceNotFoundException
        return self.schedule

    def update_schedule(self, **parameters: Any) -> None:
        self.schedule = parameters


class FakeSsm:
    """An SSM client with the parameter that contains the start and end of the lifetime."""

    def __init__(self) -> None:
        self.value = "2026-01-01T00:00:00Z/2026-01-01T08:00:00Z"

    def get_parameter(self, Name: str) -> Any:  # noqa: N803 (boto3's name)
        assert Name == "some-parameter"
        return {"Parameter": {"Value": self.value}}

    def put_parameter(self, Name: str, Value: str, Overwrite: bool) -> None:  # noqa: N803
        assert (Name, Overwrite) == ("some-parameter", True)
        self.value = Value


class FakeSageMaker:
    """A SageMaker client with one endpoint.

    Parameters
    ----------
    status : status of the endpoint, or None if it does not exist
    """

    def __init__(self, status: str | None) -> None:
        self.status = status

    def describe_endpoint(self, **_: str) -> Any:
        if self.status is None:
            error = {"Code": "ValidationException", "Message": "Could not find endpoint"}
            raise ClientError({"Error": error}, "DescribeEndpoint")
        return {"EndpointStatus": self.status}


def in_hours(hours: int) -> datetime:
    """Return the time `hours` hours from now, without fractions of a second."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)


def make_lifetime(end: datetime | None, status: str | None = None) -> EndpointLifetime:
    """Return a lifetime with this end, or without a schedule if `end` is None; `status` is the endpoint's status."""
    return lifetime_of(FakeScheduler(end), FakeSsm(), status)


def lifetime_of(scheduler: FakeScheduler, ssm: FakeSsm, status: str | None = None) -> EndpointLifetime:
    """Return a lifetime that is read with these clients; `status` is the endpoint's status."""
    return EndpointLifetime(
        "dev",
        "some-endpoint",
        "some-schedule",
        "some-parameter",
        scheduler=scheduler,
        ssm=ssm,
        sagemaker=FakeSageMaker(status),
    )


def test_extension_changes_the_end_and_keeps_the_start_and_the_schedules_other_parameters() -> None:
    # GIVEN
    end = in_hours(2)
    scheduler, ssm = FakeScheduler(end), FakeSsm()
    lifetime = lifetime_of(scheduler, ssm)

    # WHEN
    lifetime.extend(4)

    # THEN
    assert lifetime.end() == end + timedelta(hours=4)
    assert scheduler.get_schedule()["Target"] == TARGET
    assert "CreationDate" not in scheduler.get_schedule()  # not a parameter of UpdateSchedule

    # AND the parameter, from which Terraform reads the lifetime, has the new end
    assert ssm.value == f"2026-01-01T00:00:00Z/{end + timedelta(hours=4):%Y-%m-%dT%H:%M:%SZ}"


def test_parameter_is_changed_before_the_schedule() -> None:
    # GIVEN a schedule that cannot be updated
    end = in_hours(2)
    scheduler, ssm = FakeScheduler(end), FakeSsm()
    scheduler.update_schedule = None  # type: ignore[assignment, method-assign]
    lifetime = lifetime_of(scheduler, ssm)

    # WHEN
    with pytest.raises(TypeError):
        lifetime.extend(4)

    # THEN the parameter has the new end, so the next apply changes the schedule
    assert ssm.value.endswith(f"/{end + timedelta(hours=4):%Y-%m-%dT%H:%M:%SZ}")


@pytest.mark.parametrize(
    ("end", "message"),
    [
        pytest.param(-1, "run `make deploy ENV=dev`", id="ended"),
        pytest.param(None, "endpoint_hours is null", id="no schedule"),
    ],
)
def test_lifetime_that_has_ended_or_has_no_end_cannot_be_extended(end: int | None, message: str) -> None:
    with pytest.raises(OperatorError, match=message):
        make_lifetime(None if end is None else in_hours(end)).extend(4)


def test_end_of_an_unlimited_lifetime_is_none_without_a_request() -> None:
    clients = {"scheduler": None, "ssm": None, "sagemaker": None}
    assert EndpointLifetime("dev", "some-endpoint", None, None, **clients).end() is None


def test_lifetime_has_ended_if_the_scheduled_time_has_passed() -> None:
    assert make_lifetime(in_hours(-1)).has_ended()
    assert not make_lifetime(in_hours(1)).has_ended()
    assert not make_lifetime(None).has_ended()


def test_description_names_the_command_that_ends_extends_or_recreates_the_endpoint() -> None:
    assert "runs until `make down ENV=dev`" in make_lifetime(None).describe()
    assert "`make extend HOURS=4 ENV=dev`" in make_lifetime(in_hours(1)).describe()
    assert "`make deploy ENV=dev`" in make_lifetime(in_hours(-1)).describe()


@pytest.mark.parametrize(
    ("status", "description"),
    [
        (None, "UTC, and the endpoint was deleted"),
        ("Deleting", "UTC, and the endpoint was deleted"),
        ("Updating", "UTC, but the endpoint still exists and is Updating"),
        ("InService", "UTC, but the endpoint still exists and is InService"),
    ],
)
def test_description_after_the_end_says_whether_the_endpoint_still_exists(status: str | None, description: str) -> None:
    lifetime = make_lifetime(in_hours(-1), status)

    assert description in lifetime.describe()
    with pytest.raises(OperatorError, match=description):
        lifetime.extend(4)
