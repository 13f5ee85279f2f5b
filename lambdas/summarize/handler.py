"""Summarize: add up the counts of all batches, and write a result line for each image of the batches that failed.

The Distributed Map writes one line for each child execution to S3. The function streams these lines, and keeps only the
key of each batch in memory. It writes the result lines of failed batches to a temporary file, because each line repeats
the error message of its batch. The lines of the Distributed Map have this format:
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

import hashlib
import json
import logging
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import boto3

FAILED = "failed"
OUTCOMES = ("images", "classified", "low-confidence", FAILED)
FAILED_BATCHES = "failed-batches.jsonl"

s3 = boto3.client("s3")
logger = logging.getLogger()


class EventError(Exception):
    """The event does not have the expected format."""


def handler(event: Any, context: object) -> dict[str, Any]:
    """Write `<folder>/summary.json`, and `<folder>/predictions/failed-batches.jsonl` if a batch failed.

    Parameters
    ----------
    event : has the fields `bucket` (name), `manifest` (key of the manifest that the Map Run wrote), `folder` (key
        prefix of the execution's results) and `execution` (ARN)

    Returns
    -------
    dict
        The summary: `execution`, `predictions` (the S3 URI below which all result lines are), the number of `images`,
        the number of images with each outcome, and `errors` (the number of images with each error).

    Raises
    ------
    EventError
        A required field of the event is missing, empty or not a string.
    """
    bucket, manifest, folder = (field(event, name, str) for name in ("bucket", "manifest", "folder"))
    files = json.loads(s3.get_object(Bucket=bucket, Key=manifest)["Body"].read())["ResultFiles"]
    predictions = f"{folder}/predictions/"
    totals, errors, written = Counter[str](), Counter[str](), set[str]()
    for batch in succeeded(bucket, files):
        if batch["predictions"] not in written:
            written.add(batch["predictions"])
            totals.update({name: batch[name] for name in OUTCOMES})
            errors.update(batch["errors"])
    with tempfile.TemporaryFile() as body:
        for line in failed_lines(bucket, files, predictions, written):
            body.write(f"{json.dumps(line)}\n".encode())
            totals.update(("images", FAILED))
            errors[line["error"]] += 1
        if body.tell():
            body.seek(0)
            s3.put_object(Bucket=bucket, Key=f"{predictions}{FAILED_BATCHES}", Body=body)
    summary = {
        "execution": event.get("execution"),
        "predictions": f"s3://{bucket}/{predictions}",
        **{name: totals[name] for name in OUTCOMES},
        "errors": dict(errors.most_common()),
    }
    s3.put_object(Bucket=bucket, Key=f"{folder}/summary.json", Body=json.dumps(summary, indent=2).encode())
    logger.info("summarized batches", extra=summary)
    return summary


def succeeded(bucket: str, files: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the output of classify_batch for each child execution that succeeded."""
    for child in children(bucket, files.get("SUCCEEDED", [])):
        yield json.loads(child["Output"])


def failed_lines(
    bucket: str, files: Mapping[str, Any], predictions: str, written: set[str]
) -> Iterator[dict[str, Any]]:
    """Yield a result line for each image of the batches that failed or did not start.

    A batch that another child execution has classified is left out.
    """
    for child in children(bucket, [*files.get("FAILED", []), *files.get("PENDING", [])]):
        items = json.loads(child["Input"])["Items"]
        key = f"{predictions}{digest(items)}.jsonl"
        if key in written:
            continue
        written.add(key)
        for item in items:
            yield {
                "key": key_of(item),
                "outcome": FAILED,
                "error": child.get("Error") or child["Status"],
                "cause": child.get("Cause", ""),
            }


def key_of(item: Any) -> str:
    """Return an item's key in the format of classify_batch's result lines."""
    key = item.get("Key") if isinstance(item, Mapping) else item
    return key if isinstance(key, str) else f"{item!r:.100}"


def digest(items: list[Any]) -> str:
    """Return the hash that lambdas/classify_batch/handler.py uses in the key of a batch's result."""
    return hashlib.sha256(json.dumps(items).encode()).hexdigest()


def children(bucket: str, files: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the line of each child execution in the Map Run's result files, as a dictionary."""
    for file in files:
        for line in s3.get_object(Bucket=bucket, Key=file["Key"])["Body"].iter_lines():
            if line.strip():
                yield json.loads(line)


def field(event: Any, name: str, kind: type) -> Any:
    """Return a field of the event that must be a non-empty string or list."""
    value = event.get(name) if isinstance(event, Mapping) else None
    if not isinstance(value, kind) or not value:
        raise EventError(f"{name} must be a non-empty {kind.__name__} (got {value!r:.100})")
    return value
