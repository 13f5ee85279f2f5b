"""A job is followed to its end: every line once, every state once, and a failure by its reason."""

import io
import json
import tarfile
from typing import Any

import pytest

from training import follow as module
from training.follow import LogTail, TrainingFailedError, follow, read_member, result


class MissingError(Exception):
    """The log group is not there yet."""


class FakeLogs:
    """CloudWatch Logs whose stream grows by one page a call; None is a call that comes too early."""

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
    """A job that is one state further each time it is asked."""

    def __init__(self, *states: str, **last: str) -> None:
        self._states, self._asked, self._last = states, 0, last

    def describe_training_job(self, **request: Any) -> dict[str, Any]:
        self._asked = min(self._asked + 1, len(self._states))
        seen = self._states[: self._asked]
        ended = self._asked == len(self._states)
        return {
            "TrainingJobName": request["TrainingJobName"],
            "TrainingJobStatus": seen[-1] if ended else "InProgress",
            "SecondaryStatusTransitions": [{"Status": state, "StatusMessage": "..."} for state in seen],
            **(self._last if ended else {}),
        }


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0)


def test_a_log_is_told_line_by_line_and_no_line_twice() -> None:
    # GIVEN a group that is not there at first, and a stream that grows
    tail = LogTail(FakeLogs(None, ["a", "b"], ["c"], [], ["d"]), "job")

    # WHEN / THEN
    assert tail.read() == []
    assert tail.read() == ["a", "b", "c"]
    assert tail.read() == ["d"]
    assert tail.read() == []


def test_the_log_of_a_job_that_begins_again_is_read_on() -> None:
    # GIVEN a stream of one page, and a second one once that was read
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


def test_a_job_is_told_of_until_it_ends_well() -> None:
    # GIVEN
    said: list[str] = []
    built_in = "[10/10/2025 12:00:00 INFO 139] Epoch[0] Validation-accuracy=0.6"
    logs = FakeLogs(["+ set -x", "epoch=1/2 validation_accuracy=0.8"], [], [built_in, "[10/10/2025] Epoch[0] cost=3"])
    sagemaker = FakeSageMaker("Starting", "Training", "Completed")

    # WHEN
    description = follow("job", sagemaker=sagemaker, logs=logs, say=said.append)

    # THEN
    assert description["TrainingJobStatus"] == "Completed"
    assert [line.split(":")[0] for line in said if not line.startswith(" ")] == ["Starting", "Training", "Completed"]
    assert [line.strip() for line in said if line.startswith(" ")] == [
        "epoch=1/2 validation_accuracy=0.8",
        built_in,
    ]


@pytest.mark.parametrize(
    ("state", "last", "reason"),
    [
        ("Failed", {"FailureReason": "AlgorithmError: train.lst is empty"}, "train.lst is empty"),
        ("Stopped", {}, "it was stopped"),
    ],
)
def test_a_job_without_a_model_says_why_in_one_line(state: str, last: dict[str, str], reason: str) -> None:
    with pytest.raises(TrainingFailedError, match=reason) as caught:
        follow("job", sagemaker=FakeSageMaker("Starting", state, **last), logs=FakeLogs(), say=lambda line: None)
    assert "\n" not in str(caught.value)


def archive(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as files:
        for name, content in members.items():
            member = tarfile.TarInfo(name.replace("_json", ".json"))
            member.size = len(content)
            files.addfile(member, io.BytesIO(content))
    return stream.getvalue()


class FakeS3:
    """One object."""

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


def test_the_built_in_algorithms_figures_are_those_that_sagemaker_read_in_its_log() -> None:
    # GIVEN
    metrics = [{"MetricName": "train:accuracy", "Value": 0.9}, {"MetricName": "validation:accuracy", "Value": 0.8667}]

    # WHEN
    job = result({**COMPLETED, "FinalMetricDataList": metrics}, validation_rows=30, s3=FakeS3("none", b""))

    # THEN
    assert job.metrics["validation"] == {"n": 30, "correct": 26, "accuracy": 26 / 30}


def test_a_job_without_figures_is_a_failure() -> None:
    with pytest.raises(TrainingFailedError, match=r"left no figures: .*output\.tar\.gz is missing"):
        result(COMPLETED, validation_rows=30, s3=FakeS3("none", b""))


def test_a_jobs_figures_come_from_beside_its_model() -> None:
    # GIVEN
    metrics = {"validation": {"n": 100, "correct": 95}}
    s3 = FakeS3("bucket/models/job/output/output.tar.gz", archive(metrics_json=json.dumps(metrics).encode()))

    # WHEN
    job = result(COMPLETED, validation_rows=100, s3=s3)

    # THEN
    assert (job.name, job.seconds, job.metrics) == ("job", 61, metrics)


def test_an_output_without_figures_is_a_failure() -> None:
    with pytest.raises(TrainingFailedError, match=r"left no metrics\.json"):
        read_member(archive(other_json=b"{}"), "metrics.json")
