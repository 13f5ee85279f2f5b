"""State machines of functions: invoked, retried, caught, timed out."""

import json
from typing import Any
from uuid import uuid4

import pytest

from sagelocal.pytest_plugin import RunningEmulator

from .statemachines import StateMachines, create_function, received, single

INVOKE = "arn:aws:states:::lambda:invoke"
ECHO = "def handler(event, context):\n    return event\n"
ADD = "def handler(event, context):\n    return {**event, 'steps': event.get('steps', 0) + 1}\n"
DOUBT = """
class THRESHOLD_CONFIDENCE_NOT_MET(Exception):
    pass

def handler(event, context):
    raise THRESHOLD_CONFIDENCE_NOT_MET(f"0.5 after {event['steps']} steps")
"""
TRANSIENT = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
]


def invoke(function: str, **more: Any) -> dict[str, Any]:
    """A Task state that gives its input to a function and takes its answer."""
    return {
        "Type": "Task",
        "Resource": INVOKE,
        "Parameters": {"FunctionName": function, "Payload.$": "$"},
        "OutputPath": "$.Payload",
        "Retry": [{"ErrorEquals": TRANSIENT, "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 2}],
        **more,
    }


def test_error_of_the_third_function_fails_the_execution_under_its_name_after_a_notice(
    emulator: RunningEmulator, machines: StateMachines, functions: Any, inbox: tuple[str, str]
) -> None:
    # GIVEN three functions in a row of which the third raises, each caught by a notice before the failure
    topic, queue = inbox
    caught = {"Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Notify"}]}
    first, second = create_function(emulator, ADD), create_function(emulator, ADD)
    third = create_function(emulator, DOUBT)
    definition = {
        "StartAt": "Serialize",
        "States": {
            "Serialize": invoke(first, Next="Classify", **caught),
            "Classify": invoke(second, Next="Filter", **caught),
            "Filter": invoke(third, End=True, **caught),
            "Notify": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sns:publish",
                "Parameters": {"TopicArn": topic, "Message.$": "$.error"},
                "ResultPath": None,
                "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "Failed"}],
                "Next": "Failed",
            },
            "Failed": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
        },
    }

    # WHEN it runs
    ended = machines.run(definition, {"s3_key": "test/bicycle.png"})

    # THEN it has failed under the name of the class raised, with the function's own words
    assert ended["status"] == "FAILED"
    assert ended["error"] == "THRESHOLD_CONFIDENCE_NOT_MET"
    assert json.loads(ended["cause"])["errorMessage"] == "0.5 after 2 steps"
    assert json.loads(received(emulator, queue))["Error"] == "THRESHOLD_CONFIDENCE_NOT_MET"


def test_uncaught_error_of_a_function_fails_the_execution_under_its_name(
    emulator: RunningEmulator, machines: StateMachines
) -> None:
    # GIVEN a function that raises
    function = create_function(emulator, "def handler(event, context):\n    raise ValueError('no')\n")

    # WHEN a state machine invokes it
    ended = machines.run({"StartAt": "A", "States": {"A": invoke(function, End=True)}})

    # THEN it fails as the function did
    assert (ended["status"], ended["error"]) == ("FAILED", "ValueError")


@pytest.mark.parametrize("reference", ["name", "arn", "version", "alias", "qualifier"])
def test_function_is_found_by_any_of_its_names(
    emulator: RunningEmulator, machines: StateMachines, functions: Any, reference: str
) -> None:
    # GIVEN a function with a version and an alias
    name = create_function(emulator, ECHO)
    arn = functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    functions.publish_version(FunctionName=name)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    named = {"name": name, "arn": arn, "version": f"{arn}:1", "alias": f"{name}:live", "qualifier": name}
    parameters = {"FunctionName": named[reference], "Payload": {"a": 1}}
    if reference == "qualifier":
        parameters["Qualifier"] = "1"

    # WHEN it is invoked by one of them
    output = machines.output(single(Type="Task", Resource=INVOKE, Parameters=parameters))

    # THEN it answers
    assert (output["Payload"], output["StatusCode"]) == ({"a": 1}, 200)


def test_resource_can_be_the_function_itself(
    emulator: RunningEmulator, machines: StateMachines, functions: Any
) -> None:
    # GIVEN a function
    name = create_function(emulator, ADD)
    arn = functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]

    # WHEN its ARN is a state's resource
    output = machines.output(single(Type="Task", Resource=arn), {"steps": 3})

    # THEN the state's output is its answer
    assert output == {"steps": 4}


def test_missing_function_fails_by_lambda_s_name(machines: StateMachines) -> None:
    # GIVEN no function

    # WHEN one is invoked
    ended = machines.run({"StartAt": "A", "States": {"A": invoke("missing", End=True)}})

    # THEN the error is Lambda's
    assert (ended["status"], ended["error"]) == ("FAILED", "Lambda.ResourceNotFoundException")


def test_retry_counts_by_the_name_of_the_error(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a function that fails twice by a name, counting in S3
    bucket = f"bucket-{uuid4()}"
    emulator.client("s3").create_bucket(Bucket=bucket)
    source = f"""
import boto3
class Busy(Exception):
    pass
def handler(event, context):
    s3 = boto3.client("s3")
    tries = s3.list_objects_v2(Bucket="{bucket}")["KeyCount"] + 1
    s3.put_object(Bucket="{bucket}", Key=str(tries))
    if tries < 3:
        raise Busy()
    return tries
"""
    function = create_function(emulator, source, Timeout=30)

    # WHEN a state retries that name
    retry = [
        {"ErrorEquals": ["Lambda.TooManyRequestsException"], "MaxAttempts": 9},
        {"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "BackoffRate": 1.0, "MaxAttempts": 2},
    ]
    output = machines.output({"StartAt": "A", "States": {"A": invoke(function, End=True) | {"Retry": retry}}})

    # THEN the third try succeeds
    assert output == 3


def test_task_that_takes_too_long_fails_with_a_timeout(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a function that sleeps
    sleeper = "import time\ndef handler(event, context):\n    time.sleep(5)\n"
    function = create_function(emulator, sleeper)

    # WHEN its state waits a second
    ended = machines.run({"StartAt": "A", "States": {"A": invoke(function, End=True, TimeoutSeconds=1)}})

    # THEN the state has timed out
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Timeout")


def test_stopped_execution_no_longer_waits_for_its_function(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN an execution in a function that sleeps
    sleeper = "import time\ndef handler(event, context):\n    time.sleep(8)\n"
    function = create_function(emulator, sleeper)
    machine = machines.create({"StartAt": "A", "States": {"A": invoke(function, End=True)}})
    arn = machines.client.start_execution(stateMachineArn=machine)["executionArn"]

    # WHEN it is stopped
    machines.client.stop_execution(executionArn=arn)

    # THEN it has ended at once
    assert machines.finish(arn, seconds=1)["status"] == "ABORTED"
