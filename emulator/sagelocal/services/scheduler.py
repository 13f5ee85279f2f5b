"""EventBridge Scheduler: invokes the targets of schedules. moto stores the schedules, but does not invoke targets."""

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
from moto.scheduler.exceptions import ValidationException
from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule, scheduler_backends

from sagelocal.core.deliveries import Failure
from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import replace
from sagelocal.services.events.schedule_expressions import is_valid, is_zone, next_time
from sagelocal.services.events.targets import SERVICES, queue_url

POLL_INTERVAL = 0.2  # seconds between checks for schedules that are due
ARN_COLONS = 5  # minimum number of colons in an ARN
UPDATE_PARAMETERS = (
    *("description", "end_date", "flexible_time_window", "group_name", "kms_key_arn", "name", "schedule_expression"),
    *("schedule_expression_timezone", "start_date", "state", "target"),
)
CREATE_PARAMETERS = (*UPDATE_PARAMETERS, "action_after_completion")
# The time of each schedule's last update or invocation
LastTimes = WeakKeyDictionary[Schedule, datetime]
# Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
UNIVERSAL = re.compile(r"arn:[^:]+:scheduler:::aws-sdk:(?P<service>[^:]+):(?P<action>[^:.]+)")


class Invocation:
    """One invocation of a schedule's target. Retries are further attempts of the same invocation.

    Attributes
    ----------
    id
        Unique ID of the invocation.
    scheduled_time
        Time at which the schedule was due, in UTC and in ISO 8601 format.
    """

    def __init__(self, schedule: Schedule, due: datetime) -> None:
        self.schedule = schedule
        self.id = uuid.uuid4().hex[:16]
        self.scheduled_time = due.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._attempt = 0

    @property
    def input(self) -> str:
        """The target's input in the latest attempt, with values in place of context attributes.

        Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
        """
        text: str = self.schedule.target.get("Input") or "{}"
        attributes = {
            "schedule-arn": self.schedule.arn,
            "scheduled-time": self.scheduled_time,
            "execution-id": self.id,
            "attempt-number": str(self._attempt),
        }
        for name, value in attributes.items():
            text = text.replace(f"<aws.scheduler.{name}>", value)
        return text

    def next_input(self) -> str:
        """Start the next attempt and return its input."""
        self._attempt += 1
        return self.input


def install(emulator: Emulator) -> None:
    """Invoke the targets of schedules until the emulator stops."""
    stopped = threading.Event()
    last_times: LastTimes = WeakKeyDictionary()
    _check_requests()
    _restart_on_update(last_times)
    threading.Thread(target=_watch, args=(emulator, last_times, stopped), name="scheduler", daemon=True).start()
    emulator.on_stop(stopped.set)


def _check_requests() -> None:
    """Refuse schedules with an invalid expression, time zone or target ARN, as AWS does.

    Source: https://github.com/localstack/localstack/issues/9284
    """

    def create_schedule(backend: Any, **named: Any) -> Any:
        _check(**named)
        return create(backend, **named)

    def update_schedule(backend: Any, **named: Any) -> Any:
        _check(**named)
        return update(backend, **named)

    owner = EventBridgeSchedulerBackend
    create = replace(owner, "create_schedule", create_schedule, parameters=CREATE_PARAMETERS)
    update = replace(owner, "update_schedule", update_schedule, parameters=UPDATE_PARAMETERS)


def _check(
    *, schedule_expression: str, schedule_expression_timezone: str | None, target: dict[str, Any], **_: Any
) -> None:
    if not is_valid(schedule_expression):
        raise ValidationException(f"Invalid Schedule Expression {schedule_expression}.")
    if not is_zone(schedule_expression_timezone or "UTC"):
        raise ValidationException(f"Invalid Schedule Expression Timezone {schedule_expression_timezone}.")
    if target["Arn"].count(":") < ARN_COLONS:
        raise ValidationException("Provided Arn is not in correct format.")


def _restart_on_update(last_times: LastTimes) -> None:
    """Restart the interval of a schedule whenever the schedule is updated."""

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
            if schedule.state != "DISABLED" and due and due <= now:  # moto may drop "ENABLED" in an update
                last_times[schedule] = due
                _run(emulator, schedule, backend, due)


def _schedules() -> list[tuple[Schedule, EventBridgeSchedulerBackend]]:
    return [
        (schedule, backend)
        for regions in list(scheduler_backends.values())
        for backend in list(regions.values())
        for group in list(backend.schedule_groups.values())
        for schedule in list(group.schedules.values())
    ]


def _run(emulator: Emulator, schedule: Schedule, backend: EventBridgeSchedulerBackend, due: datetime) -> None:
    """Invoke the target with retries, and delete a one-time schedule whose ActionAfterCompletion is DELETE."""
    invocation = Invocation(schedule, due)

    def done(failure: Failure | None) -> None:
        queue = schedule.target.get("DeadLetterConfig", {}).get("Arn")
        if failure and queue:
            _send_dead_letter(emulator, queue, invocation, failure)
        is_one_time = schedule.schedule_expression.startswith("at(")
        group = backend.schedule_groups[schedule.group_name].schedules
        if is_one_time and schedule.action_after_completion == "DELETE" and group.get(schedule.name) is schedule:
            del group[schedule.name]

    call = _call_of(emulator, backend.region_name, invocation)
    label = f"schedule {schedule.name}: cannot invoke the target"
    emulator.deliveries.deliver(label, call, policy=schedule.target["RetryPolicy"], done=done)


def _send_dead_letter(emulator: Emulator, queue: str, invocation: Invocation, failure: Failure) -> None:
    """Send the target's input, and the reason for the failure, to a dead-letter queue.

    Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
    """
    error, schedule = failure.error, invocation.schedule
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    attributes = {
        "ERROR_CODE": code,
        "ERROR_MESSAGE": str(error),
        "EXECUTION_ID": invocation.id,
        "EXHAUSTED_RETRY_CONDITION": failure.condition or "",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": str(failure.retries),
        "SCHEDULED_TIME": invocation.scheduled_time,
        "SCHEDULE_ARN": schedule.arn,
        "TARGET_ARN": schedule.target["Arn"],
    }
    client = emulator.client("sqs", queue.split(":")[3])
    try:
        client.send_message(
            QueueUrl=queue_url(client, queue),
            MessageBody=invocation.input,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )
    except (ClientError, BotoCoreError) as caught:
        print(f"schedule {schedule.name}: cannot send a message to {queue}: {caught}", file=sys.stderr)


def _call_of(emulator: Emulator, region: str, invocation: Invocation) -> Callable[[], object]:
    """Return a function that makes the next attempt to invoke the target.

    The target is an API operation of any service (a universal target), a Lambda function, state machine, SQS queue or
    SNS topic.
    """
    target = invocation.schedule.target
    universal = UNIVERSAL.fullmatch(target["Arn"])
    if universal:
        return lambda: _call(emulator, region, universal["service"], universal["action"], invocation.next_input())
    if call := SERVICES.get(target["Arn"].split(":")[2]):
        return lambda: call(emulator, target, invocation.next_input(), str(uuid.uuid4()))
    message = f"schedule {invocation.schedule.name}: sagelocal does not support the target {target['Arn']}"
    return lambda: print(message, file=sys.stderr, flush=True)


def _call(emulator: Emulator, region: str, service: str, action: str, text: str) -> object:
    name = "stepfunctions" if service == "sfn" else service
    return getattr(emulator.client(name, region), xform_name(action))(**json.loads(text))
