"""Show the progress of a training job until the job ends, and read the job's metrics."""

import contextlib
import io
import json
import re
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import OperatorError
from common.s3 import sibling_url, split_url

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
POLL_SECONDS = 1.0
BUILT_IN_ACCURACY = "validation:accuracy"  # metric that SageMaker reads from the built-in algorithm's log
BUILT_IN_PROGRESS = re.compile(r"\bEpoch\[\d+\] (Train|Validation)-accuracy=")
MAX_METRICS_BYTES = 64 * 2**20


class TrainingFailedError(OperatorError):
    """A training job ended without a model, or without metrics."""


class MemberMissingError(TrainingFailedError):
    """The archive with a training job's output does not contain a file."""


@dataclass(frozen=True)
class TrainingJob:
    """A completed training job.

    Attributes
    ----------
    name, arn : the job's name and ARN
    model_data_url : S3 URL of the job's model.tar.gz
    seconds : training time
    metrics : content of the job's metrics.json, or the metrics that SageMaker read from the built-in algorithm's log
    best_of : number of training jobs from which a tuning job selected this job by its validation accuracy; 1 if there
        was no tuning job
    """

    name: str
    arn: str
    model_data_url: str
    seconds: int
    metrics: Mapping[str, Any]
    best_of: int = 1


def follow(name: str, *, sagemaker: Any, logs: Any, report: Callable[[str], object] = print) -> dict[str, Any]:
    """Report a job's status and progress until it ends.

    Parameters
    ----------
    sagemaker, logs : clients of SageMaker and of CloudWatch Logs
    report : function that is called with each line of text

    Returns
    -------
    dict
        The job's description, as DescribeTrainingJob returns it.

    Raises
    ------
    TrainingFailedError
        The job failed or was stopped; the message contains the reason that SageMaker gives.
    KeyboardInterrupt
        The operator interrupted the command; the message says that the job continues.
    """
    with job_continues(f"training job {name}", f"stop-training-job --training-job-name {name}"):
        return _follow(name, sagemaker=sagemaker, logs=logs, report=report)


@contextlib.contextmanager
def job_continues(job: str, stop: str) -> Iterator[None]:
    """If the operator interrupts the command in this context, raise an error that says how to stop the job.

    Parameters
    ----------
    job : kind and name of the job, such as `training job scones-dev-1`
    stop : subcommand of `aws sagemaker` that stops the job, with its options
    """
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"{job} continues and is billed until it ends: run the same command again to follow it, or "
            f"`aws sagemaker {stop}` to stop it"
        ) from None


def _follow(name: str, *, sagemaker: Any, logs: Any, report: Callable[[str], object]) -> dict[str, Any]:
    tail = LogTail(logs, name)
    shown = 0
    while True:
        description: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=name)
        for transition in description.get("SecondaryStatusTransitions", [])[shown:]:
            report(f"{transition['Status']}: {transition.get('StatusMessage', '')}"[:200])
            shown += 1
        for line in tail.read():
            if progress := format_progress(line):
                report(f"  {progress}")
        if description["TrainingJobStatus"] == "Completed":
            return description
        if description["TrainingJobStatus"] in ("Failed", "Stopped"):
            reason = description.get("FailureReason", "it was stopped")
            raise TrainingFailedError(
                f"training job {name} failed: {reason} (see log group {LOG_GROUP}, streams {name}/)"
            )
        time.sleep(POLL_SECONDS)


def format_progress(line: str) -> str | None:
    """Return the text that is printed for a log line, or None if the line does not show progress.

    An event that this project's training code logs (training/container/classifier/events.py) is formatted. A line of
    the built-in algorithm with an accuracy is returned unchanged.

    Examples
    --------
    >>> format_progress('{"event": "epoch", "epoch": 1, "epochs": 12, "validation_accuracy": 0.91}')
    'epoch 1/12: validation accuracy 0.91'
    """
    if BUILT_IN_PROGRESS.search(line):
        return line
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    if not isinstance(fields, dict) or "event" not in fields:
        return None
    event = str(fields.pop("event")).replace("_", " ")
    if {"epoch", "epochs"} <= fields.keys():
        event = f"{event} {fields.pop('epoch')}/{fields.pop('epochs')}"
    values = (f"{name.replace('_', ' ')} {value}" for name, value in fields.items())
    return f"{event}: {', '.join(values)}"


class LogTail:
    """Reads new lines from the log of a job's first host.

    If a spot instance is interrupted, the job continues in a new log stream, so each call reads the newest stream.
    """

    def __init__(self, logs: Any, name: str) -> None:
        self._logs = logs
        self._prefix = f"{name}/algo-1-"
        self._stream: str | None = None
        self._token: dict[str, str] = {}

    def read(self) -> list[str]:
        """Return the lines logged since the last call, or an empty list if the container is not running yet."""
        try:
            newest = self._newest_stream()
            if newest != self._stream:
                self._stream, self._token = newest, {}
            return self._read(newest) if newest else []
        except self._logs.exceptions.ResourceNotFoundException:
            return []

    def _newest_stream(self) -> str | None:
        found = self._logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=self._prefix)
        names = [stream["logStreamName"] for stream in found["logStreams"]]
        # the streams are sorted by name, which ends in the start time, so the last stream is the newest
        return names[-1] if names else None

    def _read(self, stream: str) -> list[str]:
        lines: list[str] = []
        while True:
            page = self._logs.get_log_events(
                logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True, **self._token
            )
            lines += [event["message"] for event in page["events"]]
            token = {"nextToken": page["nextForwardToken"]}
            if token == self._token or not page["events"]:
                self._token = token
                return lines
            self._token = token


def read_result(description: Mapping[str, Any], *, validation_images: int, s3: Any) -> TrainingJob:
    """Return a completed job with its metrics.

    Parameters
    ----------
    description : the job's description, as DescribeTrainingJob returns it
    validation_images : number of validation images, by which the accuracy is multiplied to count correct predictions

    Raises
    ------
    TrainingFailedError
        The job wrote no metrics.
    """
    model = description["ModelArtifacts"]["S3ModelArtifacts"]
    return TrainingJob(
        name=description["TrainingJobName"],
        arn=description["TrainingJobArn"],
        model_data_url=model,
        seconds=description.get("TrainingTimeInSeconds", 0),
        metrics=read_metrics(description, model, validation_images, s3),
    )


def read_metrics(description: Mapping[str, Any], model: str, validation_images: int, s3: Any) -> Mapping[str, Any]:
    """Return a job's metrics, with the validation accuracy.

    The built-in algorithm's metrics are in the job's description. This project's training code writes metrics.json.
    """
    final = {metric["MetricName"]: metric["Value"] for metric in description.get("FinalMetricDataList", [])}
    if BUILT_IN_ACCURACY in final:
        correct = round(final[BUILT_IN_ACCURACY] * validation_images)
        return {"validation": {"n": validation_images, "correct": correct, "accuracy": correct / validation_images}}
    url = sibling_url(model, "output.tar.gz")
    bucket, key = split_url(url)
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        raise TrainingFailedError(f"the training job wrote no metrics: {url} is missing") from None
    found: Mapping[str, Any] = json.loads(read_member(body, "metrics.json"))
    return found


def read_member(archive: bytes, name: str) -> bytes:
    """Return the content of one file in a `tar.gz` archive, without unpacking the archive to disk.

    Parameters
    ----------
    archive : content of the archive
    name : path of the file in the archive

    Raises
    ------
    MemberMissingError
        The file is missing from the archive.
    TrainingFailedError
        The file is larger than MAX_METRICS_BYTES.
    """
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for member in members:
            if member.name.removeprefix("./") == name and (stream := members.extractfile(member)):
                if member.size > MAX_METRICS_BYTES:
                    raise TrainingFailedError(
                        f"{name} in the training job's output must have at most {MAX_METRICS_BYTES:,} bytes "
                        f"(got {member.size:,})"
                    )
                return stream.read()
    raise MemberMissingError(f"the training job's output has no {name}")
