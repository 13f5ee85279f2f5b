"""`ResultWriter`: formats the results of a Distributed Map and writes them to S3.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

import datetime
import json
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.utils.boto_client import boto_client_for

from sagelocal.services.stepfunctions.map_runs import RUNNING, SUCCEEDED, Child, MapRun
from sagelocal.services.stepfunctions.state_failures import as_exception, failure

FILES = ("FAILED", "PENDING", "SUCCEEDED")  # first part of the result files' names


def export(env: Any, run: MapRun, writer: dict[str, Any], location: dict[str, Any]) -> dict[str, Any]:
    """Write the result files and their manifest to S3, and return the output of the Map state.

    Parameters
    ----------
    env
        moto's environment of the Map state.
    run
        Map Run whose results are written.
    writer
        The state's `ResultWriter` field.
    location
        Evaluated `Bucket` and `Prefix` of the files.

    Raises
    ------
    FailureEventException
        If S3 rejects a file. The error name is `States.ResultWriterFailed`, as on AWS.
    """
    config = writer.get("WriterConfig", {})
    prefix = str(location.get("Prefix") or "").rstrip("/")
    folder = f"{prefix}/{_identifier(run)}" if prefix else _identifier(run)
    bucket = location["Bucket"]
    client = boto_client_for(region=env.aws_execution_details.region, service="s3")
    files: dict[str, list[dict[str, Any]]] = {name: [] for name in FILES}
    try:
        for name, children in _by_file(run).items():
            results = transform(run, children, config.get("Transformation", "NONE"))
            key = f"{folder}/{name}_0.{config.get('OutputType', 'JSON').lower()}"
            with tempfile.TemporaryFile() as file:
                for part in formatted(results, config.get("OutputType", "JSON")):
                    file.write(part.encode())
                size = file.tell()
                file.seek(0)
                client.put_object(Bucket=bucket, Key=key, Body=file)
            files[name].append({"Key": key, "Size": size})
        manifest = {"DestinationBucket": bucket, "MapRunArn": run.arn, "ResultFiles": files}
        client.put_object(Bucket=bucket, Key=f"{folder}/manifest.json", Body=json.dumps(manifest).encode())
    except ClientError as error:
        event = HistoryEventType.MapRunFailed
        raise as_exception(failure(env, event, error="States.ResultWriterFailed", cause=str(error))) from error
    run.results_written = True
    return {"MapRunArn": run.arn, "ResultWriterDetails": {"Bucket": bucket, "Key": f"{folder}/manifest.json"}}


def transform(run: MapRun, children: Iterable[Child], transformation: str) -> Iterator[Any]:
    """Yield the results of child executions. Unsuccessful ones have the format of the transformation `NONE`."""
    for child in children:
        if transformation == "NONE" or child.output is None:
            yield dict(_members(run, child))
            continue
        output = json.loads(run.texts[child.output])
        yield from output if transformation == "FLATTEN" and isinstance(output, list) else [output]


def formatted(results: Iterable[Any], output_type: str) -> Iterator[str]:
    """Yield pieces of text that together are the results as a JSON array or as JSON Lines."""
    start, separator, end = ("", "\n", "") if output_type == "JSONL" else ("[", ", ", "]")
    yield start
    for number, result in enumerate(results):
        yield (separator if number else "") + json.dumps(result)
    yield end


def _by_file(run: MapRun) -> dict[str, list[Child]]:
    groups: dict[str, list[Child]] = {}
    for _, child in sorted(run.children.items()):
        name = {SUCCEEDED: "SUCCEEDED", RUNNING: "PENDING"}.get(child.status, "FAILED")
        groups.setdefault(name, []).append(child)
    return groups


def _members(run: MapRun, child: Child) -> Iterator[tuple[str, Any]]:
    """Yield the name and value of each field of a child execution in a result file, sorted by name."""
    if child.error is not None:
        yield "Cause", child.cause or ""
        yield "Error", child.error
    yield "ExecutionArn", child.arn
    yield "Input", run.texts[child.input]
    yield "InputDetails", {"Included": True}
    yield "Name", child.name
    if child.output is not None:
        yield "Output", run.texts[child.output]
        yield "OutputDetails", {"Included": True}
    yield "StartDate", _iso(child.start_date)
    yield "StateMachineArn", run.machine_arn
    yield "Status", child.status
    if child.stop_date is not None:
        yield "StopDate", _iso(child.stop_date)


def _identifier(run: MapRun) -> str:
    return run.arn.rpartition(":")[2]


def _iso(time: datetime.datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
