"""Redrive of unsuccessful executions.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

import json
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from sagelocal.pytest_plugin import RunningEmulator

from ..statemachines import StateMachines, single


def head_object(bucket: str, key: str) -> dict[str, Any]:
    """Return a Task state that fails if an object does not exist, and otherwise outputs its own input.

    key : JSONPath of the object's key in the state's input
    """
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:headObject",
        "Parameters": {"Bucket": bucket, "Key.$": key},
        "ResultPath": None,
        "End": True,
    }


def test_redrive_continues_with_the_state_that_failed(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN an execution whose second state has failed, because an object is missing
    bucket = f"bucket-{uuid4()}"
    emulator.client("s3").create_bucket(Bucket=bucket)
    first = {"Type": "Pass", "Result": {"key": "a"}, "Assign": {"kept": "yes"}, "Next": "Second"}
    last = {"Type": "Pass", "Parameters": {"kept.$": "$kept", "key.$": "$.key"}, "End": True}
    second = {name: value for name, value in head_object(bucket, "$.key").items() if name != "End"}
    states = {"First": first, "Second": {**second, "Next": "Last"}, "Last": last}
    arn = machines.run({"StartAt": "First", "States": states})["executionArn"]

    # WHEN the object is created, and the execution is redriven
    emulator.client("s3").put_object(Bucket=bucket, Key="a", Body=b"x")
    machines.client.redrive_execution(executionArn=arn)
    ended = machines.wait_for_execution(arn)

    # THEN the execution continues with the failed state, its input and the variables, and its history goes on
    assert (ended["status"], ended["redriveCount"]) == ("SUCCEEDED", 1)
    assert json.loads(ended["output"]) == {"kept": "yes", "key": "a"}
    events = machines.client.get_execution_history(executionArn=arn)["events"]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    types = [event["type"] for event in events]
    assert types.index("ExecutionFailed") < types.index("ExecutionRedriven")
    names = [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
    assert names == ["First", "Second", "Second", "Last"]


def test_redriven_map_run_keeps_successful_child_executions(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a Map Run in which one of two child executions has failed
    bucket = f"bucket-{uuid4()}"
    emulator.client("s3").create_bucket(Bucket=bucket)
    emulator.client("s3").put_object(Bucket=bucket, Key="a", Body=b"x")
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    processor = {"ProcessorConfig": config, "StartAt": "Read", "States": {"Read": head_object(bucket, "$")}}
    arn = machines.run(single(Type="Map", ItemProcessor=processor, MaxConcurrency=1), ["a", "b"])["executionArn"]
    client = machines.client
    (run,) = (found["mapRunArn"] for found in client.list_map_runs(executionArn=arn)["mapRuns"])
    before = {child["executionArn"]: child["status"] for child in client.list_executions(mapRunArn=run)["executions"]}

    # WHEN the missing object is created, and the execution is redriven
    emulator.client("s3").put_object(Bucket=bucket, Key="b", Body=b"x")
    client.redrive_execution(executionArn=arn)
    ended = machines.wait_for_execution(arn)

    # THEN the same Map Run succeeds, and the successful child execution has not run again
    assert json.loads(ended["output"]) == ["a", "b"]
    assert [found["mapRunArn"] for found in client.list_map_runs(executionArn=arn)["mapRuns"]] == [run]
    after = {child["executionArn"] for child in client.list_executions(mapRunArn=run)["executions"]}
    (kept,) = (child for child, status in before.items() if status == "SUCCEEDED")
    assert kept in after
    assert client.describe_map_run(mapRunArn=run)["itemCounts"]["succeeded"] == 2


def test_successful_execution_cannot_be_redriven(machines: StateMachines) -> None:
    # GIVEN a successful execution
    arn = machines.run(single(Type="Pass"))["executionArn"]

    # WHEN it is redriven
    with pytest.raises(ClientError) as caught:
        machines.client.redrive_execution(executionArn=arn)

    # THEN the request is refused
    assert caught.value.response["Error"]["Code"] == "ExecutionNotRedrivable"
