"""Compares events with the patterns of rules, and delivers matching events to the rules' targets."""

import copy
import json
import sys
import time
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import Any

from moto.events.models import EventPattern, Rule, events_backends
from moto.events.responses import EventsHandler

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import replace
from sagelocal.services.events.targets import SERVICES, deliver

REFUSED_ENTRY = {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "Not authorized for the source."}
MOTO_SERVICES = ("logs", "events")  # targets that moto supports: log groups, event buses, archives, API destinations
MOTO_SEND: Any = Rule.send_to_targets  # moto's function, which `install` replaces


def install(emulator: Emulator) -> None:
    """Make moto deliver events in background threads, and also to types of targets that moto does not support."""
    # accessed here, not in `send_to_targets`, where two threads could create the cached property at the same time
    deliveries = emulator.deliveries

    def send_to_targets(rule: Any, original_event: Any, transform_input: bool = True) -> None:
        # a rule with only a schedule has no pattern; moto would match it with all events
        if rule.state != "DISABLED" and rule.event_pattern.get_pattern():
            deliveries.run(partial(_send_if_matching, emulator, rule, original_event))

    replace(Rule, "send_to_targets", send_to_targets, parameters=("original_event", "transform_input"))
    _reserve_sources()


def _send_if_matching(emulator: Emulator, rule: Any, event: dict[str, Any]) -> None:
    if rule.event_pattern.matches_event(public(event)):
        send(emulator, rule, event)


def _reserve_sources() -> None:
    """Make PutEvents refuse events with the source of an AWS service, such as `aws.s3`.

    Sources: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
    https://github.com/aws-samples/serverless-patterns/pull/3089
    """

    def put_events(request: Any) -> str:
        events = request._get_param("Entries")
        is_reserved = [str(event.get("Source")).startswith("aws.") for event in events]
        accepted = [event for event, reserved in zip(events, is_reserved, strict=True) if not reserved]
        sent = iter(request.events_backend.put_events(accepted))
        entries = [REFUSED_ENTRY if reserved else next(sent) for reserved in is_reserved]
        return json.dumps({"FailedEntryCount": sum("ErrorCode" in entry for entry in entries), "Entries": entries})

    # patches the response class, because event buses use the backend's `put_events` to forward events of AWS services
    replace(EventsHandler, "put_events", put_events)


def put(account: str, region: str, source: str, detail_type: str, resource: str, detail: dict[str, Any]) -> None:
    """Send an event of an AWS service to the default event bus. Background threads deliver the event.

    Parameters
    ----------
    account
        ID of the AWS account.
    source
        AWS service, such as `aws.s3`.
    detail_type
        Type of the event, such as `Object Created`.
    resource
        ARN of the resource that the event is about.
    detail
        Event's content, whose keys depend on `detail_type`.
    """
    rules = list(events_backends[account][region].event_buses["default"].rules.values())
    if rules:
        event: Any = record(account, region, source, detail_type, resource, detail)
        for rule in rules:
            rule.send_to_targets(event)


def record(
    account: str, region: str, source: str, detail_type: str, resource: str, detail: dict[str, Any]
) -> dict[str, Any]:
    """Return an event in moto's internal format. The parameters are those of `put`.

    Source: https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
    """
    now = time.time()
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": now,
        "region": region,
        "resources": [resource],
        "detail": detail,
        "ingestion-time": now,
    }


def public(event: dict[str, Any]) -> dict[str, Any]:
    """Convert an event from moto's internal format to the format that targets receive."""
    moment = datetime.fromtimestamp(float(event["time"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {key: value for key, value in {**event, "time": moment}.items() if key != "ingestion-time"}


def send(emulator: Emulator, rule: Any, event: dict[str, Any]) -> None:
    """Deliver an event to the targets of a rule, without comparing it with the rule's pattern.

    Parameters
    ----------
    rule
        moto's object for the rule.
    event
        Event in moto's internal format.
    """
    targets = list(rule.targets)
    for target in targets:
        if _service(target) in SERVICES:
            deliver(emulator, rule, target, public(event))
        elif _service(target) not in MOTO_SERVICES:
            message = f"rule {rule.name}: sagelocal does not support the target {target['Arn']}"
            print(message, file=sys.stderr, flush=True)
    moto_rule: Any = copy.copy(rule)
    moto_rule.targets = [target for target in targets if _service(target) in MOTO_SERVICES]
    if moto_rule.targets:
        moto_rule.event_pattern = EventPattern.load(None)  # matches every event
        MOTO_SEND(moto_rule, copy.deepcopy(event))  # a copy, because moto modifies the event


def _service(target: dict[str, Any]) -> str:
    return str(target["Arn"].split(":")[2])
