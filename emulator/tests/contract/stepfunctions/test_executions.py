"""Executions: starting, describing, listing and stopping them, and their histories."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ..statemachines import StateMachines, single

PASS = single(Type="Pass")
WAIT = single(Type="Wait", Seconds=60)


@pytest.mark.parametrize(
    "value",
    ["h", {"a": [1, 2.5, None]}, [], None, 7, True, 'a "quoted" word', "é"],
    ids=["text", "object", "list", "null", "number", "boolean", "quotes", "accent"],
)
def test_input_and_output_can_be_any_json_value(states: Any, machines: StateMachines, value: Any) -> None:
    # GIVEN a state machine that returns its input
    machine = machines.create(PASS)

    # WHEN it is executed without a name
    started = states.start_execution(stateMachineArn=machine, input=json.dumps(value))
    ended = machines.wait_for_execution(started["executionArn"])

    # THEN its output is its input
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"]) == value
    assert json.loads(ended["input"]) == value
    assert ended["stopDate"] >= ended["startDate"]


def test_name_of_an_ended_execution_cannot_be_reused(states: Any, machines: StateMachines) -> None:
    # GIVEN an execution that has ended
    machine = machines.create(PASS)
    first = states.start_execution(stateMachineArn=machine, name="once", input="{}")
    machines.wait_for_execution(first["executionArn"])

    # WHEN another execution is started with the same name
    with pytest.raises(ClientError) as caught:
        states.start_execution(stateMachineArn=machine, name="once", input="{}")

    # THEN it is refused
    assert caught.value.response["Error"]["Code"] == "ExecutionAlreadyExists"


def test_start_is_idempotent_while_the_execution_runs(states: Any, machines: StateMachines) -> None:
    # GIVEN a running execution
    machine = machines.create(WAIT)
    first = states.start_execution(stateMachineArn=machine, name="once", input='{"a": 1}')

    # WHEN it is started again with the same input, and then with another input
    again = states.start_execution(stateMachineArn=machine, name="once", input='{"a": 1}')
    with pytest.raises(ClientError) as caught:
        states.start_execution(stateMachineArn=machine, name="once", input='{"a": 2}')

    # THEN the first request returns the running execution, and the second request is refused
    assert again["executionArn"] == first["executionArn"]
    assert caught.value.response["Error"]["Code"] == "ExecutionAlreadyExists"
    states.stop_execution(executionArn=first["executionArn"])


def test_invalid_json_input_is_refused(states: Any, machines: StateMachines) -> None:
    # GIVEN a state machine
    machine = machines.create(PASS)

    # WHEN it is started with an incomplete object
    with pytest.raises(ClientError) as caught:
        states.start_execution(stateMachineArn=machine, input='{"a":')

    # THEN the input is refused
    assert caught.value.response["Error"]["Code"] == "InvalidExecutionInput"


def test_stopped_execution_has_the_error_and_cause_of_the_request(states: Any, machines: StateMachines) -> None:
    # GIVEN an execution that waits
    arn = states.start_execution(stateMachineArn=machines.create(WAIT))["executionArn"]

    # WHEN it is stopped
    stopped = states.stop_execution(executionArn=arn, error="Enough", cause="seen all")

    # THEN its status is ABORTED, and it has the error, the cause and the stop date of the request
    described = states.describe_execution(executionArn=arn)
    assert described["status"] == "ABORTED"
    assert (described["error"], described["cause"]) == ("Enough", "seen all")
    assert described["stopDate"] == stopped["stopDate"]


def test_execution_times_out(states: Any, machines: StateMachines) -> None:
    # GIVEN a state machine with a timeout of one second
    machine = machines.create({**WAIT, "TimeoutSeconds": 1})

    # WHEN it waits longer
    ended = machines.wait_for_execution(states.start_execution(stateMachineArn=machine)["executionArn"])

    # THEN it times out
    assert ended["status"] == "TIMED_OUT"


def test_executions_are_listed_by_status_and_in_pages(states: Any, machines: StateMachines) -> None:
    # GIVEN three successful executions and a running execution
    machine = machines.create(single(Type="Wait", SecondsPath="$"))
    ended = [states.start_execution(stateMachineArn=machine, input="0")["executionArn"] for _ in range(3)]
    for arn in ended:
        machines.wait_for_execution(arn)
    running = states.start_execution(stateMachineArn=machine, input="60")["executionArn"]

    # WHEN they are listed by status
    pages = states.get_paginator("list_executions").paginate(
        stateMachineArn=machine, statusFilter="SUCCEEDED", PaginationConfig={"PageSize": 2}
    )
    succeeded = [found for page in pages for found in page["executions"]]
    in_progress = states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]

    # THEN each list contains only executions with the status, newest first
    assert [found["executionArn"] for found in succeeded] == ended[::-1]
    assert all("stopDate" in found for found in succeeded)
    assert [found["executionArn"] for found in in_progress] == [running]
    states.stop_execution(executionArn=running)


def test_history_contains_all_events_in_either_order(states: Any, machines: StateMachines) -> None:
    # GIVEN an execution that has ended
    arn = states.start_execution(stateMachineArn=machines.create(PASS), input="{}")["executionArn"]
    machines.wait_for_execution(arn)

    # WHEN the whole history is read, and one event is read in reverse order
    forwards = states.get_execution_history(executionArn=arn)["events"]
    backwards = states.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=1)

    # THEN the history contains all events, and the reverse order starts with the last event
    kinds = ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    assert [event["type"] for event in forwards] == kinds
    assert [event["type"] for event in backwards["events"]] == kinds[-1:]
    assert "nextToken" in backwards


def test_express_state_machine_can_be_executed_synchronously(states: Any, machines: StateMachines) -> None:
    # GIVEN an EXPRESS state machine
    machine = machines.create(PASS, type="EXPRESS")

    # WHEN it is executed synchronously
    ended = states.start_sync_execution(stateMachineArn=machine, input='"h"')

    # THEN the response contains its output and an EXPRESS ARN
    assert states.describe_state_machine(stateMachineArn=machine)["type"] == "EXPRESS"
    assert (ended["status"], ended["output"]) == ("SUCCEEDED", '"h"')
    assert ":express:" in ended["executionArn"]
    assert ended["billingDetails"]["billedDurationInMilliseconds"] % 100 == 0


def test_failed_express_execution_has_error_and_cause(states: Any, machines: StateMachines) -> None:
    # GIVEN an EXPRESS state machine that fails
    failing = {"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "Never", "Cause": "on purpose"}}}
    machine = machines.create(failing, type="EXPRESS")

    # WHEN it is executed synchronously
    ended = states.start_sync_execution(stateMachineArn=machine)

    # THEN the response contains error and cause
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "Never", "on purpose")


def test_standard_state_machine_cannot_be_executed_synchronously(states: Any, machines: StateMachines) -> None:
    # GIVEN a STANDARD state machine
    machine = machines.create(PASS)

    # WHEN it is executed synchronously
    with pytest.raises(ClientError) as caught:
        states.start_sync_execution(stateMachineArn=machine)

    # THEN the request is refused
    assert caught.value.response["Error"]["Code"] == "StateMachineTypeNotSupported"


def test_start_is_fast_after_many_executions(states: Any, machines: StateMachines) -> None:
    # GIVEN a state machine with two hundred completed executions
    machine = machines.create(PASS, type="STANDARD")
    arns = [states.start_execution(stateMachineArn=machine, input="{}")["executionArn"] for _ in range(200)]
    for arn in arns:
        machines.wait_for_execution(arn)

    # WHEN twenty more executions are started
    started = time.monotonic()
    for _ in range(20):
        states.start_execution(stateMachineArn=machine, input="{}")

    # THEN a start takes less than a quarter of a second on average, because earlier executions are not copied
    assert (time.monotonic() - started) / 20 < 0.25
