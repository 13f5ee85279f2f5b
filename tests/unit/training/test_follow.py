"""Following a training job reports each log line and status once, and gives the metrics or the failure reason."""

import io
import json
from typing import Any

import pytest

from tests.unit.training.outputs import make_output
from training import follow as module
from training.follow import LogTail, TrainingFailedError, follow, format_progress, read_member, read_result


class MissingError(Exception):
    """The log group or object does not exist."""


class FakeLogs:
    """A CloudWatch log stream that grows with each call.

    Parameters
    ----------
    pages : new lines at each call; None if the log group does not exist yet
    """

    class exceptions:  # noqa: N801 (name in boto3)
        ResourceNotFoundException = MissingError

    def __init__(self, *pages: list[str] | None) -> None:
        self._pages = list(pages)
        self._position = 0

    def describe_log_streams(self, **request: Any) -> dict[str, Any]:
        if self._pages and self._pages[0] is None:
            self._pages.pop(0)
            raise MissingError
        return {"logStreams": [{"logStreamName": request["logStreamNamePrefix"]}]}

    def get_log_events(self, **request: Any) -> dict[str, Any]:
        assert request.get("nextToken", "0") == str(self._position)
        events = self._pages.pop(0) if self._pages else []
        self._position += bool(events)
        return {"events": [{"message": line} for line in events or []], "nextForwardToken": str(self._position)}


class FakeSageMaker:
    """A training job whose status advances with each call.

    Parameters
    ----------
    statuses : secondary status at each call; the last of them is also the job's final status
    last : further fields of the job's description at the last call
    """

    def __init__(self, *statuses: str, **last: str) -> None:
        self._statuses, self._calls, self._last = statuses, 0, last

    def describe_training_job(self, **request: Any) -> dict[str, Any]:
        self._calls = min(self._calls + 1, len(self._statuses))
        seen = self._statuses[: self._calls]
        is_last = self._calls == len(self._statuses)
        return {
            "TrainingJobName": request["TrainingJobName"],
            "TrainingJobStatus": seen[-1] if is_last else "InProgress",
            "SecondaryStatusTransitions": [{"Status": status, "StatusMessage": "..."} for status in seen],
            **(self._last if is_last else {}),
        }


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait between polls."""
    monkeypatch.setattr(module, "POLL_SECONDS", 0)


def test_each_log_line_is_read_once() -> None:
    # GIVEN a log group that does not exist at first, and a stream that grows
    tail = LogTail(FakeLogs(None, ["a", "b"], ["c"], [], ["d"]), "job")

    # WHEN / THEN
    assert tail.read() == []
    assert tail.read() == ["a", "b", "c"]
    assert tail.read() == ["d"]
    assert tail.read() == []


def test_log_stream_that_appears_later_is_read() -> None:
    # GIVEN a log stream with one line; SageMaker adds a second stream when it restarts an interrupted job
    streams = {"job/algo-1-100": ["a"]}

    class FakeStreams(FakeLogs):
        def describe_log_streams(self, **request: Any) -> dict[str, Any]:
            return {"logStreams": [{"logStreamName": name} for name in streams]}

        def get_log_events(self, **request: Any) -> dict[str, Any]:
            lines = [] if "nextToken" in request else streams[request["logStreamName"]]
            return {"events": [{"message": line} for line in lines], "nextForwardToken": "end"}

    tail = LogTail(FakeStreams(), "job")

    # WHEN / THEN
    assert tail.read() == ["a"]
    assert tail.read() == []
    streams["job/algo-1-200"] = ["b"]
    assert tail.read() == ["b"]
    assert tail.read() == []


def test_each_status_and_each_line_with_progress_is_reported_once() -> None:
    # GIVEN a log with one event in JSON, one accuracy of the built-in algorithm, and two lines without progress
    reported: list[str] = []
    built_in = "[10/10/2025 12:00:00 INFO 139] Epoch[0] Validation-accuracy=0.6"
    logs = FakeLogs(
        ["+ set -x", '{"event": "epoch", "epoch": 1, "epochs": 2, "validation_accuracy": 0.8}'],
        [],
        [built_in, "[10/10/2025] Epoch[0] cost=3"],
    )
    sagemaker = FakeSageMaker("Starting", "Training", "Completed")

    # WHEN
    description = follow("job", sagemaker=sagemaker, logs=logs, report=reported.append)

    # THEN
    assert description["TrainingJobStatus"] == "Completed"
    assert [line.split(":")[0] for line in reported if not line.startswith(" ")] == [
        "Starting",
        "Training",
        "Completed",
    ]
    assert [line.strip() for line in reported if line.startswith(" ")] == [
        "epoch 1/2: validation accuracy 0.8",
        built_in,
    ]


@pytest.mark.parametrize(
    "line",
    ["", "+ set -x", "epoch=1", "3", "[1]", '{"epoch": 1}', '{"event": "epoch"', "[10/10/2025] Epoch[0] Time cost=3"],
)
def test_log_line_without_an_event_or_accuracy_is_not_progress(line: str) -> None:
    assert format_progress(line) is None


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ('{"event": "checkpoint_ignored", "file": "training.pt"}', "checkpoint ignored: file training.pt"),
        ('{"event": "error", "message": "train.lst is empty"}', "error: message train.lst is empty"),
        ('{"event": "resumed", "epochs": 3}', "resumed: epochs 3"),
        ("INFO Epoch[3] Train-accuracy=0.7", "INFO Epoch[3] Train-accuracy=0.7"),
    ],
)
def test_progress_line_is_made_from_an_event_or_accuracy(line: str, progress: str) -> None:
    assert format_progress(line) == progress


@pytest.mark.parametrize(
    ("status", "last", "reason"),
    [
        ("Failed", {"FailureReason": "AlgorithmError: train.lst is empty"}, "train.lst is empty"),
        ("Stopped", {}, "it was stopped"),
    ],
)
def test_error_for_an_unsuccessful_job_has_a_reason_of_one_line(status: str, last: dict[str, str], reason: str) -> None:
    with pytest.raises(TrainingFailedError, match=reason) as caught:
        follow("job", sagemaker=FakeSageMaker("Starting", status, **last), logs=FakeLogs(), report=lambda line: None)
    assert "\n" not in str(caught.value)


def test_interruption_says_that_the_job_continues_and_how_to_stop_it() -> None:
    # GIVEN an operator who presses Ctrl-C when the first line is printed
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    # WHEN / THEN
    expected = "training job job continues and is billed .* `aws sagemaker stop-training-job --training-job-name job`"
    with pytest.raises(KeyboardInterrupt, match=expected):
        follow("job", sagemaker=FakeSageMaker("Starting", "Completed"), logs=FakeLogs(), report=interrupt)


class FakeS3:
    """A bucket with one object."""

    class exceptions:  # noqa: N801 (name in boto3)
        NoSuchKey = MissingError

    def __init__(self, key: str, body: bytes) -> None:
        self._key, self._body = key, body

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 (names in boto3)
        if f"{Bucket}/{Key}" != self._key:
            raise MissingError
        return {"Body": io.BytesIO(self._body)}


COMPLETED: dict[str, Any] = {
    "TrainingJobName": "job",
    "TrainingJobArn": "arn",
    "TrainingTimeInSeconds": 61,
    "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/models/job/output/model.tar.gz"},
}


def test_metrics_of_the_built_in_algorithm_are_read_from_the_job_description() -> None:
    # GIVEN a job without an output archive, whose description has a validation accuracy
    metrics = [{"MetricName": "train:accuracy", "Value": 0.9}, {"MetricName": "validation:accuracy", "Value": 0.8667}]

    # WHEN
    job = read_result({**COMPLETED, "FinalMetricDataList": metrics}, validation_images=30, s3=FakeS3("none", b""))

    # THEN
    assert job.metrics["validation"] == {"n": 30, "correct": 26, "accuracy": 26 / 30}


def test_job_without_an_output_archive_is_a_failure() -> None:
    with pytest.raises(TrainingFailedError, match=r"wrote no metrics: .*output\.tar\.gz is missing"):
        read_result(COMPLETED, validation_images=30, s3=FakeS3("none", b""))


def test_metrics_are_read_from_the_output_archive_of_the_job() -> None:
    # GIVEN
    metrics = {"validation": {"n": 100, "correct": 95}}
    s3 = FakeS3("bucket/models/job/output/output.tar.gz", make_output({"metrics.json": json.dumps(metrics).encode()}))

    # WHEN
    job = read_result(COMPLETED, validation_images=100, s3=s3)

    # THEN
    assert (job.name, job.seconds, job.metrics) == ("job", 61, metrics)


def test_output_archive_without_metrics_is_a_failure() -> None:
    with pytest.raises(TrainingFailedError, match=r"output has no metrics\.json"):
        read_member(make_output({"other.json": b"{}"}), "metrics.json")
