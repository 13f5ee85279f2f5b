"""Inline and distributed Map states: order, tolerated failures, batches and items from S3."""

import json
from typing import Any
from uuid import uuid4

import pytest

from sagelocal.pytest_plugin import RunningEmulator

from ..statemachines import StateMachines, single

FAIL = {"Type": "Fail", "Error": "Bad", "Cause": "on purpose"}


def test_inline_map_keeps_the_order_and_applies_the_selector(machines: StateMachines) -> None:
    # GIVEN an inline Map with an ItemSelector
    state = single(
        Type="Map",
        ItemsPath="$.items",
        MaxConcurrency=2,
        ItemSelector={"n.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index", "shared.$": "$.shared"},
        ItemProcessor={"StartAt": "One", "States": {"One": {"Type": "Pass", "End": True}}},
    )

    # WHEN it runs
    output = machines.output(state, {"items": [5, 6, 7], "shared": "s"})

    # THEN the selected items are output in the order of the input
    assert output == [{"n": n, "i": i, "shared": "s"} for i, n in enumerate([5, 6, 7])]


def test_inline_map_processes_more_items_than_the_recursion_limit(machines: StateMachines) -> None:
    # GIVEN an inline Map that processes one item at a time
    state = single(
        Type="Map",
        MaxConcurrency=1,
        ItemProcessor={"StartAt": "One", "States": {"One": {"Type": "Pass", "End": True}}},
    )

    # WHEN it processes more items than Python's recursion limit
    output = machines.output(state, list(range(1200)))

    # THEN the output contains all items
    assert output == list(range(1200))


def test_failed_item_fails_an_inline_map(machines: StateMachines) -> None:
    # GIVEN an inline Map whose items fail
    state = single(Type="Map", ItemProcessor={"StartAt": "No", "States": {"No": FAIL}})

    # WHEN it runs
    ended = machines.run(state, [1, 2])

    # THEN it fails with the item's error
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "Bad", "on purpose")


def failing_for_odd_items(**more: Any) -> dict[str, Any]:
    """Return a Distributed Map state whose child executions fail for odd items."""
    odd = {
        "Variable": "$.odd",
        "BooleanEquals": True,
        "Next": "No",
    }
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Which",
        "States": {
            "Which": {"Type": "Choice", "Choices": [odd], "Default": "Yes"},
            "Yes": {"Type": "Pass", "OutputPath": "$.n", "End": True},
            "No": FAIL,
        },
    }
    return {"Type": "Map", "ItemProcessor": processor, "End": True, **more}


ITEMS = [{"n": n, "odd": n % 2 == 1} for n in range(10)]  # five of ten fail


@pytest.mark.parametrize(
    ("tolerance", "fails"),
    [
        ({}, True),
        ({"ToleratedFailurePercentage": 49}, True),
        ({"ToleratedFailurePercentage": 50}, False),
        ({"ToleratedFailurePercentage": 50.5}, False),
        ({"ToleratedFailureCount": 4}, True),
        ({"ToleratedFailureCount": 5}, False),
        ({"ToleratedFailureCount": 5, "ToleratedFailurePercentage": 20}, True),
        ({"ToleratedFailurePercentage": 100}, False),
    ],
    ids=["none", "percent-49", "percent-50", "percent-50.5", "count-4", "count-5", "count-5-and-percent-20", "all"],
)
def test_distributed_map_fails_beyond_the_tolerated_failures(
    machines: StateMachines, tolerance: dict[str, float], fails: bool
) -> None:
    # GIVEN a Distributed Map in which half of the items fail
    definition = {"StartAt": "Each", "States": {"Each": failing_for_odd_items(**tolerance)}}

    # WHEN it runs
    ended = machines.run(definition, ITEMS)

    # THEN it fails if the tolerance is exceeded, and otherwise outputs null for failed items
    if fails:
        expected = ("FAILED", "States.ExceedToleratedFailureThreshold")
        assert (ended["status"], ended["error"]) == expected
    else:
        assert json.loads(ended["output"]) == [0, None, 2, None, 4, None, 6, None, 8, None]


def test_exceeded_threshold_can_be_caught(machines: StateMachines) -> None:
    # GIVEN a Distributed Map with failing items and a Catch for States.ExceedToleratedFailureThreshold
    catch = [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "Next": "Caught"}]
    definition = {
        "StartAt": "Each",
        "States": {"Each": failing_for_odd_items(Catch=catch), "Caught": {"Type": "Pass", "End": True}},
    }

    # WHEN it runs
    output = machines.output(definition, ITEMS)

    # THEN the execution continues
    assert output["Error"] == "States.ExceedToleratedFailureThreshold"


def test_map_run_counts_its_items(machines: StateMachines) -> None:
    # GIVEN a Distributed Map that tolerates all failures
    definition = {"StartAt": "Each", "States": {"Each": failing_for_odd_items(ToleratedFailurePercentage=100)}}
    arn = machines.run(definition, ITEMS)["executionArn"]

    # WHEN its Map Run is described
    runs = machines.client.list_map_runs(executionArn=arn)["mapRuns"]
    described = machines.client.describe_map_run(mapRunArn=runs[0]["mapRunArn"])

    # THEN it counts the items by status
    counts = described["itemCounts"]
    assert (counts["total"], counts["succeeded"], counts["failed"], counts["running"]) == (10, 5, 5, 0)
    assert described["executionCounts"]["running"] == 0


@pytest.mark.parametrize(
    ("batcher", "sizes"),
    [
        ({"MaxItemsPerBatch": 4}, [4, 4, 2]),
        ({"MaxItemsPerBatchPath": "$.size"}, [3, 3, 3, 1]),
        ({"MaxInputBytesPerBatch": 130}, [5, 5]),
    ],
    ids=["items", "path", "bytes"],
)
def test_items_are_batched(machines: StateMachines, batcher: dict[str, Any], sizes: list[int]) -> None:
    # GIVEN a Distributed Map with an ItemBatcher and an ItemSelector
    definition = single(
        Type="Map",
        ItemsPath="$.items",
        ItemSelector={"value.$": "$$.Map.Item.Value"},
        ItemBatcher={**batcher, "BatchInput": {"owner.$": "$.owner"}},
        ItemProcessor={
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
            "StartAt": "One",
            "States": {"One": {"Type": "Pass", "End": True}},
        },
    )

    # WHEN it runs
    value = {"items": [f"{number:04}" for number in range(10)], "owner": "scones", "size": 3}
    output = machines.output(definition, value)

    # THEN each child execution receives a batch of selected items and the batch input
    assert [len(batch["Items"]) for batch in output] == sizes
    assert {json.dumps(batch["BatchInput"]) for batch in output} == {'{"owner": "scones"}'}
    assert [item["value"] for batch in output for item in batch["Items"]] == value["items"]


def test_items_are_batched_in_a_jsonata_definition(machines: StateMachines) -> None:
    # GIVEN a Distributed Map with JSONata expressions
    definition = single(
        QueryLanguage="JSONata",
        Type="Map",
        Items="{% $states.input.items %}",
        ItemBatcher={"MaxItemsPerBatch": 2, "BatchInput": {"owner": "{% $states.input.owner %}"}},
        ItemProcessor={
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
            "StartAt": "One",
            "States": {"One": {"Type": "Pass", "End": True}},
        },
    )

    # WHEN it runs
    output = machines.output(definition, {"items": [1, 2, 3], "owner": "scones"})

    # THEN each batch has at most two items
    assert output == [
        {"BatchInput": {"owner": "scones"}, "Items": [1, 2]},
        {"BatchInput": {"owner": "scones"}, "Items": [3]},
    ]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("JSON", '[{"n": 1}, {"n": 2}]'),
        ("JSONL", '{"n": 1}\n\n{"n": 2}\n'),
        ("CSV", "n\n1\n2\n"),
    ],
    ids=["json", "jsonl", "csv"],
)
def test_items_are_read_from_s3(emulator: RunningEmulator, machines: StateMachines, kind: str, body: str) -> None:
    # GIVEN an object with two items
    bucket = f"bucket-{uuid4()}"
    emulator.client("s3").create_bucket(Bucket=bucket)
    emulator.client("s3").put_object(Bucket=bucket, Key="items", Body=body.encode())
    header = {"CSVHeaderLocation": "FIRST_ROW"} if kind == "CSV" else {}

    # WHEN a Distributed Map reads it
    definition = single(
        Type="Map",
        ItemReader={
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": kind, **header},
            "Parameters": {"Bucket": bucket, "Key": "items"},
        },
        ItemProcessor={
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "One",
            "States": {"One": {"Type": "Pass", "End": True}},
        },
    )
    output = machines.output(definition)

    # THEN each item is the input of a child execution
    assert [int(item["n"]) for item in output] == [1, 2]


def test_items_can_be_the_objects_below_a_prefix(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN objects below two prefixes
    bucket = f"bucket-{uuid4()}"
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=bucket)
    for key in ("test/a.png", "test/b.png", "train/c.png"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")

    # WHEN a Distributed Map lists one of the prefixes
    definition = single(
        Type="Map",
        ItemReader={
            "Resource": "arn:aws:states:::s3:listObjectsV2",
            "Parameters": {"Bucket": bucket, "Prefix": "test/"},
        },
        ItemSelector={"key.$": "$$.Map.Item.Value.Key", "size.$": "$$.Map.Item.Value.Size"},
        ItemProcessor={
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "One",
            "States": {"One": {"Type": "Pass", "End": True}},
        },
    )
    output = machines.output(definition)

    # THEN the objects below this prefix are the items
    assert output == [{"key": "test/a.png", "size": 1}, {"key": "test/b.png", "size": 1}]
