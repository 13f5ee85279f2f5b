"""EventBridge Scheduler: the schedules that moto keeps come due here, and call their targets."""

import json
import re
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule, scheduler_backends

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import replace

TICK = 0.2  # seconds between two looks at the schedules
BACKOFF = 1.0  # seconds before the first repetition; doubled each time
LONGEST_BACKOFF = 60.0
UPDATED = (
    *("description", "end_date", "flexible_time_window", "group_name", "kms_key_arn", "name", "schedule_expression"),
    *("schedule_expression_timezone", "start_date", "state", "target"),
)
# When each schedule was changed, or came due last
Since = WeakKeyDictionary[Schedule, datetime]
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
UNIVERSAL = re.compile(r"arn:[^:]+:scheduler:::aws-sdk:(?P<service>[^:]+):(?P<action>[^:.]+)")


def install(emulator: Emulator) -> None:
    """Watch the schedules until the emulator stops."""
    stopped = threading.Event()
    since: Since = WeakKeyDictionary()
    _start_anew_on_update(since)
    threading.Thread(target=_watch, args=(emulator, since, stopped), name="scheduler", daemon=True).start()
    emulator.on_stop(stopped.set)


def next_time(expression: str, zone: str, after: datetime) -> datetime | None:
    """When a schedule comes due next.

    Parameters
    ----------
    expression : `at(2026-01-31T12:00:00)` or `rate(5 minutes)`; any other never comes due here
    zone : time zone of an `at`
    after : the moment it was made, changed, or came due last

    Returns
    -------
    datetime or None
        None where it will not come due any more.
    """
    once = re.fullmatch(r"at\(([^)]+)\)", expression)
    if once:
        moment = datetime.fromisoformat(once[1]).replace(tzinfo=ZoneInfo(zone))
        return moment if moment > after else None
    often = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    return after + timedelta(**{f"{often[2]}s": int(often[1])}) if often else None


def _start_anew_on_update(since: Since) -> None:
    """A schedule that is changed counts from the change on, as a new one does."""

    def update_schedule(backend: Any, *arguments: Any, **given: Any) -> Any:
        schedule = original(backend, *arguments, **given)
        since[schedule] = datetime.now(UTC)
        return schedule

    original = replace(EventBridgeSchedulerBackend, "update_schedule", update_schedule, parameters=UPDATED)


def _watch(emulator: Emulator, since: Since, stopped: threading.Event) -> None:
    while not stopped.wait(TICK):
        now = datetime.now(UTC)
        for schedule, backend in _schedules():
            after = since.get(schedule) or datetime.fromtimestamp(schedule.creation_date, UTC)
            due = next_time(schedule.schedule_expression, schedule.schedule_expression_timezone, after)
            if schedule.state != "DISABLED" and due and due <= now:  # moto forgets the default in an update
                since[schedule] = due
                threading.Thread(target=_fire, args=(emulator, schedule, backend, stopped), daemon=True).start()


def _schedules() -> list[tuple[Schedule, EventBridgeSchedulerBackend]]:
    return [
        (schedule, backend)
        for regions in list(scheduler_backends.values())
        for backend in list(regions.values())
        for group in list(backend.schedule_groups.values())
        for schedule in list(group.schedules.values())
    ]


def _fire(
    emulator: Emulator, schedule: Schedule, backend: EventBridgeSchedulerBackend, stopped: threading.Event
) -> None:
    """Call the target, again where it fails, and delete a schedule that is over and asks for it."""
    _call(_invocation(emulator, backend.region_name, schedule.target), schedule, stopped)
    over = schedule.schedule_expression.startswith("at(")
    group = backend.schedule_groups[schedule.group_name].schedules
    if over and schedule.action_after_completion == "DELETE" and group.get(schedule.name) is schedule:
        del group[schedule.name]


def _call(call: Callable[[], object], schedule: Schedule, stopped: threading.Event) -> None:
    policy = schedule.target["RetryPolicy"]
    until = time.monotonic() + policy.get("MaximumEventAgeInSeconds", 86400)
    pause = BACKOFF
    for _ in range(policy.get("MaximumRetryAttempts", 185) + 1):
        try:
            call()
            return
        except (ClientError, BotoCoreError) as error:
            print(f"schedule {schedule.name}: {error}", file=sys.stderr)
        if time.monotonic() + pause > until or stopped.wait(pause):
            return
        pause = min(2 * pause, LONGEST_BACKOFF)


def _invocation(emulator: Emulator, region: str, target: dict[str, Any]) -> Callable[[], object]:
    """What a target's ARN means: any operation of any service, a function, or a state machine."""
    arn, text = target["Arn"], target.get("Input") or "{}"
    universal = UNIVERSAL.fullmatch(arn)
    if universal:
        return lambda: _operation(emulator, region, universal["service"], universal["action"], text)
    if arn.split(":")[2] == "lambda":
        return lambda: emulator.client("lambda", region).invoke(
            FunctionName=arn, InvocationType="Event", Payload=text.encode()
        )
    return lambda: emulator.client("stepfunctions", region).start_execution(stateMachineArn=arn, input=text)


def _operation(emulator: Emulator, region: str, service: str, action: str, text: str) -> object:
    name = "stepfunctions" if service == "sfn" else service
    return getattr(emulator.client(name, region), xform_name(action))(**json.loads(text))
