"""EventBridge Scheduler: invokes the targets of the schedules that moto stores."""

import json
import re
import sys
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule, scheduler_backends

from sagelocal.core.deliveries import Failure
from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import replace
from sagelocal.services.events.schedule_expressions import next_time
from sagelocal.services.events.targets import SERVICES, queue_url

POLL_INTERVAL = 0.2  # seconds
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
                _run(emulator, schedule, backend)


def _schedules() -> list[tuple[Schedule, EventBridgeSchedulerBackend]]:
    return [
        (schedule, backend)
        for regions in list(scheduler_backends.values())
        for backend in list(regions.values())
        for group in list(backend.schedule_groups.values())
        for schedule in list(group.schedules.values())
    ]


def _run(emulator: Emulator, schedule: Schedule, backend: EventBridgeSchedulerBackend) -> None:
    """Invoke the target with retries, and delete a one-time schedule whose ActionAfterCompletion is DELETE."""
    started = datetime.now(UTC)

    def done(failure: Failure | None) -> None:
        queue = schedule.target.get("DeadLetterConfig", {}).get("Arn")
        if failure and queue:
            _send_dead_letter(emulator, queue, schedule, failure, started)
        is_one_time = schedule.schedule_expression.startswith("at(")
        group = backend.schedule_groups[schedule.group_name].schedules
        if is_one_time and schedule.action_after_completion == "DELETE" and group.get(schedule.name) is schedule:
            del group[schedule.name]

    call = _invocation(emulator, backend.region_name, schedule.target)
    label = f"schedule {schedule.name}: cannot invoke the target"
    emulator.deliveries.deliver(label, call, policy=schedule.target["RetryPolicy"], done=done)


def _send_dead_letter(emulator: Emulator, queue: str, schedule: Schedule, failure: Failure, started: datetime) -> None:
    """Send the target's input and the reason to a queue.

    Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
    """
    error = failure.error
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    attributes = {
        "ERROR_CODE": code,
        "ERROR_MESSAGE": str(error),
        "EXECUTION_ID": str(uuid.uuid4()),
        "EXHAUSTED_RETRY_CONDITION": failure.condition or "",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": str(failure.retries),
        "SCHEDULED_TIME": started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "SCHEDULE_ARN": schedule.arn,
        "TARGET_ARN": schedule.target["Arn"],
    }
    client = emulator.client("sqs", queue.split(":")[3])
    try:
        client.send_message(
            QueueUrl=queue_url(client, queue),
            MessageBody=schedule.target.get("Input") or "{}",
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )
    except (ClientError, BotoCoreError) as caught:
        print(f"schedule {schedule.name}: cannot send a message to {queue}: {caught}", file=sys.stderr)


def _invocation(emulator: Emulator, region: str, target: dict[str, Any]) -> Callable[[], object]:
    """Return a function that invokes a target: any API operation, a function, state machine, queue or topic."""
    arn, text = target["Arn"], target.get("Input") or "{}"
    universal = UNIVERSAL.fullmatch(arn)
    if universal:
        return lambda: _call(emulator, region, universal["service"], universal["action"], text)
    if call := SERVICES.get(arn.split(":")[2]):
        return lambda: call(emulator, target, text, str(uuid.uuid4()))
    return lambda: print(f"schedules do not support the target {arn}", file=sys.stderr, flush=True)


def _call(emulator: Emulator, region: str, service: str, action: str, text: str) -> object:
    name = "stepfunctions" if service == "sfn" else service
    return getattr(emulator.client(name, region), xform_name(action))(**json.loads(text))
