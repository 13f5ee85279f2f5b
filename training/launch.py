"""Launch a training job through the SageMaker SDK, follow it, and fetch what it measured."""

import io
import json
import logging
import os
import re
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError

HERE = Path(__file__).resolve().parent
CONTAINER = HERE / "container"
SPLITS = ("train", "validation")
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
POLL_SECONDS = 1.0
RECENT = 20  # jobs among which one is looked for
FINGERPRINT = "SCONES_FINGERPRINT"
MAX_SECONDS = 3600  # after which the job is stopped: nothing may train, and bill, for ever
MAX_METRICS_BYTES = 64 * 2**20
# Of the log, what the trainer itself says; all of it stays in CloudWatch
SHOWN = re.compile(r"^(epoch=|error:|\d+ images to train on)")
METRICS = {
    name: rf"{name}=([0-9.eE+-]+)"
    for name in ("train_accuracy", "train_loss", "validation_accuracy", "validation_loss")
}


class LaunchError(Exception):
    """The job cannot be started."""


class TrainingFailedError(Exception):
    """The job ended without a model."""


@dataclass(frozen=True)
class TrainingJob:
    """A job that has ended well.

    Attributes
    ----------
    name, arn : of the job
    model_data_url : s3 address of its model.tar.gz
    seconds : that it trained, and is billed for
    metrics : what the container wrote to metrics.json
    """

    name: str
    arn: str
    model_data_url: str
    seconds: int
    metrics: Mapping[str, Any]


def launch(
    *,
    image: str,
    role_arn: str,
    bucket: str,
    region: str,
    instance_type: str,
    name: str,
    hyperparameters: Mapping[str, Any],
    fingerprint: str,
) -> str:
    """Start a job on the staged data of `bucket`.

    Parameters
    ----------
    image : URI of AWS's PyTorch training image
    name : first part of the job's name
    hyperparameters : see container/settings.py
    fingerprint : names what the job's model comes from, so that `find` can find the job

    Returns
    -------
    str
        The job's name.

    Raises
    ------
    LaunchError
        SageMaker refuses it; the message says what to do.
    """
    trainer = make_trainer(image, role_arn, bucket, region, instance_type, name).with_metric_definitions(
        metric_definitions()
    )
    trainer.hyperparameters = {key: str(value) for key, value in hyperparameters.items()}
    trainer.environment = {FINGERPRINT: fingerprint}
    try:
        trainer.train(input_data_config=channels(bucket), wait=False, logs=False)
    except ClientError as error:
        raise LaunchError(explain(error)) from error
    started: str = trainer._latest_training_job.training_job_name
    return started


def make_trainer(image: str, role_arn: str, bucket: str, region: str, instance_type: str, name: str) -> Any:
    """The SDK's trainer, in script mode, with the code in `container/`."""
    for variable in ("SAGEMAKER_USER_CONFIG_OVERRIDE", "SAGEMAKER_ADMIN_CONFIG_OVERRIDE"):
        os.environ.setdefault(variable, str(HERE / "sagemaker_config.yaml"))
    # two seconds and a gigabyte of packages: imported only by whoever trains
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.shapes import StoppingCondition
    from sagemaker.core.training.configs import Compute, OutputDataConfig, SourceCode
    from sagemaker.train import ModelTrainer

    for noisy in ("sagemaker.config", "sagemaker.core.utils.utils", "sagemaker.train"):
        logging.getLogger(noisy).setLevel(logging.ERROR)  # what it says there, this command says in its own words
    return ModelTrainer(
        sagemaker_session=Session(boto_session=boto3.Session(region_name=region), default_bucket=bucket),
        role=role_arn,
        base_job_name=name,
        input_s3_key_prefix="models",
        training_image=image,
        source_code=SourceCode(
            source_dir=str(CONTAINER),
            entry_script="train.py",
            requirements="requirements.txt",
            ignore_patterns=["__pycache__", ".mypy_cache", ".ruff_cache"],
        ),
        compute=Compute(instance_type=instance_type, instance_count=1),
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/models"),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=MAX_SECONDS),
    )


def channels(bucket: str) -> list[Any]:
    """The four input channels: images and manifest of each split."""
    from sagemaker.core.training.configs import InputData

    return [
        InputData(channel_name=split + suffix, data_source=f"s3://{bucket}/{split}{end}")
        for split in SPLITS
        for suffix, end in (("", "/"), ("_lst", ".lst"))
    ]


def metric_definitions() -> list[Any]:
    """How SageMaker finds the figures of each epoch in the log."""
    from sagemaker.core.shapes import MetricDefinition

    return [MetricDefinition(name=name, regex=regex) for name, regex in METRICS.items()]


def find(name: str, fingerprint: str, *, sagemaker: Any) -> str | None:
    """A job that is under way or done for the same model, so that nothing is trained, and billed, twice.

    Parameters
    ----------
    name : first part of the job's name
    """
    listed = sagemaker.list_training_jobs(
        NameContains=name, SortBy="CreationTime", SortOrder="Descending", MaxResults=RECENT
    )["TrainingJobSummaries"]
    for job in listed:
        if job["TrainingJobStatus"] in ("InProgress", "Completed"):
            found: str = job["TrainingJobName"]
            described = sagemaker.describe_training_job(TrainingJobName=found)
            if described.get("Environment", {}).get(FINGERPRINT) == fingerprint:
                return found
    return None


def explain(error: ClientError) -> str:
    """One line on why SageMaker refused, and what to do."""
    said = error.response["Error"].get("Message", str(error))
    if error.response["Error"].get("Code") == "ResourceLimitExceeded":
        return f"{said} Ask for more under Service Quotas, SageMaker, or set another training_instance_type."
    return f"SageMaker refuses the job: {said}"


def follow(name: str, *, sagemaker: Any, logs: Any, say: Callable[[str], object] = print) -> dict[str, Any]:
    """Tell of a job until it ends.

    Parameters
    ----------
    sagemaker, logs : clients
    say : is given each line

    Returns
    -------
    dict
        The job's description.

    Raises
    ------
    TrainingFailedError
        It failed, or was stopped; the message has SageMaker's reason.
    """
    tail = LogTail(logs, name)
    shown = 0
    while True:
        description: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=name)
        for transition in description.get("SecondaryStatusTransitions", [])[shown:]:
            say(f"{transition['Status']}: {transition.get('StatusMessage', '')}"[:200])
            shown += 1
        for line in tail.read():
            if SHOWN.match(line):
                say(f"  {line}")
        if description["TrainingJobStatus"] == "Completed":
            return description
        if description["TrainingJobStatus"] in ("Failed", "Stopped"):
            reason = description.get("FailureReason", "it was stopped")
            raise TrainingFailedError(f"training job {name} has no model: {reason} (its log: {LOG_GROUP}, {name}/)")
        time.sleep(POLL_SECONDS)


class LogTail:
    """The log of a job's container, from where it was last read."""

    def __init__(self, logs: Any, name: str) -> None:
        self._logs = logs
        self._prefix = f"{name}/"
        self._stream: str | None = None
        self._token: dict[str, str] = {}

    def read(self) -> list[str]:
        """Lines since the last time; none before the container runs."""
        try:
            if self._stream is None:
                self._stream = self._find()
            return self._read(self._stream) if self._stream else []
        except self._logs.exceptions.ResourceNotFoundException:
            return []

    def _find(self) -> str | None:
        found = self._logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=self._prefix)
        names = [stream["logStreamName"] for stream in found["logStreams"]]
        return names[0] if names else None

    def _read(self, stream: str) -> list[str]:
        lines: list[str] = []
        while True:
            answer = self._logs.get_log_events(
                logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True, **self._token
            )
            lines += [event["message"] for event in answer["events"]]
            token = {"nextToken": answer["nextForwardToken"]}
            if token == self._token or not answer["events"]:
                self._token = token
                return lines
            self._token = token


def result(description: Mapping[str, Any], *, s3: Any) -> TrainingJob:
    """What a completed job left.

    Raises
    ------
    TrainingFailedError
        It left no metrics.
    """
    model = description["ModelArtifacts"]["S3ModelArtifacts"]
    address = urlsplit(model.removesuffix("model.tar.gz") + "output.tar.gz")
    body = s3.get_object(Bucket=address.netloc, Key=address.path.lstrip("/"))["Body"].read()
    return TrainingJob(
        name=description["TrainingJobName"],
        arn=description["TrainingJobArn"],
        model_data_url=model,
        seconds=description.get("TrainingTimeInSeconds", 0),
        metrics=json.loads(read_member(body, "metrics.json")),
    )


def read_member(archive: bytes, name: str) -> bytes:
    """One file of a `tar.gz`, never unpacked to disk.

    Raises
    ------
    TrainingFailedError
        It is not there, or larger than metrics can be.
    """
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for member in members:
            if member.name.removeprefix("./") == name and member.isfile() and member.size <= MAX_METRICS_BYTES:
                stream = members.extractfile(member)
                if stream:
                    return stream.read()
    raise TrainingFailedError(f"the job left no {name} in its output")
