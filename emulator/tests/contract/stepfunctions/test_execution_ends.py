"""Executions that are stopped or time out during a retry interval, and the logs of executions."""

import json
from typing import Any
from uuid import uuid4

import pytest

from sagelocal.pytest_plugin import RunningEmulator

from ...waiting import eventually
from ..statemachines import StateMachines, single

RETRYING = {
    "Type": "Task",
    "Resource": "arn:aws:states:::sqs:sendMessage",
    "Parameters": {"QueueUrl": "http://127.0.0.1/123456789012/missing", "MessageBody": "x"},
    "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 60}],
}
PASS = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"secret": 1}, "End": True}}}


def event_types(client: Any, arn: str) -> list[str]:
    """Return the types of an execution's events."""
    return [event["type"] for event in client.get_execution_history(executionArn=arn)["events"]]


def test_execution_can_be_stopped_while_it_waits_for_a_retry(machines: StateMachines) -> None:
    # GIVEN an execution that waits a minute before it retries a task
    client = machines.client
    arn = client.start_execution(stateMachineArn=machines.create(single(**RETRYING)))["executionArn"]
    eventually(lambda: "TaskFailed" in event_types(client, arn))

    # WHEN it is stopped
    client.stop_execution(executionArn=arn, error="Enough", cause="seen all")

    # THEN its history ends at once, with the request's error and cause
    last = client.get_execution_history(executionArn=arn)["events"][-1]
    assert last["type"] == "ExecutionAborted"
    assert last["executionAbortedEventDetails"] == {"error": "Enough", "cause": "seen all"}


def test_execution_times_out_while_it_waits_for_a_retry(machines: StateMachines) -> None:
    # WHEN an execution with a timeout of one second waits a minute before it retries a task
    ended = machines.run({**single(**RETRYING), "TimeoutSeconds": 1})
    types = event_types(machines.client, ended["executionArn"])

    # THEN it times out, and its history ends with the timeout
    assert (ended["status"], types[-1]) == ("TIMED_OUT", "ExecutionTimedOut")


@pytest.fixture
def log_group(emulator: RunningEmulator) -> str:
    """The name of a new log group."""
    name = f"/aws/vendedlogs/states/{uuid4()}"
    emulator.client("logs").create_log_group(logGroupName=name)
    return name


def log_settings(group: str, level: str, *, data: bool) -> dict[str, Any]:
    """Return the LoggingConfiguration of a state machine that logs to a log group.

    Source: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
    """
    destination = {"logGroupArn": f"arn:aws:logs:us-east-1:123456789012:log-group:{group}:*"}
    return {"level": level, "includeExecutionData": data, "destinations": [{"cloudWatchLogsLogGroup": destination}]}


@pytest.mark.parametrize(
    ("level", "data", "kind", "expected"),
    [
        ("ALL", True, "EXPRESS", ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]),
        ("ALL", False, "STANDARD", ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]),
        ("ERROR", True, "STANDARD", []),
    ],
    ids=["all", "without-data", "errors"],
)
def test_log_contains_the_events_of_its_level(
    emulator: RunningEmulator,
    machines: StateMachines,
    log_group: str,
    level: str,
    data: bool,
    kind: str,
    expected: list[str],
) -> None:
    # GIVEN a state machine that logs its executions
    machine = machines.create(PASS, loggingConfiguration=log_settings(log_group, level, data=data), type=kind)

    # WHEN it is executed
    start = machines.client.start_sync_execution if kind == "EXPRESS" else machines.client.start_execution
    arn = start(stateMachineArn=machine, input='{"secret": 1}')["executionArn"]
    if kind == "STANDARD":
        machines.wait_for_execution(arn)

    # THEN the log group contains the events of the level, with inputs and outputs only if `data` is true
    found = emulator.client("logs").filter_log_events(logGroupName=log_group)["events"]
    events = [json.loads(event["message"]) for event in found]
    assert [event["type"] for event in events] == expected
    assert {event["execution_arn"] for event in events} == ({arn} if expected else set())
    assert any("secret" in event["message"] for event in found) == (data and bool(expected))


def test_log_contains_the_redrive_count(emulator: RunningEmulator, machines: StateMachines, log_group: str) -> None:
    # GIVEN a failed execution that is logged
    logging = log_settings(log_group, "ALL", data=False)
    fail = {"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "Broken"}}}
    arn = machines.run(fail, loggingConfiguration=logging)["executionArn"]

    # WHEN it is redriven, and fails again
    machines.client.redrive_execution(executionArn=arn)
    machines.wait_for_execution(arn)

    # THEN the events before the redrive have the count 0, and the later events have the count 1
    found = emulator.client("logs").filter_log_events(logGroupName=log_group)["events"]
    events = [json.loads(event["message"]) for event in found]
    counts = [(event["type"], event["redrive_count"]) for event in sorted(events, key=lambda event: int(event["id"]))]
    assert [count for kind, count in counts if kind == "ExecutionFailed"] == ["0", "1"]
    assert ("ExecutionRedriven", "1") in counts
