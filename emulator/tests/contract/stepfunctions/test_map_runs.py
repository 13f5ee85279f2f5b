"""Map Runs: exported results, counts, child executions, and stopping.

Sources: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html and
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-examine-map-run.html
"""

import json
from typing import Any
from uuid import uuid4

import pytest

from sagelocal.pytest_plugin import RunningEmulator

from ...waiting import eventually
from ..statemachines import StateMachines, single

ODD = {"Variable": "$.odd", "BooleanEquals": True, "Next": "No"}
FAIL_FOR_ODD_ITEMS = {
    "Which": {"Type": "Choice", "Choices": [ODD], "Default": "Yes"},
    "Yes": {"Type": "Pass", "OutputPath": "$.n", "End": True},
    "No": {"Type": "Fail", "Error": "Bad", "Cause": "on purpose"},
}
ITEMS = [{"n": [0], "odd": False}, {"n": [1], "odd": True}, {"n": [2], "odd": False}]
WAIT = {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}


def distributed(states: dict[str, Any] = FAIL_FOR_ODD_ITEMS, **more: Any) -> dict[str, Any]:
    """Return a definition with a Distributed Map.

    states : states of each child execution
    more   : more fields of the Map state, and `ExecutionType`, which is STANDARD by default
    """
    config = {"Mode": "DISTRIBUTED", "ExecutionType": more.pop("ExecutionType", "STANDARD")}
    processor = {"ProcessorConfig": config, "StartAt": next(iter(states)), "States": states}
    return single(**{"Type": "Map", "ItemProcessor": processor, **more})


def writer(bucket: str, **config: str) -> dict[str, Any]:
    """Return a ResultWriter that exports to the prefix `results` of a bucket."""
    location = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": bucket, "Prefix": "results"}}
    return {**location, "WriterConfig": config} if config else location


@pytest.fixture
def bucket(emulator: RunningEmulator) -> str:
    """The name of a new bucket."""
    name = f"bucket-{uuid4()}"
    emulator.client("s3").create_bucket(Bucket=name)
    return name


def read(emulator: RunningEmulator, bucket: str, key: str) -> str:
    """Return the text of an object in S3."""
    return str(emulator.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode())


def exported(emulator: RunningEmulator, output: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the manifest of exported results, and the text of each result file by status.

    output : output of the Map state that exported the results
    """
    location = output["ResultWriterDetails"]
    manifest = json.loads(read(emulator, location["Bucket"], location["Key"]))
    keys = {status: file["Key"] for status, files in manifest["ResultFiles"].items() for file in files}
    return manifest, {status: read(emulator, location["Bucket"], key) for status, key in keys.items()}


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_results_are_exported_with_their_metadata(
    emulator: RunningEmulator, machines: StateMachines, bucket: str, kind: str
) -> None:
    # GIVEN a Distributed Map with a ResultWriter, in which one item fails
    definition = distributed(ToleratedFailureCount=1, ResultWriter=writer(bucket), ExecutionType=kind)

    # WHEN it runs
    output = machines.output(definition, ITEMS)

    # THEN the manifest names a file of successful and a file of failed child executions, with their inputs and results
    manifest, files = exported(emulator, output)
    assert (manifest["DestinationBucket"], manifest["MapRunArn"]) == (bucket, output["MapRunArn"])
    assert manifest["ResultFiles"]["PENDING"] == []
    run = output["MapRunArn"].rpartition(":")[2]
    assert manifest["ResultFiles"]["SUCCEEDED"][0] == {
        "Key": f"results/{run}/SUCCEEDED_0.json",
        "Size": len(files["SUCCEEDED"]),
    }
    succeeded, (failed,) = json.loads(files["SUCCEEDED"]), json.loads(files["FAILED"])
    assert [(json.loads(found["Input"]), found["Output"]) for found in succeeded] == [
        (ITEMS[0], "[0]"),
        (ITEMS[2], "[2]"),
    ]
    assert (failed["Status"], failed["Error"], failed["Cause"]) == ("FAILED", "Bad", "on purpose")
    assert (":express:" in failed["ExecutionArn"]) == (kind == "EXPRESS")

    # AND child executions of both types can be described
    described = emulator.client("stepfunctions").describe_execution(executionArn=succeeded[0]["ExecutionArn"])
    assert (described["status"], json.loads(described["input"]), described["output"]) == ("SUCCEEDED", ITEMS[0], "[0]")
    assert described["mapRunArn"] == output["MapRunArn"]

    # AND the history of the execution contains only the Map state, not the states of child executions
    execution = emulator.client("stepfunctions").describe_map_run(mapRunArn=output["MapRunArn"])["executionArn"]
    events = emulator.client("stepfunctions").get_execution_history(executionArn=execution)["events"]
    assert sum("stateEnteredEventDetails" in event for event in events) == 1


def test_results_are_exported_in_the_format_of_the_writer_config(
    emulator: RunningEmulator, machines: StateMachines, bucket: str
) -> None:
    # GIVEN a Distributed Map that exports flattened results as JSON Lines
    config = writer(bucket, Transformation="FLATTEN", OutputType="JSONL")
    definition = distributed(ToleratedFailureCount=1, ResultWriter=config)

    # WHEN it runs
    _, files = exported(emulator, machines.output(definition, ITEMS))

    # THEN each element of an output is a line, and the file of failures contains the error
    assert files["SUCCEEDED"].splitlines() == ["0", "2"]
    assert json.loads(files["FAILED"])["Error"] == "Bad"


def test_writer_config_without_a_bucket_formats_the_output_of_the_state(machines: StateMachines) -> None:
    # GIVEN a Distributed Map whose ResultWriter has a WriterConfig but no bucket
    config = {"WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSON"}}

    # WHEN it runs
    output = machines.output(distributed(ResultWriter=config), [ITEMS[0], ITEMS[2]])

    # THEN the state's output is flattened
    assert output == [0, 2]


def test_results_are_exported_when_the_map_run_fails(
    emulator: RunningEmulator, machines: StateMachines, bucket: str
) -> None:
    # GIVEN a Distributed Map that tolerates no failure
    definition = distributed(ResultWriter=writer(bucket), MaxConcurrency=1)

    # WHEN its second item fails
    ended = machines.run(definition, ITEMS)

    # THEN the results up to the failure are exported, and the third item has not started
    keys = [found["Key"] for found in emulator.client("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    assert [key.rpartition("/")[2] for key in keys] == ["FAILED_0.json", "SUCCEEDED_0.json", "manifest.json"]
    (run,) = machines.client.list_map_runs(executionArn=ended["executionArn"])["mapRuns"]
    described = machines.client.describe_map_run(mapRunArn=run["mapRunArn"])
    assert described["status"] == "FAILED"
    counts = described["itemCounts"]
    assert [counts[name] for name in ("total", "succeeded", "failed", "pending", "resultsWritten")] == [3, 1, 1, 1, 2]


def test_missing_bucket_fails_the_export(machines: StateMachines) -> None:
    # GIVEN a Distributed Map that exports to a bucket that does not exist
    definition = distributed(ResultWriter=writer(f"bucket-{uuid4()}"))

    # WHEN it runs
    ended = machines.run(definition, [ITEMS[0]])

    # THEN the execution fails with AWS's error
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ResultWriterFailed")


def test_child_executions_are_listed_and_described(machines: StateMachines) -> None:
    # GIVEN a Map Run that has ended
    ended = machines.run(distributed(ToleratedFailureCount=1), ITEMS)
    (run,) = machines.client.list_map_runs(executionArn=ended["executionArn"])["mapRuns"]

    # WHEN its child executions are listed, and one is described
    children = machines.client.list_executions(mapRunArn=run["mapRunArn"])["executions"]
    failed = machines.client.list_executions(mapRunArn=run["mapRunArn"], statusFilter="FAILED")["executions"]
    described = machines.client.describe_execution(executionArn=failed[0]["executionArn"])

    # THEN each child execution belongs to the Map Run
    assert sorted(child["status"] for child in children) == ["FAILED", "SUCCEEDED", "SUCCEEDED"]
    assert {(child["mapRunArn"], child["itemCount"]) for child in children} == {(run["mapRunArn"], 1)}
    assert (described["error"], json.loads(described["input"])) == ("Bad", ITEMS[1])


def test_map_run_is_aborted_with_its_execution(machines: StateMachines) -> None:
    # GIVEN a Map Run with a running child execution and a pending child execution
    machine = machines.create(distributed(WAIT, MaxConcurrency=1))
    client = machines.client
    arn = client.start_execution(stateMachineArn=machine, input="[1, 2]")["executionArn"]

    def running() -> Any:
        runs = client.list_map_runs(executionArn=arn)["mapRuns"]
        found = [run["mapRunArn"] for run in runs]
        return [run for run in found if client.describe_map_run(mapRunArn=run)["itemCounts"]["running"]]

    (run,) = eventually(running)

    # WHEN the execution is stopped
    client.stop_execution(executionArn=arn)

    # THEN the Map Run is aborted at once
    described = client.describe_map_run(mapRunArn=run)
    counts = described["itemCounts"]
    assert described["status"] == "ABORTED"
    assert [counts[name] for name in ("total", "running", "aborted", "pending")] == [2, 0, 1, 1]
