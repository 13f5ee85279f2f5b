"""Child executions of a Distributed Map: context object, API operations, logs and redrive.

Sources:
- https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html ("Executions of an EXPRESS
  state machine aren't supported by DescribeExecution unless a Map Run dispatched them")
- https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html ("you may list EXPRESS children
  started by a map run using the mapRunArn parameter")
- https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html
- https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html
"""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from sagelocal.pytest_plugin import RunningEmulator

from ...waiting import eventually
from ..statemachines import StateMachines, single

EXECUTION_TYPES = pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])


def processor(kind: str, **states: Any) -> dict[str, Any]:
    """Return an item processor whose states run in the given order.

    kind : execution type of the child executions (STANDARD or EXPRESS)
    """
    names = [*states, ""]
    linked = {
        name: {**state, **({"Next": following} if following else {"End": True})}
        for (name, state), following in zip(states.items(), names[1:], strict=True)
    }
    return {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind},
        "StartAt": names[0],
        "States": linked,
    }


def only_map_run(machines: StateMachines, execution: str) -> str:
    """Return the ARN of an execution's only Map Run."""
    (run,) = machines.client.list_map_runs(executionArn=execution)["mapRuns"]
    return str(run["mapRunArn"])


@EXECUTION_TYPES
def test_child_execution_has_its_own_context_object(machines: StateMachines, kind: str) -> None:
    # GIVEN a Distributed Map whose child executions return parts of their context objects
    context = {"id.$": "$$.Execution.Id", "name.$": "$$.Execution.Name", "input.$": "$$.Execution.Input"}
    show = {"Type": "Pass", "Parameters": {**context, "machine.$": "$$.StateMachine.Id"}}

    # WHEN it runs
    ended = machines.run(single(Type="Map", ItemProcessor=processor(kind, Show=show)), ["a", "b"])

    # THEN each context object contains the child execution, the state machine and the input
    children = machines.client.list_executions(mapRunArn=only_map_run(machines, ended["executionArn"]))["executions"]
    output = json.loads(ended["output"])
    assert {child["executionArn"]: child["name"] for child in children} == {each["id"]: each["name"] for each in output}
    assert {each["machine"] for each in output} == {child["stateMachineArn"] for child in children}
    assert [each["input"] for each in output] == ["a", "b"]


@EXECUTION_TYPES
def test_child_execution_is_described_and_has_a_history_if_it_is_standard(machines: StateMachines, kind: str) -> None:
    # GIVEN a Map Run with one child execution
    one = processor(kind, One={"Type": "Pass"})
    ended = machines.run(single(Type="Map", ItemProcessor=one), [7])
    client = machines.client
    run = only_map_run(machines, ended["executionArn"])

    # WHEN the child execution is listed and described
    (listed,) = client.list_executions(mapRunArn=run)["executions"]
    described = client.describe_execution(executionArn=listed["executionArn"])

    # THEN it has the item as input, and it has a history only if its type is STANDARD
    assert (described["mapRunArn"], described["input"], described["output"]) == (run, "7", "7")
    if kind == "STANDARD":
        events = client.get_execution_history(executionArn=listed["executionArn"])["events"]
        types = ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
        assert [(event["id"], event["previousEventId"]) for event in events] == [(1, 0), (2, 0), (3, 2), (4, 3)]
        assert [event["type"] for event in events] == types
    else:
        with pytest.raises(ClientError, match="InvalidArn"):
            client.get_execution_history(executionArn=listed["executionArn"])


@pytest.mark.parametrize("operation", ["describe_execution", "get_execution_history", "stop_execution"])
def test_operation_for_standard_executions_refuses_express_executions(machines: StateMachines, operation: str) -> None:
    # GIVEN an execution of an EXPRESS state machine
    machine = machines.create(single(Type="Pass"), type="EXPRESS")
    arn = machines.client.start_execution(stateMachineArn=machine)["executionArn"]

    # WHEN an operation for STANDARD executions is called, THEN it is refused
    with pytest.raises(ClientError, match="Resource type not valid in this context: express"):
        getattr(machines.client, operation)(executionArn=arn)


@EXECUTION_TYPES
def test_child_executions_are_logged(emulator: RunningEmulator, machines: StateMachines, kind: str) -> None:
    # GIVEN a state machine that logs all events
    group = f"/states/{uuid4()}"
    logs = emulator.client("logs")
    logs.create_log_group(logGroupName=group)
    arn = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["arn"]
    destination = {"cloudWatchLogsLogGroup": {"logGroupArn": arn}}
    logging = {"level": "ALL", "includeExecutionData": True, "destinations": [destination]}
    definition = single(Type="Map", ItemProcessor=processor(kind, One={"Type": "Pass"}))

    # WHEN it runs a Distributed Map
    ended = machines.run(definition, ["a"], loggingConfiguration=logging)

    # THEN the log group contains the events of the child execution
    (child,) = machines.client.list_executions(mapRunArn=only_map_run(machines, ended["executionArn"]))["executions"]
    messages = [json.loads(event["message"]) for event in logs.filter_log_events(logGroupName=group)["events"]]
    types = [message["type"] for message in messages if message["execution_arn"] == child["executionArn"]]
    assert types == ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]


def test_failed_batch_counts_as_the_failure_of_all_its_items(machines: StateMachines) -> None:
    # GIVEN three batches of at most two items, of which the second batch fails
    bad = {"Variable": "$.Items[0]", "NumericEquals": 3, "Next": "No"}
    one = processor("EXPRESS", Which={"Type": "Choice", "Choices": [bad], "Default": "Yes"})
    del one["States"]["Which"]["End"]
    one["States"] |= {"Yes": {"Type": "Succeed"}, "No": {"Type": "Fail", "Error": "Bad"}}
    batched = {"Type": "Map", "ItemBatcher": {"MaxItemsPerBatch": 2}, "ItemProcessor": one, "ItemsPath": "$.items"}
    value = {"items": [1, 2, 3, 4, 5], "tolerated": 2, "percentage": 40}

    # WHEN Distributed Maps with different tolerances run
    def status(**tolerance: Any) -> str:
        return str(machines.run(single(**batched, **tolerance), value)["status"])

    # THEN a tolerance of two items or 40 % suffices, because two of five items have failed
    assert status(ToleratedFailureCountPath="$.tolerated") == "SUCCEEDED"
    assert status(ToleratedFailurePercentagePath="$.percentage") == "SUCCEEDED"
    assert status(ToleratedFailureCount=1) == "FAILED"
    assert status(ToleratedFailurePercentage=39) == "FAILED"


def test_limits_of_a_distributed_map_can_be_paths(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN a dataset of five items, and a Map whose limits are paths
    bucket = f"bucket-{uuid4()}"
    emulator.client("s3").create_bucket(Bucket=bucket)
    emulator.client("s3").put_object(Bucket=bucket, Key="items.jsonl", Body=b'"a"\n"b"\r\n"\xe2\x80\xa8"\n"d"\n"e"')
    definition = single(
        Type="Map",
        ItemReader={
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSONL", "MaxItemsPath": "$.items"},
            "Parameters": {"Bucket.$": "$.bucket", "Key.$": "$.key"},
        },
        ItemBatcher={"MaxItemsPerBatchPath": "$.batch", "MaxInputBytesPerBatchPath": "$.bytes"},
        MaxConcurrencyPath="$.batch",
        ItemProcessor=processor("EXPRESS", One={"Type": "Pass", "OutputPath": "$.Items"}),
    )

    # WHEN it runs
    limits = {"items": 4, "batch": 3, "bytes": 1000}
    output = machines.output(definition, {"bucket": bucket, "key": "items.jsonl", **limits})

    # THEN the limits apply, and only CR and LF end a line
    assert output == [["a", "b", "\u2028"], ["d"]]


@pytest.fixture
def bucket(emulator: RunningEmulator) -> str:
    """The name of a bucket that contains only the object `a`."""
    name = f"bucket-{uuid4()}"
    emulator.client("s3").create_bucket(Bucket=name)
    emulator.client("s3").put_object(Bucket=name, Key="a", Body=b"x")
    return name


@pytest.fixture
def processed_items(emulator: RunningEmulator) -> tuple[str, Callable[[], Counter[str]]]:
    """The URL of a queue to which child executions send their items, and a function that counts the sent items."""
    sqs = emulator.client("sqs")
    queue = sqs.create_queue(QueueName=f"queue-{uuid4()}")["QueueUrl"]
    counts: Counter[str] = Counter()

    def count_messages() -> Counter[str]:
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            counts.update(message["Body"] for message in messages)
        return counts

    return queue, count_messages


def batches(bucket: str, queue: str, kind: str, *, retry: bool) -> dict[str, Any]:
    """Return a Map state for a list of keys: child executions send a key to the queue, and then read the key's object.

    retry : whether a child execution retries while the object is missing; otherwise it fails
    """
    send = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl": queue, "MessageBody.$": "$.Items[0]"},
        "ResultPath": None,
    }
    retrier = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 99, "BackoffRate": 1}
    find = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:headObject",
        "Parameters": {"Bucket": bucket, "Key.$": "$.Items[0]"},
        "ResultPath": None,
        "OutputPath": "$.Items[0]",
        **({"Retry": [retrier]} if retry else {}),
    }
    return {
        "Type": "Map",
        "ItemBatcher": {"MaxItemsPerBatch": 1},
        "ItemProcessor": processor(kind, Send=send, Find=find),
        "MaxConcurrency": 1,
    }


@EXECUTION_TYPES
@pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT"])
def test_redrive_runs_only_unsuccessful_child_executions(
    emulator: RunningEmulator,
    machines: StateMachines,
    bucket: str,
    processed_items: tuple[str, Callable[[], Counter[str]]],
    kind: str,
    status: str,
) -> None:
    # GIVEN an execution that has failed, been stopped or timed out at the second of three keys, whose object is missing
    queue, count_messages = processed_items
    definition = single(**batches(bucket, queue, kind, retry=status != "FAILED"))
    if status == "TIMED_OUT":
        definition["TimeoutSeconds"] = 3  # enough for the first two batches on a busy machine
    client = machines.client
    arn = client.start_execution(stateMachineArn=machines.create(definition), input='["a", "b", "c"]')["executionArn"]
    assert eventually(lambda: count_messages()["b"]) == 1
    run = only_map_run(machines, arn)
    if status == "ABORTED":
        counts = client.describe_map_run(mapRunArn=run)["itemCounts"]
        assert [counts[name] for name in ("total", "succeeded", "running", "pending")] == [3, 1, 1, 1]
        client.stop_execution(executionArn=arn)
    assert machines.wait_for_execution(arn)["status"] == status
    described = client.describe_map_run(mapRunArn=run)
    assert described["status"] == ("FAILED" if status == "FAILED" else "ABORTED")
    assert [described["executionCounts"][name] for name in ("total", "succeeded", "running", "pending")] == [3, 1, 0, 1]
    before = {child["status"]: child["executionArn"] for child in client.list_executions(mapRunArn=run)["executions"]}

    # WHEN the missing objects are created, and the execution is redriven
    for key in ("b", "c"):
        emulator.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
    client.redrive_execution(executionArn=arn)
    ended = machines.wait_for_execution(arn)

    # THEN the same Map Run succeeds, and the successful batch does not run again
    assert json.loads(ended["output"]) == ["a", "b", "c"]
    assert count_messages() == {"a": 1, "b": 2, "c": 1}
    described = client.describe_map_run(mapRunArn=only_map_run(machines, arn))
    assert (described["mapRunArn"], described["status"], described["redriveCount"]) == (run, "SUCCEEDED", 1)
    assert described["itemCounts"]["succeeded"] == described["itemCounts"]["total"] == 3
    # AND the history has an event for the redrive of the Map Run
    events = client.get_execution_history(executionArn=arn)["events"]
    (redriven,) = (event["mapRunRedrivenEventDetails"] for event in events if event["type"] == "MapRunRedriven")
    assert redriven == {"mapRunArn": run, "redriveCount": 1}
    # AND a STANDARD child execution is redriven, whereas an EXPRESS one is replaced by a new execution
    after = {
        child["executionArn"]: child["redriveCount"] for child in client.list_executions(mapRunArn=run)["executions"]
    }
    unsuccessful = before.get("FAILED") or before["ABORTED"]
    assert after.get(unsuccessful) == (1 if kind == "STANDARD" else None)
    assert after[before["SUCCEEDED"]] == 0


def test_redrive_continues_only_the_latest_map_run_of_a_state_in_a_loop(
    emulator: RunningEmulator,
    machines: StateMachines,
    bucket: str,
    processed_items: tuple[str, Callable[[], Counter[str]]],
) -> None:
    # GIVEN a Map state in a loop, whose first Map Run has succeeded and whose second Map Run has failed
    queue, count_messages = processed_items
    state = {**batches(bucket, queue, "EXPRESS", retry=False), "ItemsPath": "$[0]", "ResultPath": None, "Next": "More"}
    more = {"Type": "Pass", "InputPath": "$[1:]", "Next": "Which"}
    which = {"Type": "Choice", "Choices": [{"Variable": "$[0]", "IsPresent": True, "Next": "Each"}], "Default": "End"}
    states = {"Each": state, "More": more, "Which": which, "End": {"Type": "Succeed"}}
    arn = machines.run({"StartAt": "Each", "States": states}, [["a"], ["b"]])["executionArn"]

    # WHEN the missing object is created, and the execution is redriven
    emulator.client("s3").put_object(Bucket=bucket, Key="b", Body=b"x")
    machines.client.redrive_execution(executionArn=arn)
    ended = machines.wait_for_execution(arn)

    # THEN only the second Map Run continues
    assert ended["status"] == "SUCCEEDED"
    assert count_messages() == {"a": 1, "b": 2}
    assert len(machines.client.list_map_runs(executionArn=arn)["mapRuns"]) == 2
