"""How long the endpoint lives: what its schedule says, and `make extend`, which prolongs it by HOURS."""

import argparse
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from common.stack import Stack
from scripts.command import Environment, OperatorError, run_command

SCHEDULE_FORMAT = (
    "at(%Y-%m-%dT%H:%M:%S)"  # https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#one-time
)
LONGEST = 7 * 24  # hours that one `make extend` may add: beyond them it is no extension but a setting
KEPT = ("Name", "GroupName", "Description", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "Target", "State")


class LifetimeError(OperatorError):
    """There is no endpoint whose time to live could be prolonged, or no such time."""


def options(parser: argparse.ArgumentParser) -> None:
    """How much longer."""
    parser.add_argument("--hours", type=int, required=True, help=f"hours to add, from 1 to {LONGEST}")


def main(environment: Environment) -> None:
    """Prolong the endpoint's life, and say until when.

    Raises
    ------
    LifetimeError
        It has ended, has no end, or the hours are out of range.
    """
    stack, hours = environment.stack, environment.options.hours
    if not 1 <= hours <= LONGEST:
        raise LifetimeError(f"HOURS is a whole number from 1 to {LONGEST}, not {hours}")
    scheduler = boto3.client("scheduler", region_name=stack.region)
    extend(scheduler, stack, timedelta(hours=hours))
    print(lifetime(stack, end(scheduler, stack)))


def lifetime(stack: Stack, ends: datetime | None) -> str:
    """Until when the endpoint lives, in a sentence."""
    if ends is None:
        return f"{stack.endpoint_name} lives until `make down`"
    if is_over(ends):
        return f"the time to live of {stack.endpoint_name} ended it at {minute(ends)}: `make deploy` brings it back"
    return f"{stack.endpoint_name} lives until {minute(ends)}: `make extend HOURS=4` prolongs it"


def minute(moment: datetime) -> str:
    """A moment for people."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def is_over(ends: datetime | None) -> bool:
    """Whether the endpoint's time to live has passed."""
    return ends is not None and ends <= datetime.now(UTC)


def end(scheduler: Any, stack: Stack) -> datetime | None:
    """When the schedule ends, or ended, the endpoint; None where there is no schedule."""
    if stack.endpoint_schedule is None:
        return None
    try:
        expression = scheduler.get_schedule(Name=stack.endpoint_schedule)["ScheduleExpression"]
    except scheduler.exceptions.ResourceNotFoundException:
        return None
    return datetime.strptime(expression, SCHEDULE_FORMAT).replace(tzinfo=UTC)


def extend(scheduler: Any, stack: Stack, more: timedelta) -> None:
    """Move the end of the endpoint's life.

    Raises
    ------
    LifetimeError
        It has ended, or has no end.
    """
    ends = end(scheduler, stack)
    if ends is None:
        raise LifetimeError(
            f"nothing ends the endpoint of {stack.environment}: there is none, or endpoint_hours is null in "
            f"terraform/environments/{stack.environment}.tfvars"
        )
    if is_over(ends):
        raise LifetimeError(lifetime(stack, ends))
    # an update replaces all of a schedule, so what it had is said again
    schedule = scheduler.get_schedule(Name=stack.endpoint_schedule)
    kept = {name: schedule[name] for name in KEPT if name in schedule}
    scheduler.update_schedule(**kept, ScheduleExpression=(ends + more).strftime(SCHEDULE_FORMAT))


if __name__ == "__main__":
    run_command(main, __doc__, options)
