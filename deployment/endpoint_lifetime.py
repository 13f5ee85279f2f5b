"""The endpoint's lifetime, at whose end EventBridge Scheduler deletes the endpoint."""

from datetime import UTC, datetime, timedelta
from typing import Any

from common.errors import OperatorError
from registry.endpoint import remaining_status

# https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#one-time
SCHEDULE_FORMAT = "at(%Y-%m-%dT%H:%M:%S)"
PARAMETER_FORMAT = "%Y-%m-%dT%H:%M:%SZ"  # Terraform's time format
MAXIMUM_EXTENSION = 7 * 24  # hours; for a longer lifetime, change the setting endpoint_hours
# The fields of a schedule that an update must repeat, because UpdateSchedule resets each parameter that it does not get
SCHEDULE_PARAMETERS = (
    "Name",
    "GroupName",
    "Description",
    "ScheduleExpressionTimezone",
    "FlexibleTimeWindow",
    "Target",
    "State",
)


class EndpointLifetime:
    """The lifetime of an endpoint, which a schedule ends.

    Parameters
    ----------
    environment : name of the environment, for messages
    endpoint : name of the endpoint
    schedule : name of the schedule that deletes the endpoint; None if the endpoint's lifetime is not limited
    parameter : name of the SSM parameter that contains the start and the end of the lifetime, from which Terraform sets
        the schedule
    scheduler : EventBridge Scheduler client
    ssm : SSM client
    sagemaker : SageMaker client
    """

    def __init__(
        self,
        environment: str,
        endpoint: str,
        schedule: str | None,
        parameter: str | None,
        *,
        scheduler: Any,
        ssm: Any,
        sagemaker: Any,
    ) -> None:
        self._environment = environment
        self._endpoint = endpoint
        self._schedule = schedule
        self._parameter = parameter
        self._scheduler = scheduler
        self._ssm = ssm
        self._sagemaker = sagemaker

    def end(self) -> datetime | None:
        """Return the time at which the schedule deletes the endpoint, past or future; None if there is no schedule."""
        if self._schedule is None:
            return None
        try:
            expression = self._scheduler.get_schedule(Name=self._schedule)["ScheduleExpression"]
        except self._scheduler.exceptions.ResourceNotFoundException:
            return None
        return datetime.strptime(expression, SCHEDULE_FORMAT).replace(tzinfo=UTC)

    def has_ended(self) -> bool:
        """Return whether the lifetime is limited and over. If the deletion failed, the endpoint still exists."""
        return is_past(self.end())

    def describe(self) -> str:
        """Return a sentence about the end of the endpoint's lifetime."""
        end, env = self.end(), f"ENV={self._environment}"
        if end is None:
            return f"endpoint {self._endpoint} runs until `make down {env}`"
        moment = f"{end:%Y-%m-%d %H:%M} UTC"
        if is_past(end):
            return self._describe_after_end(moment)
        return f"endpoint {self._endpoint} runs until {moment}: `make extend HOURS=4 {env}` adds 4 hours"

    def _describe_after_end(self, moment: str) -> str:
        lifetime, env = f"the lifetime of endpoint {self._endpoint} ended at {moment}", f"ENV={self._environment}"
        status = remaining_status(self._endpoint, sagemaker=self._sagemaker)
        if status is None:
            return f"{lifetime}, and the endpoint was deleted: run `make deploy {env}`"
        return (
            f"{lifetime}, but the endpoint still exists and is {status}. The schedule retries a failed "
            f"deletion; if no retry succeeds, the alarm {self._schedule}-failed goes into ALARM. Run `make down {env}` "
            f"to delete the endpoint and its environment, or `make deploy {env}` to begin a new lifetime"
        )

    def extend(self, hours: int) -> None:
        """Postpone the end of the lifetime by a number of hours.

        Raises
        ------
        OperatorError
            The lifetime is not limited, or it has ended.
        """
        end = self.end()
        if end is None:
            raise OperatorError(
                f"endpoint {self._endpoint} has no limited lifetime to extend: the endpoint does not exist, or "
                "endpoint_hours is null"
            )
        if is_past(end):
            raise OperatorError(self.describe())
        self._set_end(end + timedelta(hours=hours))

    def _set_end(self, end: datetime) -> None:
        # the parameter is written first: if the command is interrupted, `make up` sets the schedule from the parameter
        start = self._ssm.get_parameter(Name=self._parameter)["Parameter"]["Value"].partition("/")[0]
        interval = f"{start}/{end.strftime(PARAMETER_FORMAT)}"
        self._ssm.put_parameter(Name=self._parameter, Value=interval, Overwrite=True)
        schedule = self._scheduler.get_schedule(Name=self._schedule)
        kept = {name: schedule[name] for name in SCHEDULE_PARAMETERS if name in schedule}
        self._scheduler.update_schedule(**kept, ScheduleExpression=end.strftime(SCHEDULE_FORMAT))


def is_past(moment: datetime | None) -> bool:
    """Return whether a time is in the past; False for None."""
    return moment is not None and moment <= datetime.now(UTC)
