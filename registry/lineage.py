"""Lineage of a prediction: model version, training job, code, accuracy, and training data with their checksums."""

import hashlib
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from common.errors import OperatorError
from common.s3 import THREADS, split_url
from common.terminal import WIDTH
from common.times import format_utc
from registry.model_registry import Version
from staging.checksum import content_md5
from staging.manifest import Manifest

INDENT = 17
CHUNK_BYTES = 2**20
MAX_MANIFEST_BYTES = 2**28
MAX_NAMES_SHOWN = 5

Rows = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Prediction:
    """The prediction of a state machine execution.

    Attributes
    ----------
    execution_arn : ARN of the execution
    status : status of the execution; the name of the error if the execution failed
    model_version : name of the model version that classified the image
    key : S3 key of the image
    probabilities : class probabilities, in the order of the model's classes
    """

    execution_arn: str
    status: str
    model_version: str
    key: str
    probabilities: list[float]


def read_training_manifest(version: Version, *, s3: Any) -> Manifest:
    """Read the manifest of a version's training data, and verify its checksum against the registry.

    Raises
    ------
    OperatorError
        The manifest is missing, has changed since the registration, or cannot be parsed.
    """
    url = version.properties.get("manifest")
    if url is None:
        raise OperatorError(f"{version.name} was registered without a manifest of its training data")
    bucket, key = split_url(url)
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read(MAX_MANIFEST_BYTES)
    except s3.exceptions.NoSuchKey:
        raise OperatorError(f"the manifest of {version.name} is missing: {url}") from None
    if content_md5(body) != version.properties["manifest_md5"]:
        raise OperatorError(f"the manifest of {version.name} has changed since its registration: {url}")
    try:
        return Manifest.model_validate_json(body)
    except ValidationError as error:
        raise OperatorError(
            f"the manifest of {version.name} was written by another version of this code: {url}"
        ) from error


def prediction_rows(prediction: Prediction, classes: Sequence[str]) -> Rows:
    """Yield rows about the prediction and its execution."""
    confidence = max(prediction.probabilities)
    predicted = classes[prediction.probabilities.index(confidence)]
    yield "prediction", f"{predicted} with confidence {confidence:.4f} for {prediction.key}"
    yield "", f"{prediction.status}, by {prediction.model_version}"
    yield "", prediction.execution_arn


def model_rows(version: Version, in_use: bool) -> Rows:
    """Yield rows about the model version in the registry."""
    status = f"{version.status}{', in use' if in_use else ''}"
    yield "model", f"{version.name}, {status}, {format_utc(version.registered)} UTC"
    yield "", version.arn
    yield "", version.model_data_url
    yield "quality gate", version.gate_reason
    yield "approval", version.decision


def job_rows(job: Mapping[str, Any], version: Version) -> Rows:
    """Yield rows about the training job, its code and the accuracy of its model.

    Parameters
    ----------
    job : response of DescribeTrainingJob
    """
    resources = job["ResourceConfig"]
    ended, seconds = job.get("TrainingEndTime"), job.get("TrainingTimeInSeconds")
    yield "training job", f"{job['TrainingJobName']}, {job['TrainingJobStatus']}"
    if ended:
        yield "", f"{format_utc(job['TrainingStartTime'])} to {format_utc(ended)} UTC, {seconds or 0} s"
    yield "", f"{resources['InstanceCount']} x {resources['InstanceType']}"
    yield "", str(job["AlgorithmSpecification"].get("TrainingImage", "no image"))
    # the SageMaker SDK adds hyperparameters whose names contain "sagemaker_", and quotes the values of all others
    given = {key: str(value).strip('"') for key, value in job["HyperParameters"].items() if "sagemaker_" not in key}
    yield "hyperparameters", " ".join(f"{key}={value}" for key, value in sorted(given.items()))
    yield "code", version.properties.get("code", "unknown")
    yield "score", str(version.score)


def data_rows(manifest: Manifest, version: Version) -> Rows:
    """Yield rows about the training data."""
    yield "data", manifest.source
    yield "", f"archive MD5 {manifest.source_md5}, seed {manifest.seed}"
    for split, counts in manifest.splits.items():
        classes = counts.per_class
        shown = ", ".join(f"{name} {count}" for name, count in list(classes.items())[:MAX_NAMES_SHOWN])
        yield "", f"{split} {counts.count}: {shown}{', ...' if len(classes) > MAX_NAMES_SHOWN else ''}"
    if added := manifest.reviewed:
        sizes = ", ".join(f"{split} {size.count}" for split, size in added.splits.items())
        yield "", f"of these, {added.count} reviewed images of live traffic ({sizes}), SHA-256 {added.fingerprint}"
    objects = manifest.objects
    size = sum(stored.size for stored in objects.values())
    yield "", f"{len(objects)} objects, {size} bytes; the manifest has their MD5s:"
    yield "", version.properties["manifest"]


def format_rows(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the lines of the rows for the terminal; a line is longer than the terminal only if one word is."""
    for title, text in rows:
        yield from textwrap.wrap(
            text,
            WIDTH,
            initial_indent=f"{title:<{INDENT}}",
            subsequent_indent=" " * INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )


def verify_data(manifest: Manifest, bucket: str, *, s3: Any) -> str:
    """Compare the checksum of every object in the bucket with the manifest, and return a line for the terminal.

    Raises
    ------
    OperatorError
        An object is missing, or its content differs from the manifest.
    """
    objects = manifest.objects

    def is_unchanged(key: str) -> bool:
        try:
            body = s3.get_object(Bucket=bucket, Key=key)["Body"]
        except s3.exceptions.NoSuchKey:
            return False
        digest = hashlib.md5(usedforsecurity=False)
        for chunk in body.iter_chunks(CHUNK_BYTES):
            digest.update(chunk)
        return bool(digest.hexdigest() == objects[key].md5)

    with ThreadPoolExecutor(THREADS) as pool:
        changed = [key for key, same in zip(objects, pool.map(is_unchanged, objects), strict=True) if not same]
    if changed:
        raise OperatorError(
            f"{len(changed)} of {len(objects)} objects in s3://{bucket} are missing or have changed since the "
            f"training, for example {', '.join(changed[:MAX_NAMES_SHOWN])}"
        )
    return f"{'verified':<{INDENT}}all {len(objects)} objects in S3 are unchanged"
