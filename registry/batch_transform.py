"""Batch transform: predictions of a registered model for every image below an S3 prefix."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from common.errors import OperatorError
from common.probabilities import is_probability
from common.s3 import THREADS, list_objects
from common.terminal import progress_bar
from registry.predictions import Predictions
from registry.transform_log import LOG_GROUP, read_reasons

CONTENT_TYPE = "application/x-image"  # a job has one content type for all its objects: PNG and JPEG share this one
POLL_SECONDS = (0.5, 5.0)  # first and longest pause between two polls of a job
MAX_PREDICTION_BYTES = 2**16
MAX_LOG_DELAY = 30.0  # maximum wait for the log of a failed job in seconds, because CloudWatch Logs may be delayed


class TransformJobError(OperatorError):
    """A batch transform job could not be created or run."""


@dataclass(frozen=True)
class TransformConfig:
    """Settings that all batch transform jobs of an environment share.

    Attributes
    ----------
    name_prefix : prefix of the job names, without the dash that follows the prefix
    bucket : name of the bucket of the images and predictions
    output_prefix : key prefix of the predictions, the only prefix below which the job's role may write
    kms_key_arn : ARN of the KMS key that encrypts the predictions
    tags : cost allocation tags
    network : network parameters of CreateModel; empty if the environment has no VPC
    """

    name_prefix: str
    bucket: str
    output_prefix: str
    role_arn: str
    kms_key_arn: str
    instance_type: str
    tags: Mapping[str, str]
    network: Mapping[str, Any]


@dataclass(frozen=True)
class TransformJob:
    """A batch transform job before it is created.

    Attributes
    ----------
    name : name of the job and of the temporary SageMaker model that the job uses
    prefix : key prefix of the images, with a slash at the end
    keys : keys of the images
    """

    config: TransformConfig
    name: str
    prefix: str
    keys: tuple[str, ...]

    @property
    def output_prefix(self) -> str:
        """Key prefix of this job's predictions."""
        return f"{self.config.output_prefix}/{self.name}/"

    def output_key(self, key: str) -> str:
        """Return the key at which SageMaker stores an image's prediction."""
        return f"{self.output_prefix}{key.removeprefix(self.prefix)}.out"


def parse_prefix(text: str, bucket: str) -> str:
    """Return the key prefix that `text` names, either as a folder in `bucket` or as an S3 URL.

    Raises
    ------
    OperatorError
        The prefix is empty, or the URL names another bucket, which the job's role cannot read.
    """
    named, _, prefix = text.removeprefix("s3://").partition("/") if text.startswith("s3://") else (bucket, "", text)
    if named != bucket:
        raise OperatorError(f"INPUT must be in s3://{bucket}, the only bucket that the job may read (got {text})")
    if not prefix.strip("/"):
        raise OperatorError(f"INPUT must name a folder in s3://{bucket}, such as INPUT=test (got {text!r})")
    return prefix


def prepare_job(config: TransformConfig, prefix: str, *, s3: Any) -> TransformJob:
    """List the images below a prefix, and choose a unique job name.

    Raises
    ------
    TransformJobError
        There are no objects below the prefix.
    """
    prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
    keys = tuple(key for key in list_keys(config.bucket, prefix, s3=s3) if not key.endswith("/"))
    if not keys:
        raise TransformJobError(f"there are no objects below s3://{config.bucket}/{prefix}")
    return TransformJob(config, f"{config.name_prefix}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}", prefix, keys)


def run_job(
    job: TransformJob, model_package_arn: str, *, class_count: int, sagemaker: Any, s3: Any, logs: Any
) -> Predictions:
    """Run a batch transform job, wait for it, and read its predictions.

    Parameters
    ----------
    class_count : number of probabilities in a prediction
    sagemaker, s3, logs : boto3 clients

    Returns
    -------
    Predictions
        A prediction or an error for each image, even if the job failed.

    Raises
    ------
    TransformJobError
        A request to SageMaker or S3 was refused.
    """
    try:
        with temporary_model(job, model_package_arn, sagemaker=sagemaker), running_job(job, sagemaker=sagemaker):
            description = wait(job, sagemaker=sagemaker, s3=s3)
        found = read_predictions(job, class_count, s3=s3)
    except ClientError as error:  # the message names the operation
        raise TransformJobError(f"transform job {job.name}: {error}") from error
    missing = [key for key, prediction in found.items() if prediction is None]
    reasons = wait_for_reasons(job, missing, is_failed=description["TransformJobStatus"] == "Failed", logs=logs)
    job_reason = description.get("FailureReason") or f"the job is {description['TransformJobStatus']}"
    default = f"{' '.join(job_reason.split())} (log group {LOG_GROUP}, streams {job.name}/)"
    return Predictions(
        {key: prediction for key, prediction in found.items() if isinstance(prediction, list)},
        {
            key: prediction or reasons.get(key, default)
            for key, prediction in found.items()
            if not isinstance(prediction, list)
        },
    )


@contextlib.contextmanager
def temporary_model(job: TransformJob, model_package_arn: str, *, sagemaker: Any) -> Iterator[None]:
    """Create the SageMaker model that the job uses, and delete the model on exit."""
    sagemaker.create_model(
        ModelName=job.name,
        ExecutionRoleArn=job.config.role_arn,
        PrimaryContainer={"ModelPackageName": model_package_arn},
        Tags=tag_list(job.config.tags),
        **job.config.network,
    )
    try:
        yield
    finally:
        sagemaker.delete_model(ModelName=job.name)


@contextlib.contextmanager
def running_job(job: TransformJob, *, sagemaker: Any) -> Iterator[None]:
    """Create the job, and stop it on an exception, so that a job for which nobody waits causes no further costs."""
    config = job.config
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{config.bucket}/{job.prefix}"}
    sagemaker.create_transform_job(
        TransformJobName=job.name,
        ModelName=job.name,
        TransformInput={"DataSource": {"S3DataSource": source}, "ContentType": CONTENT_TYPE},
        TransformOutput={
            "S3OutputPath": f"s3://{config.bucket}/{job.output_prefix.rstrip('/')}",
            "Accept": "application/json",
            "KmsKeyId": config.kms_key_arn,
        },
        TransformResources={"InstanceType": config.instance_type, "InstanceCount": 1},
        Tags=tag_list(config.tags),
    )
    try:
        yield
    except BaseException:
        with contextlib.suppress(ClientError):  # SageMaker refuses to stop a job that has already ended
            sagemaker.stop_transform_job(TransformJobName=job.name)
        raise


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags in the format of SageMaker's API."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def wait(job: TransformJob, *, sagemaker: Any, s3: Any, sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """Show the number of predictions until the job ends; return the job's description."""
    pause, longest = POLL_SECONDS
    with progress_bar(total=len(job.keys), desc="transforming", unit="image") as bar:
        while True:
            description: dict[str, Any] = sagemaker.describe_transform_job(TransformJobName=job.name)
            bar.update(sum(1 for _ in list_keys(job.config.bucket, job.output_prefix, s3=s3)) - bar.n)
            if description["TransformJobStatus"] not in ("InProgress", "Stopping"):
                return description
            sleep(pause)
            pause = min(pause * 1.5, longest)


def read_predictions(job: TransformJob, class_count: int, *, s3: Any) -> dict[str, list[float] | str | None]:
    """Return the result for each image, by the image's key.

    Returns
    -------
    dict
        For each image: its probabilities, the reason why its prediction is invalid, or None if the job wrote no
        prediction for the image.
    """
    bucket = job.config.bucket
    written = set(list_keys(bucket, job.output_prefix, s3=s3))

    def read(key: str) -> list[float] | str | None:
        if job.output_key(key) not in written:
            return None
        stored = s3.get_object(Bucket=bucket, Key=job.output_key(key))
        return parse_prediction(stored["Body"].read(MAX_PREDICTION_BYTES), class_count)

    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(job.keys, pool.map(read, job.keys), strict=True))


def wait_for_reasons(
    job: TransformJob,
    keys: Sequence[str],
    *,
    is_failed: bool,
    logs: Any,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, str]:
    """Return the reasons why images have no prediction, by the image's key.

    If the job failed, wait at most `MAX_LOG_DELAY` seconds until the log contains a reason for each image.

    Parameters
    ----------
    keys : keys of the images that have no prediction
    is_failed : whether the job failed
    """
    pause, longest = POLL_SECONDS
    deadline = clock() + MAX_LOG_DELAY
    while True:
        reasons = read_reasons(job.name, job.config.bucket, set(keys), logs=logs) if keys else {}
        if len(reasons) == len(keys) or not is_failed or clock() > deadline:
            return reasons
        sleep(pause)
        pause = min(pause * 1.5, longest)


def parse_prediction(content: bytes, class_count: int) -> list[float] | str:
    """Return the probabilities of a prediction, or an error message if the prediction is invalid."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or len(values) != class_count or not all(map(is_probability, values)):
        return f"the prediction is not a list of {class_count} probabilities"
    return [float(value) for value in values]


def list_keys(bucket: str, prefix: str, *, s3: Any) -> Iterator[str]:
    """Return the keys below a prefix."""
    return (stored["Key"] for stored in list_objects(bucket, prefix, s3=s3))
