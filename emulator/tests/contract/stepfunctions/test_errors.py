"""Error names: which errors Catch and Retry match, and how states fail.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html, "Error names".
"""

from typing import Any

import pytest

from ..statemachines import StateMachines, single

RULE = {"Variable": "$.speed", "NumericEquals": 1, "Next": "Other"}
CHOICE = {"Type": "Choice", "Choices": [RULE]}
OTHER = {"Type": "Pass", "Result": "other", "End": True}


def caught_by(names: list[str], **state: Any) -> dict[str, Any]:
    """Return a definition in which a Catch with these names leads to a state that outputs `other`."""
    only = {**state, "Catch": [{"ErrorEquals": names, "Next": "Other"}], "End": True}
    return {"StartAt": "Only", "States": {"Only": only, "Other": OTHER}}


def inside(kind: str, state: dict[str, Any]) -> dict[str, Any]:
    """Return a Map or Parallel state that runs a state."""
    scope = {"StartAt": "Inner", "States": {"Inner": {**state, "End": True}}}
    return {"Type": kind, "Branches": [scope]} if kind == "Parallel" else {"Type": "Map", "ItemProcessor": scope}


def test_choice_on_an_absent_variable_fails(machines: StateMachines) -> None:
    # GIVEN a Choice state with a Default
    definition = {"StartAt": "Which", "States": {"Which": {**CHOICE, "Default": "Other"}, "Other": OTHER}}

    # WHEN its variable is absent
    ended = machines.run(definition)

    # THEN the execution fails
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert "Invalid path '$.speed'" in ended["cause"]


def test_choice_can_ask_whether_a_variable_is_present(machines: StateMachines) -> None:
    # GIVEN a Choice state that compares a variable only if it is present
    present = {"And": [{"Variable": "$.speed", "IsPresent": True}, {"Variable": "$.speed", "NumericEquals": 1}]}
    states = {"Which": {"Type": "Choice", "Choices": [{**present, "Next": "Other"}], "Default": "Default"}}
    default = {"Type": "Pass", "Result": "default", "End": True}

    # WHEN the variable is absent
    output = machines.output({"StartAt": "Which", "States": {**states, "Other": OTHER, "Default": default}})

    # THEN the state machine continues with the default
    assert output == "default"


def test_choice_without_a_match_and_default_fails(machines: StateMachines) -> None:
    # GIVEN a Choice state without a Default
    definition = {"StartAt": "Which", "States": {"Which": CHOICE, "Other": OTHER}}

    # WHEN no rule matches
    ended = machines.run(definition, {"speed": 2})

    # THEN the execution fails with AWS's error
    assert (ended["status"], ended["error"]) == ("FAILED", "States.NoChoiceMatched")


@pytest.mark.parametrize(("speed", "expected"), [(1, "rule"), (2, "default")])
def test_rule_and_default_can_lead_to_the_same_state(machines: StateMachines, speed: int, expected: str) -> None:
    # GIVEN a Choice state whose rule and default assign different values and have the same target
    rule = {**RULE, "Assign": {"who": "rule"}}
    choice = {"Type": "Choice", "Choices": [rule], "Default": "Other", "Assign": {"who": "default"}}
    other = {"Type": "Pass", "Parameters": {"who.$": "$who"}, "End": True}

    # WHEN it runs
    output = machines.output({"StartAt": "Which", "States": {"Which": choice, "Other": other}}, {"speed": speed})

    # THEN only the assignment of the chosen transition applies
    assert output == {"who": expected}


@pytest.mark.parametrize("names", [["States.ALL"], ["States.TaskFailed"]], ids=lambda names: names[0])
def test_runtime_errors_are_not_caught(machines: StateMachines, names: list[str]) -> None:
    # GIVEN a Catch with a wildcard around a state whose parameter has no value
    queue = "http://127.0.0.1/123456789012/queue"
    parameters = {"QueueUrl": queue, "MessageBody.$": "$.gone"}
    state = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": parameters}

    # WHEN it runs
    ended = machines.run(caught_by(names, **state))

    # THEN the execution fails
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")


@pytest.mark.parametrize(
    ("names", "caught"),
    [(["States.ALL"], False), (["States.DataLimitExceeded"], True)],
    ids=["wildcard", "name"],
)
def test_exceeded_data_limit_is_caught_only_by_its_name(
    machines: StateMachines, names: list[str], caught: bool
) -> None:
    # GIVEN a Catch around a state whose output is larger than 256 KiB
    large = {"Type": "Pass", "Parameters": {"text.$": "States.Format('{}{}{}', $.text, $.text, $.text)"}}

    # WHEN it runs
    ended = machines.run(caught_by(names, **inside("Parallel", large)), {"text": "x" * 100_000})

    # THEN only its own name catches the error
    if caught:
        assert ended["output"] == '"other"'
    else:
        assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")


@pytest.mark.parametrize("kind", ["Map", "Parallel"])
def test_timeout_inside_a_state_is_caught_outside(machines: StateMachines, inbox: tuple[str, str], kind: str) -> None:
    # GIVEN a task that times out inside a Map or Parallel state with a Catch
    _, queue = inbox
    waiting = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue, "MessageBody.$": "$$.Task.Token"},
        "TimeoutSeconds": 1,
    }

    # WHEN it runs
    output = machines.output(caught_by(["States.Timeout"], **inside(kind, waiting)), [1])

    # THEN the Catch matches States.Timeout
    assert output == "other"


def test_result_path_into_text_fails(machines: StateMachines) -> None:
    # GIVEN a state that inserts its result into its input
    state = single(Type="Pass", Result=1, ResultPath="$.r")

    # WHEN the input is text
    ended = machines.run(state, "text")

    # THEN the execution fails with AWS's error
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ResultPathMatchFailure")
