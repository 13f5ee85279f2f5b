"""Batch transform: a model's probabilities for every image below an S3 prefix, joined to the images' keys."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from tqdm import tqdm

from common.probabilities import is_probability

FOLDER = "transform"  # below which the job writes: its role may write nowhere else
CONTENT_TYPE = "application/x-image"  # a PNG or a JPEG: one type holds for all objects of a job
POLLS = (0.5, 5.0)  # seconds between two looks at a job: at first, at most
THREADS = 8  # below botocore's default pool of 10 connections
MAX_ANSWER_BYTES = 2**16
LOG_GROUP = "/aws/sagemaker/TransformJobs"


class TransformError(Exception):
    """There are no answers."""


@dataclass(frozen=True)
class Batch:
    """What is to be answered.

    Attributes
    ----------
    name : of the job, and of the model that is made for it
    bucket, prefix : where the images lie; the prefix ends in a slash
    keys : of all objects there
    """

    name: str
    bucket: str
    prefix: str
    keys: tuple[str, ...]

    @property
    def output(self) -> str:
        """First part of the answers' keys; no other job's."""
        return f"{FOLDER}/{self.name}/"

    def output_of(self, key: str) -> str:
        """Where SageMaker puts an object's answer."""
        return f"{self.output}{key.removeprefix(self.prefix)}.out"


@dataclass(frozen=True)
class Answers:
    """What came back.

    Attributes
    ----------
    probabilities : in class order, by key
    failed : why there are none, by key
    """

    probabilities: Mapping[str, list[float]]
    failed: Mapping[str, str]


def find_batch(name: str, bucket: str, prefix: str, *, s3: Any) -> Batch:
    """Everything below a prefix.

    Raises
    ------
    TransformError
        There is nothing.
    """
    prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
    keys = tuple(key for key in list_keys(bucket, prefix, s3=s3) if not key.endswith("/"))
    if not keys:
        raise TransformError(f"there is nothing below s3://{bucket}/{prefix}")
    return Batch(name, bucket, prefix, keys)


def transform(
    batch: Batch,
    *,
    container: Mapping[str, Any],
    network: Mapping[str, Any],
    role_arn: str,
    kms_key_arn: str,
    instance_type: str,
    tags: Mapping[str, str],
    classes: int,
    sagemaker: Any,
    s3: Any,
) -> Answers:
    """Run one job from its start to its answers.

    Parameters
    ----------
    container : of the model: `ModelPackageName`, or `Image`, `ModelDataUrl` and `Environment`
    network : what CreateModel is told of it; empty for none
    kms_key_arn : encrypts the answers
    tags : by which what the job costs is told apart
    classes : how many probabilities an answer has

    Raises
    ------
    TransformError
        SageMaker refuses the job, or it ended without any answer.
    """
    tagged = [{"Key": key, "Value": value} for key, value in tags.items()]
    try:
        with (
            made_model(batch.name, container, network, role_arn, tagged, sagemaker=sagemaker),
            started_job(batch, kms_key_arn, instance_type, tagged, sagemaker=sagemaker),
        ):
            ended = follow(batch, sagemaker=sagemaker, s3=s3)
    except ClientError as error:
        raise TransformError(f"SageMaker refuses: {error.response['Error'].get('Message', error)}") from error
    reason = ended.get("FailureReason") or f"the job is {ended['TransformJobStatus']}"
    answers = read_answers(batch, classes, reason, s3=s3)
    if not answers.probabilities:
        raise TransformError(f"transform job {batch.name} has no answers: {reason} (its log: {LOG_GROUP})")
    return answers


@contextlib.contextmanager
def made_model(
    name: str,
    container: Mapping[str, Any],
    network: Mapping[str, Any],
    role_arn: str,
    tags: list[dict[str, str]],
    *,
    sagemaker: Any,
) -> Iterator[None]:
    """A model for one job, gone with it."""
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=role_arn, PrimaryContainer=container, Tags=tags, **network)
    try:
        yield
    finally:
        sagemaker.delete_model(ModelName=name)


@contextlib.contextmanager
def started_job(
    batch: Batch, kms_key_arn: str, instance_type: str, tags: list[dict[str, str]], *, sagemaker: Any
) -> Iterator[None]:
    """A job that is stopped, and billed no longer, where whoever waits for it gives up."""
    sagemaker.create_transform_job(
        TransformJobName=batch.name,
        ModelName=batch.name,
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{batch.bucket}/{batch.prefix}"}},
            "ContentType": CONTENT_TYPE,
        },
        TransformOutput={
            "S3OutputPath": f"s3://{batch.bucket}/{batch.output.rstrip('/')}",
            "Accept": "application/json",
            "KmsKeyId": kms_key_arn,
        },
        TransformResources={"InstanceType": instance_type, "InstanceCount": 1},
        Tags=tags,
    )
    try:
        yield
    except BaseException:
        with contextlib.suppress(ClientError):  # it has ended by itself
            sagemaker.stop_transform_job(TransformJobName=batch.name)
        raise


def follow(batch: Batch, *, sagemaker: Any, s3: Any, sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """Count a job's answers until it ends; its description."""
    pause, longest = POLLS
    with tqdm(total=len(batch.keys), desc="transforming", unit="image", ncols=80, disable=None) as bar:
        while True:
            described: dict[str, Any] = sagemaker.describe_transform_job(TransformJobName=batch.name)
            bar.update(sum(1 for _ in list_keys(batch.bucket, batch.output, s3=s3)) - bar.n)
            if described["TransformJobStatus"] not in ("InProgress", "Stopping"):
                return described
            sleep(pause)
            pause = min(pause * 1.5, longest)


def read_answers(batch: Batch, classes: int, reason: str, *, s3: Any) -> Answers:
    """Join the answers to their objects.

    Parameters
    ----------
    reason : why there is none for an object that has none
    """
    there = set(list_keys(batch.bucket, batch.output, s3=s3))

    def read(key: str) -> list[float] | str:
        if batch.output_of(key) not in there:
            return reason
        stored = s3.get_object(Bucket=batch.bucket, Key=batch.output_of(key))
        return parse(stored["Body"].read(MAX_ANSWER_BYTES), classes)

    with ThreadPoolExecutor(THREADS) as pool:
        found = dict(zip(batch.keys, pool.map(read, batch.keys), strict=True))
    return Answers(
        {key: answer for key, answer in found.items() if isinstance(answer, list)},
        {key: answer for key, answer in found.items() if isinstance(answer, str)},
    )


def parse(content: bytes, classes: int) -> list[float] | str:
    """An answer's probabilities, or what is wrong with it."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or len(values) != classes or not all(map(is_probability, values)):
        return f"the answer is no list of {classes} probabilities"
    return [float(value) for value in values]


def list_keys(bucket: str, prefix: str, *, s3: Any) -> Iterator[str]:
    """Keys that begin so."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for stored in page.get("Contents", ()):
            yield stored["Key"]
