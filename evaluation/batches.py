"""Start, follow and resume batch executions, and read their results."""

import hashlib
import json
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from common.aws import error_code, error_message
from common.errors import OperatorError
from common.s3 import THREADS, list_objects, split_url
from common.terminal import progress_bar

POLL_SECONDS = (0.5, 5.0)  # first and longest interval between two polls
# DescribeExecution is eventually consistent: for about this time after the start or the redrive of an execution, its
# response may be out of date.
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html
CONSISTENCY_SECONDS = 30.0
MAX_INPUT_BYTES = 256 * 1024  # https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MANIFEST_SUFFIXES = (".jsonl", ".csv")
MAX_ERRORS_SHOWN = 10
MAX_ERROR_LENGTH = 80  # maximum length of the message about a failed image, in characters
FAILED = "failed"
UNREADABLE = "States.ItemReaderFailed"  # a redrive does not help, because it reads the same manifest again


@dataclass(frozen=True)
class BatchConfig:
    """The resources of an environment for batch executions.

    Attributes
    ----------
    bucket : name of the bucket of images, manifests and results
    image_prefixes : key prefixes of images, without a trailing slash; a batch may only read keys below these prefixes
    batch_prefix : key prefix of results and manifests, without a trailing slash
    """

    environment: str
    state_machine_arn: str
    bucket: str
    image_prefixes: tuple[str, ...]
    batch_prefix: str

    def execution_arn(self, name: str) -> str:
        """Return the ARN of an execution, given its name or its ARN."""
        execution = self.state_machine_arn.replace(":stateMachine:", ":execution:")
        return name if name.startswith(f"{execution}:") else f"{execution}:{name}"


def prefix_input(prefix: str, config: BatchConfig, *, s3: Any) -> dict[str, Any]:
    """Return the execution's input for all objects below a key prefix or an S3 URL.

    Raises
    ------
    OperatorError
        The prefix is outside `image_prefixes`, or there are no objects below it.
    """
    key = _key("PREFIX", prefix, config).strip("/") + "/"
    if not key.startswith(tuple(f"{allowed}/" for allowed in config.image_prefixes)):
        allowed = ", ".join(config.image_prefixes)
        raise OperatorError(
            f"PREFIX must be one of {allowed}, or a folder below these, such as PREFIX=test (got {prefix!r})"
        )
    if next(list_objects(config.bucket, key, s3=s3), None) is None:
        raise OperatorError(f"there are no objects below s3://{config.bucket}/{key}: upload images, or change PREFIX")
    return {"prefix": key}


def manifest_input(manifest: str, config: BatchConfig, *, s3: Any) -> dict[str, Any]:
    """Return the execution's input for a manifest, which is either a local file or an object below `manifests/`.

    A local file is uploaded.

    Raises
    ------
    OperatorError
        The manifest has an unknown format, does not exist or is outside `manifests/`, or a local manifest has no keys.
    """
    folder = f"{config.batch_prefix}/manifests/"
    if not manifest.endswith(MANIFEST_SUFFIXES):
        formats = 'JSON Lines (.jsonl) of {"Key": "test/a.png"}, or CSV (.csv) with a column Key'
        raise OperatorError(f"MANIFEST must be {formats} (got {manifest!r})")
    path = Path(manifest)
    if path.is_file():
        with path.open("rb") as content:
            required_lines = 2 if path.suffix == ".csv" else 1  # a CSV file begins with the names of its columns
            if len(list(islice(filter(bytes.strip, content), required_lines))) < required_lines:
                raise OperatorError(f"MANIFEST must name at least one key, but {path} has none")
            content.seek(0)
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        key = f"{folder}{digest}{path.suffix}"
        s3.upload_file(str(path), config.bucket, key)
        return {"manifest": key}
    key = _key("MANIFEST", manifest, config)
    if not key.startswith(folder):
        raise OperatorError(f"MANIFEST must be a local file or an object below {folder} (got {manifest!r})")
    try:
        s3.head_object(Bucket=config.bucket, Key=key)
    except ClientError as error:
        if error_code(error) != "404":
            raise
        raise OperatorError(f"s3://{config.bucket}/{key} does not exist: correct MANIFEST") from error
    return {"manifest": key}


def keys_input(keys: str, config: BatchConfig) -> dict[str, Any]:
    """Return the execution's input for a list of keys.

    Parameters
    ----------
    keys : keys that are separated by spaces; a key that contains spaces is in quotes, as in a shell

    Raises
    ------
    OperatorError
        There are no keys, a quote is not closed, or the keys exceed Step Functions' limit.
    """
    try:
        found = [_key("KEYS", key, config) for key in shlex.split(keys)]
    except ValueError as error:
        raise OperatorError(f"KEYS must have a closing quote for each quote: {error} (got {keys!r:.100})") from error
    if not found:
        raise OperatorError("KEYS must name at least one key, such as KEYS='test/a.png test/b.png'")
    size = len(json.dumps({"keys": found}).encode())
    if size > MAX_INPUT_BYTES:
        raise OperatorError(
            f"KEYS must have at most {MAX_INPUT_BYTES} bytes (got {size}): write the keys to a manifest, one "
            '{"Key": "..."} per line, and set MANIFEST=keys.jsonl'
        )
    return {"keys": found}


def _key(name: str, text: str, config: BatchConfig) -> str:
    """Return the key that `text` contains, either as a key or as an S3 URL in the environment's bucket.

    Parameters
    ----------
    name : name of the command's option, for the error message
    """
    bucket, key = split_url(text) if text.startswith("s3://") else (config.bucket, text)
    if bucket != config.bucket:
        raise OperatorError(f"{name} must be in s3://{config.bucket}, the environment's bucket (got {text})")
    return key


def start(source: Mapping[str, Any], config: BatchConfig, *, states: Any) -> str:
    """Start an execution, and return its ARN."""
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    started = states.start_execution(stateMachineArn=config.state_machine_arn, name=name, input=json.dumps(source))
    return str(started["executionArn"])


def resume(name: str, config: BatchConfig, *, states: Any) -> tuple[str, datetime | None]:
    """Redrive an execution if it failed, timed out or was stopped.

    Returns
    -------
    tuple
        The execution's ARN, and the date of the redrive, or None if the execution was not redriven.

    Raises
    ------
    OperatorError
        The execution does not exist, or AWS refuses to redrive it.
    """
    arn = config.execution_arn(name)
    redriven = None
    try:
        if states.describe_execution(executionArn=arn)["status"] in ("FAILED", "TIMED_OUT", "ABORTED"):
            redriven = states.redrive_execution(executionArn=arn)["redriveDate"]
    except ClientError as error:
        if error_code(error) in ("ExecutionDoesNotExist", "InvalidArn"):
            raise OperatorError(
                f"batch execution {name!r} does not exist: set RESUME to the name that `make batch` printed"
            ) from error
        if error_code(error) != "ExecutionNotRedrivable":
            raise
        raise OperatorError(
            f"batch execution {name} cannot be resumed: {error_message(error)}. Start another one with "
            "PREFIX, MANIFEST or KEYS"
        ) from error
    return arn, redriven


def follow(
    arn: str,
    config: BatchConfig,
    *,
    redriven: datetime | None = None,
    states: Any,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Show the progress of an execution until it ends, and return its summary.

    Parameters
    ----------
    redriven : date of the redrive that `resume` returned, or None if the execution was not redriven

    Raises
    ------
    OperatorError
        The execution did not succeed.
    KeyboardInterrupt
        The command was interrupted. The execution continues, and the message says how to follow or stop it.
    """
    name = arn.rpartition(":")[2]
    command = f"make batch RESUME={name} ENV={config.environment}"
    try:
        description = _wait(arn, redriven, states=states, sleep=sleep)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(
            f"batch execution {name} continues: follow it with `{command}`, or stop it with "
            f"`aws stepfunctions stop-execution --execution-arn {arn}`"
        ) from interrupt
    if description["status"] != "SUCCEEDED":
        reason = f"{description.get('error', 'no error given')}: {description.get('cause', 'no cause given')}"
        is_unreadable = description.get("error") == UNREADABLE
        if is_unreadable and (manifest := json.loads(description["input"]).get("manifest")):
            advice = (
                f"The manifest s3://{config.bucket}/{manifest} cannot be read: correct it, and start another execution "
                f"with `make batch MANIFEST=... ENV={config.environment}`"
            )
        else:
            advice = f"Finished batches are kept: continue the execution with `{command}`"
        raise OperatorError(f"batch execution {name} is {description['status']} ({reason}). {advice}")
    summary: dict[str, Any] = json.loads(description["output"])
    return summary


def _wait(arn: str, redriven: datetime | None, *, states: Any, sleep: Callable[[float], None]) -> dict[str, Any]:
    """Show the number of finished images until the execution ends, and return its description.

    Until CONSISTENCY_SECONDS have passed, ignore that the execution does not exist, or ended before it was redriven.
    """
    interval, longest = POLL_SECONDS
    waited = 0.0
    with progress_bar(desc="classifying", unit="image") as bar:
        while True:
            may_be_stale = waited < CONSISTENCY_SECONDS
            try:
                description: dict[str, Any] = states.describe_execution(executionArn=arn)
                for run in states.list_map_runs(executionArn=arn)["mapRuns"]:
                    counts = states.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
                    bar.total = counts["total"]
                    bar.update(counts["succeeded"] + counts["failed"] - bar.n)
            except ClientError as error:
                if error_code(error) != "ExecutionDoesNotExist" or not may_be_stale:
                    raise
            else:
                is_stale = may_be_stale and not _includes(redriven, description)
                if description["status"] != "RUNNING" and not is_stale:
                    return description
            sleep(interval)
            waited += interval
            interval = min(interval * 1.5, longest)


def _includes(redriven: datetime | None, description: Mapping[str, Any]) -> bool:
    """Return whether the description of an execution is not older than its redrive."""
    return redriven is None or ("redriveDate" in description and description["redriveDate"] >= redriven)


def download(summary: Mapping[str, Any], path: Path, *, s3: Any) -> None:
    """Download the result lines of all images into one file, atomically."""
    bucket, prefix = split_url(summary["predictions"])
    keys = [stored["Key"] for stored in list_objects(bucket, prefix, s3=s3)]

    def read(key: str) -> bytes:
        content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    partial = path.with_name(f"{path.name}.partial")
    with ThreadPoolExecutor(THREADS) as pool, partial.open("wb") as target:
        # a few objects at a time, so that the memory does not grow with the number of images
        for start in range(0, len(keys), THREADS):
            target.writelines(pool.map(read, keys[start : start + THREADS]))
    partial.replace(path)


def describe(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a table that counts the images of each outcome, and the failed images of each error."""
    yield f"{'outcome':<60}{'images':>10}{'share':>10}"
    images = max(summary["images"], 1)
    for name in ("classified", "low-confidence", FAILED):
        yield f"{name:<60}{summary[name]:>10}{summary[name] / images:>10.1%}"
    yield from (f"  {name[:57]:<58}{count:>10}" for name, count in summary["errors"].items())


def check(summary: Mapping[str, Any], path: Path) -> None:
    """Check that every image has a prediction.

    Parameters
    ----------
    path : file with the result lines of all images

    Raises
    ------
    OperatorError
        At least one image failed. The message lists the first failed images.
    """
    if summary[FAILED]:
        shown = "; ".join(_first_errors(path))
        raise OperatorError(f"{summary[FAILED]} of {summary['images']} images failed, see {path}: {shown}")


def _first_errors(path: Path) -> Sequence[str]:
    """Return the keys and errors of the first failed images in a result file."""
    found: list[str] = []
    with path.open() as lines:
        for line in lines:
            image = json.loads(line)
            if image["outcome"] == FAILED:
                found.append(f"{image['key']}: {image['error']}"[:MAX_ERROR_LENGTH])
            if len(found) == MAX_ERRORS_SHOWN:
                break
    return found
