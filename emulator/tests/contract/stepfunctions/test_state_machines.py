"""State machines: validation, creation, description, versions and aliases."""

import json
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from ..statemachines import StateMachines, role, single

PASS = single(Type="Pass")
WAIT = single(Type="Wait", Seconds=60)


def _definition(**states: Any) -> str:
    """Return the JSON text of a definition that starts with the state `A`."""
    return json.dumps({"StartAt": "A", "States": states})


INVALID_DEFINITIONS = [
    pytest.param("{", "INVALID_JSON_DESCRIPTION", None, id="no-json"),
    pytest.param(
        _definition(A={"Type": "Pass", "Next": "B"}), "MISSING_TRANSITION_TARGET", "/States/A/Next", id="next"
    ),
    pytest.param(
        json.dumps({"StartAt": "B", "States": {"A": {"Type": "Pass", "End": True}}}),
        "MISSING_TRANSITION_TARGET",
        "/StartAt",
        id="start",
    ),
    pytest.param(
        _definition(
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
        _definition(A={"Type": "Pass", "End": True}, B={"Type": "Succeed"}),
        "MISSING_TRANSITION_TARGET",
        "/States/B",
        id="unreachable",
    ),
    pytest.param(_definition(A={"Type": "Pass", "Next": "A"}), "MISSING_END_STATE", "/States", id="no-end"),
    pytest.param(_definition(A={"Type": "Sleep", "End": True}), "SCHEMA_VALIDATION_FAILED", None, id="type"),
    pytest.param(_definition(A={"Type": [], "Next": "A"}), "MISSING_END_STATE", "/States", id="type-not-a-string"),
    pytest.param(
        _definition(A={"Type": "Pass", "Next": ["A"]}),
        "MISSING_TRANSITION_TARGET",
        "/States/A/Next",
        id="next-not-a-string",
    ),
    pytest.param(
        json.dumps({"StartAt": {}, "States": {"A": {"Type": "Succeed"}}}),
        "MISSING_TRANSITION_TARGET",
        "/StartAt",
        id="start-not-a-string",
    ),
    pytest.param(
        _definition(A={"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createNothing", "End": True}),
        "SCHEMA_VALIDATION_FAILED",
        None,
        id="operation",
    ),
    pytest.param(
        json.dumps({"StartAt": "A" * 81, "States": {"A" * 81: {"Type": "Succeed"}}}),
        "SCHEMA_VALIDATION_FAILED",
        "/States/" + "A" * 81,
        id="long-name",
    ),
    pytest.param(
        _definition(
            A={
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {"Payload": {}},
                "End": True,
            }
        ),
        "SCHEMA_VALIDATION_FAILED",
        "/States/A/Parameters",
        id="required-parameter",
    ),
]


@pytest.mark.parametrize(("definition", "code", "location"), INVALID_DEFINITIONS)
def test_invalid_definition_is_diagnosed_and_refused(
    states: Any, definition: str, code: str, location: str | None
) -> None:
    # WHEN an invalid definition is validated, and a state machine is created with it
    validated = states.validate_state_machine_definition(definition=definition)
    with pytest.raises(ClientError) as caught:
        states.create_state_machine(name=f"machine-{uuid4()}", definition=definition, roleArn=role())

    # THEN both responses contain the reason
    found = validated["diagnostics"][0]
    assert validated["result"] == "FAIL"
    assert (found["severity"], found["code"], found.get("location")) == ("ERROR", code, location)
    assert caught.value.response["Error"]["Code"] == "InvalidDefinition"
    assert code in caught.value.response["Error"]["Message"]


SYNC = {
    "Type": "Task",
    "Resource": "arn:aws:states:::states:startExecution.sync:2",
    "Parameters": {"StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:other"},
    "End": True,
}
CALLBACK = {
    "Type": "Task",
    "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "Parameters": {"QueueUrl": "queue", "MessageBody.$": "$$.Task.Token"},
    "End": True,
}


def _distributed(kind: str, state: dict[str, Any]) -> dict[str, Any]:
    """Return a Distributed Map whose child executions have the type `kind` and a single state."""
    config = {"Mode": "DISTRIBUTED", "ExecutionType": kind}
    processor = {"ProcessorConfig": config, "StartAt": "B", "States": {"B": state}}
    return {"Type": "Map", "ItemProcessor": processor, "End": True}


@pytest.mark.parametrize(
    ("state", "kind", "location"),
    [
        (SYNC, "EXPRESS", "/States/A/Resource"),
        (CALLBACK, "EXPRESS", "/States/A/Resource"),
        (_distributed("STANDARD", {"Type": "Succeed"}), "EXPRESS", "/States/A"),
        (_distributed("EXPRESS", CALLBACK), "STANDARD", "/States/A/ItemProcessor/States/B/Resource"),
    ],
    ids=["sync", "callback", "distributed-map", "express-children"],
)
def test_express_executions_refuse_states_that_need_standard_executions(
    states: Any, state: dict[str, Any], kind: str, location: str
) -> None:
    # GIVEN a definition with a state that AWS supports only in STANDARD executions
    # (https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html)
    definition = _definition(A=state)

    # WHEN it is validated and created as a state machine in which the state would run in EXPRESS executions
    validated = states.validate_state_machine_definition(definition=definition, type=kind)
    with pytest.raises(ClientError) as caught:
        states.create_state_machine(name=f"machine-{uuid4()}", definition=definition, roleArn=role(), type=kind)

    # THEN the diagnostics contain the location, and the state machine is refused
    assert [found["location"] for found in validated["diagnostics"]] == [location]
    assert caught.value.response["Error"]["Code"] == "InvalidDefinition"


def test_update_refuses_an_invalid_definition(states: Any, machines: StateMachines) -> None:
    # GIVEN an EXPRESS state machine
    machine = machines.create(PASS, type="EXPRESS")

    # WHEN it is updated with an integration that EXPRESS workflows do not support
    with pytest.raises(ClientError) as caught:
        states.update_state_machine(stateMachineArn=machine, definition=_definition(A=CALLBACK))

    # THEN the update is refused
    assert caught.value.response["Error"]["Code"] == "InvalidDefinition"


def test_valid_definition_has_no_diagnostics(states: Any) -> None:
    # WHEN a valid definition is validated
    validated = states.validate_state_machine_definition(definition=json.dumps(PASS))

    # THEN there are no diagnostics
    assert (validated["result"], validated["diagnostics"]) == ("OK", [])


def test_invalid_jsonata_definition_does_not_affect_the_next_validation(states: Any) -> None:
    # GIVEN a JSONata definition that is invalid, because it contains a JSONPath
    broken = {
        "QueryLanguage": "JSONata",
        "StartAt": "A",
        "States": {"A": {"Type": "Pass", "Parameters": {"x.$": "$.a"}, "End": True}},
    }
    assert states.validate_state_machine_definition(definition=json.dumps(broken))["result"] == "FAIL"

    # WHEN a JSONPath definition is parsed
    good = _definition(A={"Type": "Pass", "Parameters": {"x.$": "$.a"}, "End": True})
    validated = states.validate_state_machine_definition(definition=good)

    # THEN it is valid, because it is parsed as JSONPath
    assert validated["result"] == "OK"


def test_creation_is_idempotent_for_the_same_definition(states: Any, machines: StateMachines) -> None:
    # GIVEN a state machine
    name = f"machine-{uuid4()}"
    machine = machines.create(PASS, name=name)

    # WHEN it is created again with the same definition, and then with another definition
    again = machines.create(PASS, name=name)
    with pytest.raises(ClientError) as caught:
        machines.create(WAIT, name=name)

    # THEN the first request returns the existing state machine, and the second request is refused
    assert again == machine
    assert caught.value.response["Error"]["Code"] == "StateMachineAlreadyExists"


def test_description_contains_logging_and_tracing_settings(states: Any, machines: StateMachines) -> None:
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

    # WHEN it is described, and its tags are changed
    described = states.describe_state_machine(stateMachineArn=machine)
    states.tag_resource(resourceArn=machine, tags=[{"key": "more", "value": "1"}])
    states.untag_resource(resourceArn=machine, tagKeys=["owner"])

    # THEN the description contains the settings, and the tags have changed
    assert described["loggingConfiguration"] == logging
    assert described["tracingConfiguration"] == {"enabled": True}
    assert (described["type"], described["status"]) == ("STANDARD", "ACTIVE")
    assert states.list_tags_for_resource(resourceArn=machine)["tags"] == [{"key": "more", "value": "1"}]


def test_version_keeps_and_runs_its_definition(states: Any, machines: StateMachines) -> None:
    # GIVEN a state machine whose definition changed after its first version
    machine = machines.create(PASS)
    first = states.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    changed = single(Type="Pass", Result=1)
    second = states.update_state_machine(stateMachineArn=machine, definition=json.dumps(changed), publish=True)[
        "stateMachineVersionArn"
    ]

    # WHEN both versions are executed
    outputs = [
        machines.wait_for_execution(states.start_execution(stateMachineArn=arn, input="0")["executionArn"])
        for arn in (first, second)
    ]

    # THEN each runs its own definition, and the state machine lists both executions
    assert [ended["output"] for ended in outputs] == ["0", "1"]
    assert [ended["stateMachineVersionArn"] for ended in outputs] == [first, second]
    assert {ended["stateMachineArn"] for ended in outputs} == {machine}
    assert len(states.list_executions(stateMachineArn=machine)["executions"]) == 2


def test_executions_of_a_version_are_listed_without_those_of_other_versions(
    states: Any, machines: StateMachines
) -> None:
    # GIVEN an execution of version 10
    machine = machines.create(PASS, publish=True)
    for number in range(2, 11):
        definition = json.dumps({**PASS, "Comment": str(number)})
        states.update_state_machine(stateMachineArn=machine, definition=definition, publish=True)
    execution = machines.wait_for_execution(states.start_execution(stateMachineArn=f"{machine}:10")["executionArn"])

    # WHEN the executions of versions 1 and 10 are listed
    first, tenth = (states.list_executions(stateMachineArn=f"{machine}:{number}")["executions"] for number in (1, 10))

    # THEN only version 10 has the execution
    assert first == []
    assert [listed["executionArn"] for listed in tenth] == [execution["executionArn"]]


def test_versions_are_listed_and_deleted(states: Any, machines: StateMachines) -> None:
    # GIVEN two versions, of which the first has an alias
    machine = machines.create(PASS, publish=True)
    states.update_state_machine(stateMachineArn=machine, definition=json.dumps(WAIT), publish=True)
    first, second = f"{machine}:1", f"{machine}:2"
    states.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": first, "weight": 100}]
    )

    # WHEN they are listed and deleted
    listed = states.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"]
    states.delete_state_machine_version(stateMachineVersionArn=second)
    with pytest.raises(ClientError) as caught:
        states.delete_state_machine_version(stateMachineVersionArn=first)

    # THEN the newest version is listed first, and the version with an alias cannot be deleted
    assert [version["stateMachineVersionArn"] for version in listed] == [second, first]
    assert caught.value.response["Error"]["Code"] == "ConflictException"
    remaining = states.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"]
    assert [version["stateMachineVersionArn"] for version in remaining] == [first]


def test_alias_runs_its_version(states: Any, machines: StateMachines) -> None:
    # GIVEN an alias for the first version of a state machine, whose definition was updated afterwards
    machine = machines.create(PASS, publish=True)
    states.update_state_machine(stateMachineArn=machine, definition=json.dumps(WAIT))
    alias = states.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": f"{machine}:1", "weight": 100}]
    )["stateMachineAliasArn"]

    # WHEN the alias is executed
    ended = machines.wait_for_execution(states.start_execution(stateMachineArn=alias, input="3")["executionArn"])

    # THEN the first version runs
    assert (ended["output"], ended["stateMachineVersionArn"]) == ("3", f"{machine}:1")
