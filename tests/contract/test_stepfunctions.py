"""Step Functions' API: state machines, executions, versions, as boto3 sees them."""

import json
import time
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.contract.conftest import RunningEmulator
from tests.contract.statemachines import StateMachines, role, single

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


def _with(**states: Any) -> str:
    return json.dumps({"StartAt": "A", "States": states})


INVALID = [
    pytest.param("{", "INVALID_JSON_DESCRIPTION", None, id="no-json"),
    pytest.param(_with(A={"Type": "Pass", "Next": "B"}), "MISSING_TRANSITION_TARGET", "/States/A/Next", id="next"),
    pytest.param(
        json.dumps({"StartAt": "B", "States": {"A": {"Type": "Pass", "End": True}}}),
        "MISSING_TRANSITION_TARGET",
        "/StartAt",
        id="start",
    ),
    pytest.param(
        _with(
            A={
                "Type": "Task",
                "Resource": "arn:aws:states:::sns:publish",
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}],
                "End": True,
            }
        ),
        "MISSING_TRANSITION_TARGET",
        "/States/A/Catch/0/Next",
        id="catch",
    ),
    pytest.param(
        _with(A={"Type": "Pass", "End": True}, B={"Type": "Succeed"}),
        "MISSING_TRANSITION_TARGET",
        "/States/B",
        id="unreachable",
    ),
    pytest.param(_with(A={"Type": "Pass", "Next": "A"}), "MISSING_END_STATE", "/States", id="no-end"),
    pytest.param(_with(A={"Type": "Sleep", "End": True}), "SCHEMA_VALIDATION_FAILED", None, id="type"),
    pytest.param(
        _with(A={"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createNothing", "End": True}),
        "SCHEMA_VALIDATION_FAILED",
        None,
        id="operation",
    ),
]


@pytest.mark.parametrize(("definition", "code", "location"), INVALID)
def test_invalid_definition_is_diagnosed_and_refused(
    states: Any, definition: str, code: str, location: str | None
) -> None:
    # GIVEN a definition that cannot be run

    # WHEN it is validated, and used
    validated = states.validate_state_machine_definition(definition=definition)
    with pytest.raises(ClientError) as caught:
        states.create_state_machine(name=f"machine-{uuid4()}", definition=definition, roleArn=role())

    # THEN both say why
    found = validated["diagnostics"][0]
    assert validated["result"] == "FAIL"
    assert (found["severity"], found["code"], found.get("location")) == ("ERROR", code, location)
    assert caught.value.response["Error"]["Code"] == "InvalidDefinition"
    assert code in caught.value.response["Error"]["Message"]


def test_valid_definition_has_no_diagnostics(states: Any) -> None:
    # GIVEN a definition that can be run

    # WHEN it is validated
    validated = states.validate_state_machine_definition(definition=json.dumps(PASS))

    # THEN nothing is found
    assert (validated["result"], validated["diagnostics"]) == ("OK", [])


def test_failed_parse_leaves_no_trace_in_the_next(states: Any) -> None:
    # GIVEN a JSONata definition that fails to parse half way
    broken = {
        "QueryLanguage": "JSONata",
        "StartAt": "A",
        "States": {"A": {"Type": "Pass", "Parameters": {"x.$": "$.a"}, "End": True}},
    }
    assert states.validate_state_machine_definition(definition=json.dumps(broken))["result"] == "FAIL"

    # WHEN a JSONPath definition is parsed
    good = _with(A={"Type": "Pass", "Parameters": {"x.$": "$.a"}, "End": True})
    validated = states.validate_state_machine_definition(definition=good)

    # THEN it is read as JSONPath
    assert validated["result"] == "OK"


def test_creation_can_be_repeated_but_not_with_another_definition(states: Any, machines: StateMachines) -> None:
    # GIVEN a state machine
    name = f"machine-{uuid4()}"
    machine = machines.create(PASS, name=name)

    # WHEN it is created again as it is, and as another one
    again = machines.create(PASS, name=name)
    with pytest.raises(ClientError) as caught:
        machines.create(WAIT, name=name)

    # THEN the first is the same, the second refused
    assert again == machine
    assert caught.value.response["Error"]["Code"] == "StateMachineAlreadyExists"


def test_settings_come_back_as_given(states: Any, machines: StateMachines) -> None:
    # GIVEN a state machine with logging, tracing and tags
    logging = {
        "level": "ERROR",
        "includeExecutionData": False,
        "destinations": [
            {"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:us-east-1:123456789012:log-group:states:*"}}
        ],
    }
    machine = machines.create(
        PASS,
        loggingConfiguration=logging,
        tracingConfiguration={"enabled": True},
        tags=[{"key": "owner", "value": "scones"}],
    )

    # WHEN it is described
    described = states.describe_state_machine(stateMachineArn=machine)
    states.tag_resource(resourceArn=machine, tags=[{"key": "more", "value": "1"}])
    states.untag_resource(resourceArn=machine, tagKeys=["owner"])

    # THEN all of that is there
    assert described["loggingConfiguration"] == logging
    assert described["tracingConfiguration"] == {"enabled": True}
    assert (described["type"], described["status"]) == ("STANDARD", "ACTIVE")
    assert states.list_tags_for_resource(resourceArn=machine)["tags"] == [{"key": "more", "value": "1"}]


def test_version_keeps_its_definition_and_runs_by_itself(states: Any, machines: StateMachines) -> None:
    # GIVEN a state machine whose definition changed after its first version
    machine = machines.create(PASS)
    first = states.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    changed = single(Type="Pass", Result=1)
    second = states.update_state_machine(stateMachineArn=machine, definition=json.dumps(changed), publish=True)[
        "stateMachineVersionArn"
    ]

    # WHEN both versions run
    outputs = [
        machines.finish(states.start_execution(stateMachineArn=arn, input="0")["executionArn"])
        for arn in (first, second)
    ]

    # THEN each is what it was, and all executions are the state machine's
    assert [ended["output"] for ended in outputs] == ["0", "1"]
    assert [ended["stateMachineVersionArn"] for ended in outputs] == [first, second]
    assert {ended["stateMachineArn"] for ended in outputs} == {machine}
    assert len(states.list_executions(stateMachineArn=machine)["executions"]) == 2


def test_versions_are_listed_and_deleted(states: Any, machines: StateMachines) -> None:
    # GIVEN two versions, the first behind an alias
    machine = machines.create(PASS, publish=True)
    states.update_state_machine(stateMachineArn=machine, definition=json.dumps(WAIT), publish=True)
    first, second = f"{machine}:1", f"{machine}:2"
    states.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": first, "weight": 100}]
    )

    # WHEN they are listed, and deleted
    listed = states.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"]
    states.delete_state_machine_version(stateMachineVersionArn=second)
    with pytest.raises(ClientError) as caught:
        states.delete_state_machine_version(stateMachineVersionArn=first)

    # THEN the newest comes first, and the one in use stays
    assert [version["stateMachineVersionArn"] for version in listed] == [second, first]
    assert caught.value.response["Error"]["Code"] == "ConflictException"
    left = states.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"]
    assert [version["stateMachineVersionArn"] for version in left] == [first]


def test_alias_runs_the_version_it_points_to(states: Any, machines: StateMachines) -> None:
    # GIVEN an alias of the first version of a state machine that has changed since
    machine = machines.create(PASS, publish=True)
    states.update_state_machine(stateMachineArn=machine, definition=json.dumps(WAIT))
    alias = states.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": f"{machine}:1", "weight": 100}]
    )["stateMachineAliasArn"]

    # WHEN the alias is run
    ended = machines.finish(states.start_execution(stateMachineArn=alias, input="3")["executionArn"])

    # THEN it is the first version that ran
    assert (ended["output"], ended["stateMachineVersionArn"]) == ("3", f"{machine}:1")


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
