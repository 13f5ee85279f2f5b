"""EventBridge Scheduler: invokes the targets of the schedules that moto stores."""

import itertools
import json
import re
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
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
    started = datetime.now(UTC)
    failure = _retry(_invocation(emulator, backend.region_name, schedule.target), schedule, stopped)
    queue = schedule.target.get("DeadLetterConfig", {}).get("Arn")
    if failure and queue:
        _send_dead_letter(emulator, queue, schedule, failure, started)
    is_one_time = schedule.schedule_expression.startswith("at(")
    group = backend.schedule_groups[schedule.group_name].schedules
    if is_one_time and schedule.action_after_completion == "DELETE" and group.get(schedule.name) is schedule:
        del group[schedule.name]


@dataclass(frozen=True)
class _Failure:
    """The last error of an invocation, the number of its retries, and the setting that ended them."""

    error: Exception
    retries: int
    condition: str


def _retry(call: Callable[[], object], schedule: Schedule, stopped: threading.Event) -> _Failure | None:
    """Invoke a target until it succeeds, and return None, or why there are no more retries."""
    policy = schedule.target["RetryPolicy"]
    retries = policy.get("MaximumRetryAttempts", 185)
    deadline = time.monotonic() + policy.get("MaximumEventAgeInSeconds", 86400)
    pause = FIRST_BACKOFF
    for number in itertools.count():
        try:
            call()
            return None
        except (ClientError, BotoCoreError) as caught:
            print(f"schedule {schedule.name}: cannot invoke the target: {caught}", file=sys.stderr)
            error = caught
        if number == retries:
            return _Failure(error, number, "MaximumRetryAttempts")
        if time.monotonic() + pause > deadline:
            return _Failure(error, number, "MaximumEventAgeInSeconds")
        if stopped.wait(pause):
            break
        pause = min(2 * pause, MAX_BACKOFF)
    return None


def _send_dead_letter(emulator: Emulator, queue: str, schedule: Schedule, failure: _Failure, started: datetime) -> None:
    """Send the target's input and the reason to a queue.

    Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
    """
    error = failure.error
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    attributes = {
        "ERROR_CODE": code,
        "ERROR_MESSAGE": str(error),
        "EXECUTION_ID": str(uuid.uuid4()),
        "EXHAUSTED_RETRY_CONDITION": failure.condition,
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": str(failure.retries),
        "SCHEDULED_TIME": started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "SCHEDULE_ARN": schedule.arn,
        "TARGET_ARN": schedule.target["Arn"],
    }
    client = emulator.client("sqs", queue.split(":")[3])
    try:
        client.send_message(
            QueueUrl=client.get_queue_url(QueueName=queue.split(":")[5])["QueueUrl"],
            MessageBody=schedule.target.get("Input") or "{}",
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )
    except (ClientError, BotoCoreError) as caught:
        print(f"schedule {schedule.name}: cannot send a message to {queue}: {caught}", file=sys.stderr)


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
