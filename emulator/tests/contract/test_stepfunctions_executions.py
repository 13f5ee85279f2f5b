"""Executions: started, described, listed, stopped, with their history."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagelocal.pytest_plugin import RunningEmulator

from .statemachines import StateMachines, single

PASS = single(Type="Pass")
WAIT = single(Type="Wait", Seconds=60)


@pytest.fixture
def states(emulator: RunningEmulator) -> Any:
    """A client of Step Functions."""
    return emulator.client("stepfunctions")


@pytest.fixture
def machines(states: Any) -> StateMachines:
    """A factory of state machines."""
    return StateMachines(states)


@pytest.mark.parametrize(
    "value",
    ["h", {"a": [1, 2.5, None]}, [], None, 7, True, 'a "quoted" word', "é"],
    ids=["text", "object", "list", "null", "number", "boolean", "quotes", "accent"],
)
def test_output_is_json_of_any_kind(states: Any, machines: StateMachines, value: Any) -> None:
    # GIVEN a state machine that gives back its input
    machine = machines.create(PASS)

    # WHEN it runs unnamed
    started = states.start_execution(stateMachineArn=machine, input=json.dumps(value))
    ended = machines.finish(started["executionArn"])

    # THEN its output is the same JSON, strings in quotes
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"]) == value
    assert json.loads(ended["input"]) == value
    assert ended["stopDate"] >= ended["startDate"]


def test_name_of_an_ended_execution_is_refused(states: Any, machines: StateMachines) -> None:
    # GIVEN an execution that has ended
    machine = machines.create(PASS)
    first = states.start_execution(stateMachineArn=machine, name="once", input="{}")
    machines.finish(first["executionArn"])

    # WHEN another is started under its name
    with pytest.raises(ClientError) as caught:
        states.start_execution(stateMachineArn=machine, name="once", input="{}")

    # THEN it is refused
    assert caught.value.response["Error"]["Code"] == "ExecutionAlreadyExists"


def test_start_is_repeatable_while_it_runs_with_the_same_input(states: Any, machines: StateMachines) -> None:
    # GIVEN an execution under way
    machine = machines.create(WAIT)
    first = states.start_execution(stateMachineArn=machine, name="once", input='{"a": 1}')

    # WHEN it is started again with the same input, and with another
    again = states.start_execution(stateMachineArn=machine, name="once", input='{"a": 1}')
    with pytest.raises(ClientError) as caught:
        states.start_execution(stateMachineArn=machine, name="once", input='{"a": 2}')

    # THEN the first answer is repeated, and the other request refused
    assert again["executionArn"] == first["executionArn"]
    assert caught.value.response["Error"]["Code"] == "ExecutionAlreadyExists"
    states.stop_execution(executionArn=first["executionArn"])


def test_input_that_is_no_json_is_refused(states: Any, machines: StateMachines) -> None:
    # GIVEN a state machine
    machine = machines.create(PASS)

    # WHEN it is started with half an object
    with pytest.raises(ClientError) as caught:
        states.start_execution(stateMachineArn=machine, input='{"a":')

    # THEN the input is refused
    assert caught.value.response["Error"]["Code"] == "InvalidExecutionInput"


def test_stopped_execution_is_aborted_with_the_reason_given(states: Any, machines: StateMachines) -> None:
    # GIVEN an execution that waits
    arn = states.start_execution(stateMachineArn=machines.create(WAIT))["executionArn"]

    # WHEN it is stopped at once
    stopped = states.stop_execution(executionArn=arn, error="Enough", cause="seen all")

    # THEN it is aborted, at the time told, for that reason
    described = states.describe_execution(executionArn=arn)
    assert described["status"] == "ABORTED"
    assert (described["error"], described["cause"]) == ("Enough", "seen all")
    assert described["stopDate"] == stopped["stopDate"]


def test_state_machine_that_takes_too_long_times_out(states: Any, machines: StateMachines) -> None:
    # GIVEN a state machine with a limit of one second
    machine = machines.create({**WAIT, "TimeoutSeconds": 1})

    # WHEN it waits longer
    ended = machines.finish(states.start_execution(stateMachineArn=machine)["executionArn"])

    # THEN it has timed out
    assert ended["status"] == "TIMED_OUT"


def test_executions_are_listed_by_status_and_page(states: Any, machines: StateMachines) -> None:
    # GIVEN three executions that succeeded and one that runs
    machine = machines.create(single(Type="Wait", SecondsPath="$"))
    ended = [states.start_execution(stateMachineArn=machine, input="0")["executionArn"] for _ in range(3)]
    for arn in ended:
        machines.finish(arn)
    running = states.start_execution(stateMachineArn=machine, input="60")["executionArn"]

    # WHEN they are listed
    pages = states.get_paginator("list_executions").paginate(
        stateMachineArn=machine, statusFilter="SUCCEEDED", PaginationConfig={"PageSize": 2}
    )
    succeeded = [found for page in pages for found in page["executions"]]
    under_way = states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]

    # THEN each is found under its status, newest first
    assert [found["executionArn"] for found in succeeded] == ended[::-1]
    assert all("stopDate" in found for found in succeeded)
    assert [found["executionArn"] for found in under_way] == [running]
    states.stop_execution(executionArn=running)


def test_history_tells_every_step_forwards_and_backwards(states: Any, machines: StateMachines) -> None:
    # GIVEN an execution that has ended
    arn = states.start_execution(stateMachineArn=machines.create(PASS), input="{}")["executionArn"]
    machines.finish(arn)

    # WHEN its history is read in both directions
    forwards = states.get_execution_history(executionArn=arn)["events"]
    backwards = states.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=1)

    # THEN it tells each step
    kinds = ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    assert [event["type"] for event in forwards] == kinds
    assert [event["type"] for event in backwards["events"]] == kinds[-1:]
    assert "nextToken" in backwards


def test_express_state_machine_runs_in_line(states: Any, machines: StateMachines) -> None:
    # GIVEN an EXPRESS state machine
    machine = machines.create(PASS, type="EXPRESS")

    # WHEN it is run synchronously
    ended = states.start_sync_execution(stateMachineArn=machine, input='"h"')

    # THEN the answer has its output, under an ARN of its own kind
    assert states.describe_state_machine(stateMachineArn=machine)["type"] == "EXPRESS"
    assert (ended["status"], ended["output"]) == ("SUCCEEDED", '"h"')
    assert ":express:" in ended["executionArn"]
    assert ended["billingDetails"]["billedDurationInMilliseconds"] % 100 == 0


def test_express_failure_is_told_with_error_and_cause(states: Any, machines: StateMachines) -> None:
    # GIVEN an EXPRESS state machine that fails
    failing = {"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "Never", "Cause": "on purpose"}}}
    machine = machines.create(failing, type="EXPRESS")

    # WHEN it is run synchronously
    ended = states.start_sync_execution(stateMachineArn=machine)

    # THEN the answer says why
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "Never", "on purpose")


def test_standard_state_machine_is_not_run_in_line(states: Any, machines: StateMachines) -> None:
    # GIVEN a STANDARD state machine
    machine = machines.create(PASS)

    # WHEN it is to be run synchronously
    with pytest.raises(ClientError) as caught:
        states.start_sync_execution(stateMachineArn=machine)

    # THEN that is refused
    assert caught.value.response["Error"]["Code"] == "StateMachineTypeNotSupported"


def test_many_executions_stay_quick(states: Any, machines: StateMachines) -> None:
    # GIVEN a state machine with two hundred executions behind it
    machine = machines.create(PASS, type="STANDARD")
    arns = [states.start_execution(stateMachineArn=machine, input="{}")["executionArn"] for _ in range(200)]
    for arn in arns:
        machines.finish(arn)

    # WHEN twenty more are started
    started = time.monotonic()
    for _ in range(20):
        states.start_execution(stateMachineArn=machine, input="{}")

    # THEN a start still takes a few milliseconds: nothing copies what went before
    assert (time.monotonic() - started) / 20 < 0.25
