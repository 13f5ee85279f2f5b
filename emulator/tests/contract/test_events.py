"""EventBridge delivers events, among them those of Step Functions."""

import json
from typing import Any

import pytest

from sagelocal.pytest_plugin import RunningEmulator

from ..waiting import eventually
from .functions import make_function, unique
from .statemachines import StateMachines, received, single

FAILED = {"Type": "Fail", "Error": "Broken", "Cause": 'say "why"'}


def make_rule(emulator: RunningEmulator, pattern: dict[str, Any], target: dict[str, Any], **options: str) -> None:
    """Create a rule with one target."""
    events, name = emulator.client("events"), unique("rule")
    events.put_rule(Name=name, EventPattern=json.dumps(pattern), **options)
    failed = events.put_targets(Rule=name, Targets=[{"Id": "target", **target}])["FailedEntryCount"]
    assert failed == 0


def outcome(machine: str, *statuses: str) -> dict[str, Any]:
    """Return an event pattern for the outcome of a state machine's executions."""
    return {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"stateMachineArn": [machine], "status": list(statuses)},
    }


def failing(**more: Any) -> dict[str, Any]:
    """Return a definition that fails at once."""
    return {"StartAt": "Failed", "States": {"Failed": FAILED}, **more}


def start(machines: StateMachines, machine: str) -> str:
    """Run an execution to its end, and return its ARN."""
    arn = machines.client.start_execution(stateMachineArn=machine, input="{}")["executionArn"]
    machines.finish(arn)
    return str(arn)


def test_failed_execution_is_published_to_a_topic_in_the_words_of_the_rule(
    emulator: RunningEmulator, machines: StateMachines, inbox: tuple[str, str]
) -> None:
    # GIVEN
    topic, queue = inbox
    machine = machines.create(failing())
    paths = {name: f"$.detail.{name}" for name in ("executionArn", "error", "cause", "stopDate")}
    template = '{"text": "<executionArn> failed with <error>: <cause>", "stopped": <stopDate>}'
    transformer = {"InputPathsMap": paths, "InputTemplate": template}
    make_rule(emulator, outcome(machine, "FAILED"), {"Arn": topic, "InputTransformer": transformer})

    # WHEN
    execution = start(machines, machine)

    # THEN values are escaped within a string, and are JSON elsewhere
    message = json.loads(received(emulator, queue))
    assert message["text"] == f'{execution} failed with Broken: say "why"'
    assert isinstance(message["stopped"], int)


def test_rule_matches_by_error_and_status(
    emulator: RunningEmulator, machines: StateMachines, inbox: tuple[str, str]
) -> None:
    # GIVEN rules for another error and for another status, and a disabled one
    topic, queue = inbox
    machine = machines.create(failing())
    other = outcome(machine, "FAILED")
    other["detail"]["error"] = ["States.Runtime"]
    make_rule(emulator, other, {"Arn": topic})
    make_rule(emulator, outcome(machine, "SUCCEEDED"), {"Arn": topic})
    make_rule(emulator, outcome(machine, "FAILED"), {"Arn": topic}, State="DISABLED")

    # AND one that matches
    make_rule(emulator, outcome(machine, "FAILED"), {"Arn": topic, "Input": '"the only message"'})

    # WHEN
    start(machines, machine)

    # THEN
    assert received(emulator, queue) == '"the only message"'
    assert "Messages" not in emulator.client("sqs").receive_message(QueueUrl=queue)


@pytest.mark.parametrize("kind", ["function", "state machine"])
def test_event_can_start_a_function_or_a_state_machine(
    emulator: RunningEmulator, machines: StateMachines, kind: str
) -> None:
    # GIVEN a target that creates a queue with the name of the event's detail
    queue, sqs = unique("queue"), emulator.client("sqs")
    if kind == "function":
        create = "boto3.client('sqs').create_queue(QueueName=event['detail']['name'])"
        source = f"import boto3\ndef main(event, context):\n    {create}\n"
        target = f"arn:aws:lambda:us-east-1:123456789012:function:{make_function(emulator, source)}"
    else:
        parameters = {"QueueName.$": "$.detail.name"}
        target = machines.create(
            single(Type="Task", Resource="arn:aws:states:::aws-sdk:sqs:createQueue", Parameters=parameters)
        )
    make_rule(emulator, {"source": ["tests"], "detail": {"name": [queue]}}, {"Arn": target, "RoleArn": "role"})

    # WHEN
    entry = {"Source": "tests", "DetailType": "queue", "Detail": json.dumps({"name": queue})}
    assert emulator.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    # THEN
    assert eventually(lambda: sqs.list_queues(QueueNamePrefix=queue).get("QueueUrls"))
