"""Task states that invoke Lambda functions: identifiers, errors, retries and timeouts."""

import json
from typing import Any
from uuid import uuid4

import pytest

from sagelocal.pytest_plugin import RunningEmulator

from ..functions import make_function
from ..statemachines import StateMachines, receive_body, single

INVOKE = "arn:aws:states:::lambda:invoke"
ECHO = "def main(event, context):\n    return event\n"
ADD = "def main(event, context):\n    return {**event, 'steps': event.get('steps', 0) + 1}\n"
BELOW_THRESHOLD = """
class THRESHOLD_CONFIDENCE_NOT_MET(Exception):
    pass

def main(event, context):
    raise THRESHOLD_CONFIDENCE_NOT_MET(f"0.5 after {event['steps']} steps")
"""
TRANSIENT = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
]


def invoke(function: str, **more: Any) -> dict[str, Any]:
    """Return a Task state that invokes a function with the state's input, and outputs the function's response."""
    return {
        "Type": "Task",
        "Resource": INVOKE,
        "Parameters": {"FunctionName": function, "Payload.$": "$"},
        "OutputPath": "$.Payload",
        "Retry": [{"ErrorEquals": TRANSIENT, "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 2}],
        **more,
    }


def test_caught_function_error_is_published_and_fails_the_execution(
    emulator: RunningEmulator, machines: StateMachines, topic_and_queue: tuple[str, str]
) -> None:
    # GIVEN three functions, of which the third raises an error, and a Catch whose next state publishes the error
    topic, queue = topic_and_queue
    caught = {"Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Notify"}]}
    first, second = make_function(emulator, ADD), make_function(emulator, ADD)
    third = make_function(emulator, BELOW_THRESHOLD)
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

    # WHEN the state machine runs
    ended = machines.run(definition, {"s3_key": "test/bicycle.png"})

    # THEN the execution's error is the exception's class name, and its cause contains the exception's message
    assert ended["status"] == "FAILED"
    assert ended["error"] == "THRESHOLD_CONFIDENCE_NOT_MET"
    assert json.loads(ended["cause"])["errorMessage"] == "0.5 after 2 steps"
    assert json.loads(receive_body(emulator, queue))["Error"] == "THRESHOLD_CONFIDENCE_NOT_MET"


def test_uncaught_function_error_fails_the_execution(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a function that raises an error
    function = make_function(emulator, "def main(event, context):\n    raise ValueError('no')\n")

    # WHEN a state machine invokes it
    ended = machines.run({"StartAt": "A", "States": {"A": invoke(function, End=True)}})

    # THEN the execution fails with the exception's class name as its error
    assert (ended["status"], ended["error"]) == ("FAILED", "ValueError")


@pytest.mark.parametrize("reference", ["name", "arn", "version", "alias", "qualifier"])
def test_function_can_be_invoked_by_name_arn_version_or_alias(
    emulator: RunningEmulator, machines: StateMachines, functions: Any, reference: str
) -> None:
    # GIVEN a function with a version and an alias
    name = make_function(emulator, ECHO)
    arn = functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    functions.publish_version(FunctionName=name)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    named = {"name": name, "arn": arn, "version": f"{arn}:1", "alias": f"{name}:live", "qualifier": name}
    parameters = {"FunctionName": named[reference], "Payload": {"a": 1}}
    if reference == "qualifier":
        parameters["Qualifier"] = "1"

    # WHEN it is invoked by one of its identifiers
    output = machines.output(single(Type="Task", Resource=INVOKE, Parameters=parameters))

    # THEN the output contains the function's response
    assert (output["Payload"], output["StatusCode"]) == ({"a": 1}, 200)


def test_resource_can_be_a_function_arn(emulator: RunningEmulator, machines: StateMachines, functions: Any) -> None:
    # GIVEN a function
    name = make_function(emulator, ADD)
    arn = functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]

    # WHEN the function's ARN is the resource of a state
    output = machines.output(single(Type="Task", Resource=arn), {"steps": 3})

    # THEN the state's output is the function's response
    assert output == {"steps": 4}


def test_missing_function_fails_with_lambda_error(machines: StateMachines) -> None:
    # WHEN a missing function is invoked
    ended = machines.run({"StartAt": "A", "States": {"A": invoke("missing", End=True)}})

    # THEN the execution fails with Lambda's error
    assert (ended["status"], ended["error"]) == ("FAILED", "Lambda.ResourceNotFoundException")


def test_error_is_retried_by_the_retrier_that_names_it(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a function that counts its attempts in S3, and fails in the first two
    bucket = f"bucket-{uuid4()}"
    emulator.client("s3").create_bucket(Bucket=bucket)
    source = f"""
import boto3
class Busy(Exception):
    pass
def main(event, context):
    s3 = boto3.client("s3")
    tries = s3.list_objects_v2(Bucket="{bucket}")["KeyCount"] + 1
    s3.put_object(Bucket="{bucket}", Key=str(tries))
    if tries < 3:
        raise Busy()
    return tries
"""
    function = make_function(emulator, source, Timeout=30)

    # WHEN a state retries this error
    retry = [
        {"ErrorEquals": ["Lambda.TooManyRequestsException"], "MaxAttempts": 9},
        {"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "BackoffRate": 1.0, "MaxAttempts": 2},
    ]
    output = machines.output({"StartAt": "A", "States": {"A": invoke(function, End=True) | {"Retry": retry}}})

    # THEN the third attempt succeeds
    assert output == 3


def test_task_times_out(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a function that sleeps
    sleeper = "import time\ndef main(event, context):\n    time.sleep(5)\n"
    function = make_function(emulator, sleeper)

    # WHEN the state that invokes the function has a timeout of one second
    ended = machines.run({"StartAt": "A", "States": {"A": invoke(function, End=True, TimeoutSeconds=1)}})

    # THEN the execution fails with States.Timeout
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Timeout")


def test_stopped_execution_does_not_wait_for_its_function(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN an execution that waits for a function that sleeps
    sleeper = "import time\ndef main(event, context):\n    time.sleep(8)\n"
    function = make_function(emulator, sleeper)
    machine = machines.create({"StartAt": "A", "States": {"A": invoke(function, End=True)}})
    arn = machines.client.start_execution(stateMachineArn=machine)["executionArn"]

    # WHEN it is stopped
    machines.client.stop_execution(executionArn=arn)

    # THEN it ends without waiting for the function
    assert machines.wait_for_execution(arn, seconds=1)["status"] == "ABORTED"


@pytest.mark.parametrize(("caught", "status"), [("States.ALL", "FAILED"), ("States.DataLimitExceeded", "SUCCEEDED")])
def test_too_large_result_is_caught_only_by_its_error_name(
    emulator: RunningEmulator, machines: StateMachines, caught: str, status: str
) -> None:
    # GIVEN a function whose result exceeds the maximum of 256 KiB
    large = make_function(emulator, "def main(event, context):\n    return 'x' * 300_000\n")
    catch = [{"ErrorEquals": [caught], "Next": "Caught"}]
    states = {"Invoke": invoke(large, Catch=catch, End=True), "Caught": {"Type": "Pass", "End": True}}

    # WHEN a state with a Catch invokes the function
    ended = machines.run({"StartAt": "Invoke", "States": states})

    # THEN only the error's own name matches
    assert ended["status"] == status
    assert "States.DataLimitExceeded" in (ended.get("error"), json.loads(ended.get("output", "{}")).get("Error"))


def test_runtime_error_is_not_caught(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a state with a Catch for all errors, and a timeout whose path is not in the input
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    task = invoke(make_function(emulator, ECHO), Catch=catch, End=True, TimeoutSecondsPath="$.missing")

    # WHEN it runs
    ended = machines.run({"StartAt": "Invoke", "States": {"Invoke": task, "Caught": {"Type": "Pass", "End": True}}})

    # THEN the execution fails
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
