"""The endpoint's lifetime: EventBridge Scheduler deletes the endpoint when it ends."""

from datetime import UTC, datetime, timedelta
from typing import Any

from common.errors import OperatorError

# https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#one-time
SCHEDULE_FORMAT = "at(%Y-%m-%dT%H:%M:%S)"
MAXIMUM_EXTENSION = 7 * 24  # hours; whoever needs more changes endpoint_hours
# The parameters of UpdateSchedule that GetSchedule returns, but for the expression
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
    """The schedule that deletes an endpoint.

    Parameters
    ----------
    endpoint : name of the endpoint
    schedule : name of its schedule; None if the endpoint has no limited lifetime
    scheduler : client of EventBridge Scheduler
    """

    def __init__(self, endpoint: str, schedule: str | None, *, scheduler: Any) -> None:
        self._endpoint = endpoint
        self._schedule = schedule
        self._scheduler = scheduler

    def end(self) -> datetime | None:
        """Return when the schedule deletes, or deleted, the endpoint; None if there is no schedule."""
        if self._schedule is None:
            return None
        try:
            expression = self._scheduler.get_schedule(Name=self._schedule)["ScheduleExpression"]
        except self._scheduler.exceptions.ResourceNotFoundException:
            return None
        return datetime.strptime(expression, SCHEDULE_FORMAT).replace(tzinfo=UTC)

    def has_ended(self) -> bool:
        """Return whether the schedule has deleted the endpoint."""
        return is_past(self.end())

    def describe(self) -> str:
        """Return a sentence about the end of the endpoint's lifetime."""
        end = self.end()
        if end is None:
            return f"endpoint {self._endpoint} runs until `make down`"
        moment = f"{end:%Y-%m-%d %H:%M} UTC"
        if is_past(end):
            return f"endpoint {self._endpoint} was deleted at {moment}, at the end of its lifetime: run `make deploy`"
        return f"endpoint {self._endpoint} runs until {moment}: `make extend HOURS=4` adds 4 hours"

    def extend(self, hours: int) -> None:
        """Postpone the end by a number of hours, from 1 to MAXIMUM_EXTENSION.

        Raises
        ------
        OperatorError
            The lifetime is not limited, or it has ended.
        """
        end = self.end()
        if end is None:
            raise OperatorError(
                f"no schedule deletes endpoint {self._endpoint}: it does not exist, or endpoint_hours is null"
            )
        if is_past(end):
            raise OperatorError(self.describe())
        # UpdateSchedule resets every parameter that a request omits
        schedule = self._scheduler.get_schedule(Name=self._schedule)
        kept = {name: schedule[name] for name in SCHEDULE_PARAMETERS if name in schedule}
        expression = (end + timedelta(hours=hours)).strftime(SCHEDULE_FORMAT)
        self._scheduler.update_schedule(**kept, ScheduleExpression=expression)


def is_past(moment: datetime | None) -> bool:
    """Return whether a moment is known and has passed."""
    return moment is not None and moment <= datetime.now(UTC)
