"""Scheduled rules: sends an event to a rule's targets whenever the rule's schedule is due.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
"""

import re
import threading
from datetime import UTC, datetime
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from moto.events.exceptions import ValidationException
from moto.events.models import EventsBackend, Rule, events_backends

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import replace
from sagelocal.services.events.rules import record, send
from sagelocal.services.events.schedule_expressions import is_valid, next_time

POLL_INTERVAL = 0.2  # seconds between checks for rules that are due
# The time at which each rule was last due or first found. For an updated rule, moto creates a new object, so the rule's
# interval restarts.
LastTimes = WeakKeyDictionary[Rule, datetime]
# Unlike EventBridge Scheduler, rules accept no `at` expressions. The unit of a rate must be singular after 1 and plural
# after other numbers:
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rate-expressions.html
UNSUPPORTED = re.compile(r"at\(|rate\((1 \w+s|(?!1 )\d+ (minute|hour|day))\)")
PUT_RULE_PARAMETERS = (
    *("name", "description", "event_bus_arn", "event_pattern", "role_arn"),
    *("scheduled_expression", "state", "managed_by", "tags"),
)


def install(emulator: Emulator) -> None:
    """Make PutRule validate schedule expressions, and send the events of scheduled rules until the emulator stops."""
    stopped = threading.Event()
    _check_expressions()
    threading.Thread(target=_watch, args=(emulator, stopped), name="scheduled rules", daemon=True).start()
    emulator.on_stop(stopped.set)


def _check_expressions() -> None:
    def put_rule(backend: Any, name: str, *arguments: Any, **named: Any) -> Any:
        expression = named.get("scheduled_expression")
        if expression and (UNSUPPORTED.match(expression) or not is_valid(expression)):
            raise ValidationException("Parameter ScheduleExpression is not valid.")
        return original(backend, name, *arguments, **named)

    original = replace(EventsBackend, "put_rule", put_rule, parameters=PUT_RULE_PARAMETERS)


def take_due(rules: list[Rule], last_times: LastTimes, now: datetime) -> list[Rule]:
    """Return the enabled rules that are due, and update `last_times`.

    The interval of a rule that is not in `last_times` begins at `now`.
    """
    found = []
    for rule in rules:
        due = next_time(rule.scheduled_expression or "", "UTC", last_times.setdefault(rule, now))
        if due and due <= now:
            last_times[rule] = due
            if rule.state != "DISABLED":
                found.append(rule)
    return found


def scheduled_event(rule: Rule) -> dict[str, Any]:
    """Return the event that a scheduled rule sends to its targets, in moto's internal format."""
    return record(rule.account_id, rule.region_name, "aws.events", "Scheduled Event", rule.arn, {})


def _watch(emulator: Emulator, stopped: threading.Event) -> None:
    last_times: LastTimes = WeakKeyDictionary()
    while not stopped.wait(POLL_INTERVAL):
        for rule in take_due(_scheduled_rules(), last_times, datetime.now(UTC)):
            emulator.deliveries.run(partial(send, emulator, rule, scheduled_event(rule)))


def _scheduled_rules() -> list[Rule]:
    return [
        rule
        for regions in list(events_backends.values())
        for backend in list(regions.values())
        for bus in list(backend.event_buses.values())
        for rule in list(bus.rules.values())
        if rule.scheduled_expression
    ]
