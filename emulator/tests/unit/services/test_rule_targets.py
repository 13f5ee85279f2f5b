"""Delivery of an event to the targets of a rule that moto supports."""

import json
from pathlib import Path
from typing import Any

import pytest
from moto.events.models import Rule
from moto.logs.models import logs_backends

from sagelocal.core.container_commands import Images
from sagelocal.core.emulator import Emulator
from sagelocal.services.events import rules
from sagelocal.services.events.schedules import scheduled_event

ACCOUNT, REGION, GROUP = "123456789012", "us-east-1", "/aws/events/nightly"


@pytest.mark.parametrize("pattern", [None, '{"source": ["aws.s3"]}'])
def test_scheduled_event_reaches_a_log_group(pattern: str | None) -> None:
    # GIVEN a scheduled rule, whose pattern, if any, does not match the scheduled event
    logs = logs_backends[ACCOUNT][REGION]
    logs.create_log_group(GROUP, {})
    target = {"Id": "log", "Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}"}
    make: Any = Rule  # because moto declares the class as abstract
    rule = make("nightly", ACCOUNT, REGION, None, pattern, "rate(1 minute)", None, "default", None, targets=[target])
    # WHEN
    try:
        rules.send(Emulator("", Path(), {}, Images()), rule, scheduled_event(rule))
        messages = [event.message for stream in logs.groups[GROUP].streams.values() for event in stream.events]
    finally:
        logs.delete_log_group(GROUP)
    # THEN
    assert [json.loads(message)["detail-type"] for message in messages] == ["Scheduled Event"]
