"""EventBridge Scheduler: invokes the targets of the schedules that moto stores."""

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

POLL_INTERVAL = 0.2  # seconds
FIRST_BACKOFF = 1.0  # seconds before the first retry; doubled each time
MAX_BACKOFF = 60.0
UPDATE_PARAMETERS = (
    *("description", "end_date", "flexible_time_window", "group_name", "kms_key_arn", "name", "schedule_expression"),
    *("schedule_expression_timezone", "start_date", "state", "target"),
)
# The time of each schedule's last update or invocation
LastTimes = WeakKeyDictionary[Schedule, datetime]
# Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
UNIVERSAL = re.compile(r"arn:[^:]+:scheduler:::aws-sdk:(?P<service>[^:]+):(?P<action>[^:.]+)")


def install(emulator: Emulator) -> None:
    """Invoke the targets of schedules until the emulator stops."""
    stopped = threading.Event()
    last_times: LastTimes = WeakKeyDictionary()
    _restart_on_update(last_times)
    threading.Thread(target=_watch, args=(emulator, last_times, stopped), name="scheduler", daemon=True).start()
    emulator.on_stop(stopped.set)


def next_time(expression: str, zone: str, after: datetime) -> datetime | None:
    """Return when a schedule is next due.

    Parameters
    ----------
    expression
        `at(2026-01-31T12:00:00)` or `rate(5 minutes)`. Other expressions are never due.
    zone
        Time zone of an `at` expression.
    after
        When the schedule was created, updated or last invoked.

    Returns
    -------
    datetime or None
        None if the schedule is not due again.
    """
    one_time = re.fullmatch(r"at\(([^)]+)\)", expression)
    if one_time:
        moment = datetime.fromisoformat(one_time[1]).replace(tzinfo=ZoneInfo(zone))
        return moment if moment > after else None
    recurring = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    return after + timedelta(**{f"{recurring[2]}s": int(recurring[1])}) if recurring else None


def _restart_on_update(last_times: LastTimes) -> None:
    """Restart the interval of a schedule when it is updated."""

    def update_schedule(backend: Any, *arguments: Any, **named: Any) -> Any:
        schedule = original(backend, *arguments, **named)
        last_times[schedule] = datetime.now(UTC)
        return schedule

    original = replace(EventBridgeSchedulerBackend, "update_schedule", update_schedule, parameters=UPDATE_PARAMETERS)


def _watch(emulator: Emulator, last_times: LastTimes, stopped: threading.Event) -> None:
    while not stopped.wait(POLL_INTERVAL):
        now = datetime.now(UTC)
        for schedule, backend in _schedules():
            after = last_times.get(schedule) or datetime.fromtimestamp(schedule.creation_date, UTC)
            due = next_time(schedule.schedule_expression, schedule.schedule_expression_timezone, after)
            if schedule.state != "DISABLED" and due and due <= now:  # moto drops the default ENABLED in an update
                last_times[schedule] = due
                threading.Thread(target=_run, args=(emulator, schedule, backend, stopped), daemon=True).start()


def _schedules() -> list[tuple[Schedule, EventBridgeSchedulerBackend]]:
    return [
        (schedule, backend)
        for regions in list(scheduler_backends.values())
        for backend in list(regions.values())
        for group in list(backend.schedule_groups.values())
        for schedule in list(group.schedules.values())
    ]


def _run(
    emulator: Emulator, schedule: Schedule, backend: EventBridgeSchedulerBackend, stopped: threading.Event
) -> None:
    """Invoke the target with retries, and delete a one-time schedule whose ActionAfterCompletion is DELETE."""
    _retry(_invocation(emulator, backend.region_name, schedule.target), schedule, stopped)
    is_one_time = schedule.schedule_expression.startswith("at(")
    group = backend.schedule_groups[schedule.group_name].schedules
    if is_one_time and schedule.action_after_completion == "DELETE" and group.get(schedule.name) is schedule:
        del group[schedule.name]


def _retry(call: Callable[[], object], schedule: Schedule, stopped: threading.Event) -> None:
    policy = schedule.target["RetryPolicy"]
    deadline = time.monotonic() + policy.get("MaximumEventAgeInSeconds", 86400)
    pause = FIRST_BACKOFF
    for _ in range(policy.get("MaximumRetryAttempts", 185) + 1):
        try:
            call()
            return
        except (ClientError, BotoCoreError) as error:
            print(f"schedule {schedule.name}: cannot invoke the target: {error}", file=sys.stderr)
        if time.monotonic() + pause > deadline or stopped.wait(pause):
            return
        pause = min(2 * pause, MAX_BACKOFF)


def _invocation(emulator: Emulator, region: str, target: dict[str, Any]) -> Callable[[], object]:
    """Return the call to a target: an operation of any service, a function or a state machine."""
    arn, text = target["Arn"], target.get("Input") or "{}"
    universal = UNIVERSAL.fullmatch(arn)
    if universal:
        return lambda: _call(emulator, region, universal["service"], universal["action"], text)
    if arn.split(":")[2] == "lambda":
        return lambda: emulator.client("lambda", region).invoke(
            FunctionName=arn, InvocationType="Event", Payload=text.encode()
        )
    if arn.split(":")[2] == "states":
        return lambda: emulator.client("stepfunctions", region).start_execution(stateMachineArn=arn, input=text)
    return lambda: print(f"schedules do not support the target {arn}", file=sys.stderr)


def _call(emulator: Emulator, region: str, service: str, action: str, text: str) -> object:
    name = "stepfunctions" if service == "sfn" else service
    return getattr(emulator.client(name, region), xform_name(action))(**json.loads(text))
