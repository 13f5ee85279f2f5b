"""Follow a training job to its end, and fetch what it measured."""

import io
import json
import re
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
POLL_SECONDS = 1.0
BUILT_IN_ACCURACY = "validation:accuracy"  # of the last epoch; SageMaker reads it in the built-in algorithm's log
MAX_METRICS_BYTES = 64 * 2**20
# Of the log, what tells how far it is; all of it stays in CloudWatch
SHOWN = re.compile(
    r"epoch=|error:|\d+ images |pretraining epoch|the checkpoint |\d+ epochs were trained before"  # our own trainer
    r"|.*\bEpoch\[\d+\] (Train|Validation)-accuracy"  # the built-in algorithm
)


class TrainingFailedError(Exception):
    """The job ended without a model."""


@dataclass(frozen=True)
class TrainingJob:
    """A job that has ended well.

    Attributes
    ----------
    name, arn : of the job
    model_data_url : s3 address of its model.tar.gz
    seconds : that it trained
    metrics : what the container wrote to metrics.json, or what SageMaker read in the log
    best_of : jobs of a search among which its validation figure was the best; 1 where it was no search
    """

    name: str
    arn: str
    model_data_url: str
    seconds: int
    metrics: Mapping[str, Any]
    best_of: int = 1


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
    """The log of a job's first host, from where it was last read; begun again on a spot instance, it has another."""

    def __init__(self, logs: Any, name: str) -> None:
        self._logs = logs
        self._prefix = f"{name}/algo-1-"
        self._stream: str | None = None
        self._token: dict[str, str] = {}

    def read(self) -> list[str]:
        """Lines since the last time; none before the container runs."""
        try:
            newest = self._find()
            if newest != self._stream:
                self._stream, self._token = newest, {}
            return self._read(newest) if newest else []
        except self._logs.exceptions.ResourceNotFoundException:
            return []

    def _find(self) -> str | None:
        found = self._logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=self._prefix)
        names = [stream["logStreamName"] for stream in found["logStreams"]]
        # their names end in when they began
        return names[-1] if names else None

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


def result(description: Mapping[str, Any], *, validation_rows: int, s3: Any) -> TrainingJob:
    """What a completed job left.

    Parameters
    ----------
    validation_rows : how many there are, for an algorithm that leaves no figures but a share in SageMaker's metrics

    Raises
    ------
    TrainingFailedError
        It left no figures.
    """
    model = description["ModelArtifacts"]["S3ModelArtifacts"]
    return TrainingJob(
        name=description["TrainingJobName"],
        arn=description["TrainingJobArn"],
        model_data_url=model,
        seconds=description.get("TrainingTimeInSeconds", 0),
        metrics=figures(description, model, validation_rows, s3),
    )


def figures(description: Mapping[str, Any], model: str, validation_rows: int, s3: Any) -> Mapping[str, Any]:
    """metrics.json of the job's output; for the built-in algorithm, which has no output, what SageMaker measured."""
    final = {metric["MetricName"]: metric["Value"] for metric in description.get("FinalMetricDataList", [])}
    if BUILT_IN_ACCURACY in final:
        correct = round(final[BUILT_IN_ACCURACY] * validation_rows)
        return {"validation": {"n": validation_rows, "correct": correct, "accuracy": correct / validation_rows}}
    address = urlsplit(model.removesuffix("model.tar.gz") + "output.tar.gz")
    try:
        body = s3.get_object(Bucket=address.netloc, Key=address.path.lstrip("/"))["Body"].read()
    except s3.exceptions.NoSuchKey:
        raise TrainingFailedError(f"the job left no figures: {address.geturl()} is missing") from None
    found: Mapping[str, Any] = json.loads(read_member(body, "metrics.json"))
    return found


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
