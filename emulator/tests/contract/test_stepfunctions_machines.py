"""State machines: validated, created once, described, in versions."""

import json
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from sagelocal.pytest_plugin import RunningEmulator

from .statemachines import StateMachines, role, single

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
