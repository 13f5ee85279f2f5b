"""Errors of states, and the error names that a Catch matches.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html, "Error names".
"""

from typing import Any

import pytest

from ..statemachines import StateMachines, single

RULE = {"Variable": "$.speed", "NumericEquals": 1, "Next": "Other"}
CHOICE = {"Type": "Choice", "Choices": [RULE]}
OTHER = {"Type": "Pass", "Result": "other", "End": True}


def with_catch(names: list[str], **state: Any) -> dict[str, Any]:
    """Return a definition with one state, whose Catch for the error names leads to a state that outputs `other`."""
    only = {**state, "Catch": [{"ErrorEquals": names, "Next": "Other"}], "End": True}
    return {"StartAt": "Only", "States": {"Only": only, "Other": OTHER}}


def inside(kind: str, state: dict[str, Any]) -> dict[str, Any]:
    """Return a Map or Parallel state that contains one state.

    kind : `Map` or `Parallel`
    """
    scope = {"StartAt": "Inner", "States": {"Inner": {**state, "End": True}}}
    return {"Type": kind, "Branches": [scope]} if kind == "Parallel" else {"Type": "Map", "ItemProcessor": scope}


def test_choice_that_compares_an_absent_variable_fails(machines: StateMachines) -> None:
    # GIVEN a Choice state with a Default
    definition = {"StartAt": "Which", "States": {"Which": {**CHOICE, "Default": "Other"}, "Other": OTHER}}

    # WHEN the variable that it compares is absent
    ended = machines.run(definition)

    # THEN the execution fails
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert "Invalid path '$.speed'" in ended["cause"]


def test_choice_with_is_present_does_not_fail_on_an_absent_variable(machines: StateMachines) -> None:
    # GIVEN a Choice state that compares a variable only if it is present
    present = {"And": [{"Variable": "$.speed", "IsPresent": True}, {"Variable": "$.speed", "NumericEquals": 1}]}
    states = {"Which": {"Type": "Choice", "Choices": [{**present, "Next": "Other"}], "Default": "Default"}}
    default = {"Type": "Pass", "Result": "default", "End": True}

    # WHEN the variable is absent
    output = machines.output({"StartAt": "Which", "States": {**states, "Other": OTHER, "Default": default}})

    # THEN the execution continues with the default state
    assert output == "default"


def test_choice_without_a_match_or_a_default_fails(machines: StateMachines) -> None:
    # GIVEN a Choice state without a Default
    definition = {"StartAt": "Which", "States": {"Which": CHOICE, "Other": OTHER}}

    # WHEN no rule matches
    ended = machines.run(definition, {"speed": 2})

    # THEN the execution fails with AWS's error
    assert (ended["status"], ended["error"]) == ("FAILED", "States.NoChoiceMatched")


@pytest.mark.parametrize(("speed", "expected"), [(1, "rule"), (2, "default")])
def test_only_the_chosen_transition_assigns_its_variables(machines: StateMachines, speed: int, expected: str) -> None:
    # GIVEN a Choice state whose rule and default lead to the same state, and assign different values
    rule = {**RULE, "Assign": {"who": "rule"}}
    choice = {"Type": "Choice", "Choices": [rule], "Default": "Other", "Assign": {"who": "default"}}
    other = {"Type": "Pass", "Parameters": {"who.$": "$who"}, "End": True}

    # WHEN it runs
    output = machines.output({"StartAt": "Which", "States": {"Which": choice, "Other": other}}, {"speed": speed})

    # THEN the variable has the value that the chosen transition assigns
    assert output == {"who": expected}


@pytest.mark.parametrize("names", [["States.ALL"], ["States.TaskFailed"]], ids=lambda names: names[0])
def test_runtime_errors_are_not_caught(machines: StateMachines, names: list[str]) -> None:
    # GIVEN a state whose Catch has a wildcard error name, and a parameter whose path is not in the input
    queue = "http://127.0.0.1/123456789012/queue"
    parameters = {"QueueUrl": queue, "MessageBody.$": "$.gone"}
    state = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": parameters}

    # WHEN it runs
    ended = machines.run(with_catch(names, **state))

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
    # GIVEN a Parallel state with a Catch, and a branch whose output is larger than 256 KiB
    large = {"Type": "Pass", "Parameters": {"text.$": "States.Format('{}{}{}', $.text, $.text, $.text)"}}

    # WHEN it runs
    ended = machines.run(with_catch(names, **inside("Parallel", large)), {"text": "x" * 100_000})

    # THEN the Catch matches only the error's own name
    if caught:
        assert ended["output"] == '"other"'
    else:
        assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")


@pytest.mark.parametrize("kind", ["Map", "Parallel"])
def test_catch_of_a_map_or_parallel_state_matches_an_inner_timeout(
    machines: StateMachines, topic_and_queue: tuple[str, str], kind: str
) -> None:
    # GIVEN a Map or Parallel state with a Catch, and a task inside that times out
    _, queue = topic_and_queue
    waiting = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue, "MessageBody.$": "$$.Task.Token"},
        "TimeoutSeconds": 1,
    }

    # WHEN it runs
    output = machines.output(with_catch(["States.Timeout"], **inside(kind, waiting)), [1])

    # THEN the Catch matches States.Timeout
    assert output == "other"


def test_result_path_fails_if_the_input_is_text(machines: StateMachines) -> None:
    # GIVEN a state that adds its result to its input
    state = single(Type="Pass", Result=1, ResultPath="$.r")

    # WHEN the input is text
    ended = machines.run(state, "text")

    # THEN the execution fails with AWS's error
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ResultPathMatchFailure")
