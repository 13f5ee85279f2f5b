"""Following a job reports each log line and status once, and returns its metrics or its failure reason."""

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
    """A log stream that grows by one page per call; None stands for a call before the log group exists."""

    class exceptions:  # noqa: N801 (boto3's name)
        ResourceNotFoundException = MissingError

    def __init__(self, *pages: list[str] | None) -> None:
        self._pages = list(pages)
        self._given = 0

    def describe_log_streams(self, **request: Any) -> dict[str, Any]:
        if self._pages and self._pages[0] is None:
            self._pages.pop(0)
            raise MissingError
        return {"logStreams": [{"logStreamName": request["logStreamNamePrefix"]}]}

    def get_log_events(self, **request: Any) -> dict[str, Any]:
        assert request.get("nextToken", "0") == str(self._given)
        events = self._pages.pop(0) if self._pages else []
        self._given += bool(events)
        return {"events": [{"message": line} for line in events or []], "nextForwardToken": str(self._given)}


class FakeSageMaker:
    """A training job whose status advances with each call."""

    def __init__(self, *statuses: str, **last: str) -> None:
        self._statuses, self._calls, self._last = statuses, 0, last

    def describe_training_job(self, **request: Any) -> dict[str, Any]:
        self._calls = min(self._calls + 1, len(self._statuses))
        seen = self._statuses[: self._calls]
        ended = self._calls == len(self._statuses)
        return {
            "TrainingJobName": request["TrainingJobName"],
            "TrainingJobStatus": seen[-1] if ended else "InProgress",
            "SecondaryStatusTransitions": [{"Status": status, "StatusMessage": "..."} for status in seen],
            **(self._last if ended else {}),
        }


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0)


def test_each_log_line_is_read_once() -> None:
    # GIVEN a log group that does not exist at first, and a stream that grows
    tail = LogTail(FakeLogs(None, ["a", "b"], ["c"], [], ["d"]), "job")

    # WHEN / THEN
    assert tail.read() == []
    assert tail.read() == ["a", "b", "c"]
    assert tail.read() == ["d"]
    assert tail.read() == []


def test_new_log_stream_of_an_interrupted_job_is_read() -> None:
    # GIVEN a stream of one page, and later a second stream
    streams = {"job/algo-1-100": ["a"]}

    class Logs(FakeLogs):
        def describe_log_streams(self, **request: Any) -> dict[str, Any]:
            return {"logStreams": [{"logStreamName": name} for name in streams]}

        def get_log_events(self, **request: Any) -> dict[str, Any]:
            lines = [] if "nextToken" in request else streams[request["logStreamName"]]
            return {"events": [{"message": line} for line in lines], "nextForwardToken": "end"}

    tail = LogTail(Logs(), "job")

    # WHEN / THEN
    assert tail.read() == ["a"]
    assert tail.read() == []
    streams["job/algo-1-200"] = ["b"]
    assert tail.read() == ["b"]
    assert tail.read() == []


def test_status_and_progress_are_reported_until_the_job_ends() -> None:
    # GIVEN
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
def test_other_log_lines_are_not_progress(line: str) -> None:
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
def test_events_and_accuracies_are_progress(line: str, progress: str) -> None:
    assert format_progress(line) == progress


@pytest.mark.parametrize(
    ("status", "last", "reason"),
    [
        ("Failed", {"FailureReason": "AlgorithmError: train.lst is empty"}, "train.lst is empty"),
        ("Stopped", {}, "it was stopped"),
    ],
)
def test_failure_reason_is_one_line(status: str, last: dict[str, str], reason: str) -> None:
    with pytest.raises(TrainingFailedError, match=reason) as caught:
        follow("job", sagemaker=FakeSageMaker("Starting", status, **last), logs=FakeLogs(), report=lambda line: None)
    assert "\n" not in str(caught.value)


def test_interruption_says_that_the_job_continues_and_how_to_stop_it() -> None:
    # GIVEN an operator who presses Ctrl-C at the first line
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    # WHEN / THEN
    expected = "training job job continues and is billed .* `aws sagemaker stop-training-job --training-job-name job`"
    with pytest.raises(KeyboardInterrupt, match=expected):
        follow("job", sagemaker=FakeSageMaker("Starting", "Completed"), logs=FakeLogs(), report=interrupt)


class FakeS3:
    """A bucket with one object."""

    class exceptions:  # noqa: N801 (boto3's name)
        NoSuchKey = MissingError

    def __init__(self, key: str, body: bytes) -> None:
        self._key, self._body = key, body

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 (boto3's names)
        if f"{Bucket}/{Key}" != self._key:
            raise MissingError
        return {"Body": io.BytesIO(self._body)}


COMPLETED: dict[str, Any] = {
    "TrainingJobName": "job",
    "TrainingJobArn": "arn",
    "TrainingTimeInSeconds": 61,
    "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/models/job/output/model.tar.gz"},
}


def test_metrics_of_the_built_in_algorithm_come_from_sagemaker() -> None:
    # GIVEN
    metrics = [{"MetricName": "train:accuracy", "Value": 0.9}, {"MetricName": "validation:accuracy", "Value": 0.8667}]

    # WHEN
    job = read_result({**COMPLETED, "FinalMetricDataList": metrics}, validation_images=30, s3=FakeS3("none", b""))

    # THEN
    assert job.metrics["validation"] == {"n": 30, "correct": 26, "accuracy": 26 / 30}


def test_job_without_output_is_a_failure() -> None:
    with pytest.raises(TrainingFailedError, match=r"wrote no metrics: .*output\.tar\.gz is missing"):
        read_result(COMPLETED, validation_images=30, s3=FakeS3("none", b""))


def test_metrics_come_from_the_output_of_the_job() -> None:
    # GIVEN
    metrics = {"validation": {"n": 100, "correct": 95}}
    s3 = FakeS3("bucket/models/job/output/output.tar.gz", make_output({"metrics.json": json.dumps(metrics).encode()}))

    # WHEN
    job = read_result(COMPLETED, validation_images=100, s3=s3)

    # THEN
    assert (job.name, job.seconds, job.metrics) == ("job", 61, metrics)


def test_output_without_metrics_is_a_failure() -> None:
    with pytest.raises(TrainingFailedError, match=r"output has no metrics\.json"):
        read_member(make_output({"other.json": b"{}"}), "metrics.json")
