"""EventBridge: delivers events to SNS topics, functions and state machines, and the events of AWS services to rules.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
"""

import copy
import json
import re
import sys
import threading
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.events.models import Rule, events_backends

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import replace
from sagelocal.services.logs import value_at

TARGETS = ("sns", "lambda", "states")  # moto itself delivers to queues, log groups and event buses


def install(emulator: Emulator) -> None:
    """Deliver events to the targets that moto does not support, and to none of a disabled rule."""

    def send_to_targets(rule: Any, original_event: Any, transform_input: bool = True) -> None:
        if rule.state != "ENABLED" or not rule.event_pattern.matches_event(original_event):
            return
        others = copy.copy(rule)
        others.targets = [target for target in rule.targets if target["Arn"].split(":")[2] not in TARGETS]
        original(others, original_event, transform_input)
        for target in rule.targets:
            if target not in others.targets:
                _deliver(emulator, rule, target, transform(target, original_event))

    original = replace(Rule, "send_to_targets", send_to_targets, parameters=("original_event", "transform_input"))


def put(account: str, region: str, source: str, detail_type: str, resource: str, detail: dict[str, Any]) -> None:
    """Send an event of an AWS service to the rules of the default event bus, in a thread."""
    backend = events_backends[account][region]
    if not backend.event_buses["default"].rules:
        return
    event = {"Source": source, "DetailType": detail_type, "Resources": [resource], "Detail": json.dumps(detail)}
    threading.Thread(target=backend.put_events, args=([event],), daemon=True).start()


def transform(target: dict[str, Any], event: dict[str, Any]) -> str:
    """Return what a target receives: its constant input, its transformed input, or the event.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """
    if "Input" in target:
        return str(target["Input"])
    if "InputTransformer" not in target:
        moment = datetime.fromtimestamp(event["time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return json.dumps({**event, "time": moment})
    template = str(target["InputTransformer"]["InputTemplate"])
    paths = target["InputTransformer"].get("InputPathsMap", {})

    def value(variable: re.Match[str]) -> str:
        found = value_at(event, paths[variable[1]].removeprefix("$."))
        if not _is_in_string(template, variable.start()):
            return json.dumps(found)
        return json.dumps("" if found is None else str(found))[1:-1]

    return re.sub("<(" + "|".join(map(re.escape, paths)) + ")>", value, template) if paths else template


def _is_in_string(template: str, position: int) -> bool:
    return template.count('"', 0, position) % 2 == 1


def _deliver(emulator: Emulator, rule: Any, target: dict[str, Any], text: str) -> None:
    arn = target["Arn"]
    service = arn.split(":")[2]
    try:
        if service == "sns":
            emulator.client("sns", rule.region_name).publish(TopicArn=arn, Message=text)
        elif service == "lambda":
            emulator.client("lambda", rule.region_name).invoke(
                FunctionName=arn, InvocationType="Event", Payload=text.encode()
            )
        else:
            emulator.client("stepfunctions", rule.region_name).start_execution(stateMachineArn=arn, input=text)
    except (ClientError, BotoCoreError) as error:
        print(f"rule {rule.name}: cannot deliver to {arn}: {error}", file=sys.stderr)
