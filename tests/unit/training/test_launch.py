"""A job is followed to its end: every line once, every state once, and a failure by its reason."""

import io
import json
import tarfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from training import launch
from training.launch import LogTail, TrainingFailedError, explain, follow, read_member, result


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
        return {"logStreams": [{"logStreamName": request["logStreamNamePrefix"] + "algo-1"}]}

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
    monkeypatch.setattr(launch, "POLL_SECONDS", 0)


def test_a_log_is_told_line_by_line_and_no_line_twice() -> None:
    # GIVEN a group that is not there at first, and a stream that grows
    tail = LogTail(FakeLogs(None, ["a", "b"], ["c"], [], ["d"]), "job")

    # WHEN / THEN
    assert tail.read() == []
    assert tail.read() == ["a", "b", "c"]
    assert tail.read() == ["d"]
    assert tail.read() == []


def test_a_job_is_told_of_until_it_ends_well() -> None:
    # GIVEN
    said: list[str] = []
    logs = FakeLogs(["+ set -x", "epoch=1/2 validation_accuracy=0.8"], [], ["epoch=2/2 validation_accuracy=0.9"])
    sagemaker = FakeSageMaker("Starting", "Training", "Completed")

    # WHEN
    description = follow("job", sagemaker=sagemaker, logs=logs, say=said.append)

    # THEN
    assert description["TrainingJobStatus"] == "Completed"
    assert [line.split(":")[0] for line in said if not line.startswith(" ")] == ["Starting", "Training", "Completed"]
    assert [line.strip() for line in said if line.startswith(" ")] == [
        "epoch=1/2 validation_accuracy=0.8",
        "epoch=2/2 validation_accuracy=0.9",
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


def test_a_quota_says_what_to_do() -> None:
    # GIVEN
    message = "The account-level service limit 'ml.g4dn.xlarge for training job usage' is 0 Instances."
    error = ClientError({"Error": {"Code": "ResourceLimitExceeded", "Message": message}}, "CreateTrainingJob")

    # WHEN
    line = explain(error)

    # THEN
    assert "ml.g4dn.xlarge" in line
    assert "Service Quotas" in line
    assert "training_instance_type" in line


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

    def __init__(self, key: str, body: bytes) -> None:
        self._key, self._body = key, body

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 (boto3's names)
        assert f"{Bucket}/{Key}" == self._key
        return {"Body": io.BytesIO(self._body)}


def test_a_jobs_figures_come_from_beside_its_model() -> None:
    # GIVEN
    metrics = {"validation": {"n": 100, "correct": 95}}
    description = {
        "TrainingJobName": "job",
        "TrainingJobArn": "arn",
        "TrainingTimeInSeconds": 61,
        "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/models/job/output/model.tar.gz"},
    }
    s3 = FakeS3("bucket/models/job/output/output.tar.gz", archive(metrics_json=json.dumps(metrics).encode()))

    # WHEN
    job = result(description, s3=s3)

    # THEN
    assert (job.name, job.seconds, job.metrics) == ("job", 61, metrics)


def test_an_output_without_figures_is_a_failure() -> None:
    with pytest.raises(TrainingFailedError, match=r"left no metrics\.json"):
        read_member(archive(other_json=b"{}"), "metrics.json")


class FakeJobs:
    """Jobs that were begun before, by name: status and fingerprint."""

    def __init__(self, **jobs: tuple[str, str]) -> None:
        self._jobs = jobs

    def list_training_jobs(self, **request: Any) -> dict[str, Any]:
        found = [{"TrainingJobName": name, "TrainingJobStatus": status} for name, (status, _) in self._jobs.items()]
        return {"TrainingJobSummaries": [job for job in found if request["NameContains"] in job["TrainingJobName"]]}

    def describe_training_job(self, **request: Any) -> dict[str, Any]:
        return {"Environment": {launch.FINGERPRINT: self._jobs[request["TrainingJobName"]][1]}}


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        pytest.param({"scones_1": ("InProgress", "same")}, "scones_1", id="one that is under way is taken up"),
        pytest.param({"scones_1": ("Completed", "same")}, "scones_1", id="one that is done is not done again"),
        pytest.param({"scones_1": ("Failed", "same")}, None, id="one that failed is tried again"),
        pytest.param({"scones_1": ("Completed", "other")}, None, id="one from other data or code is none"),
        pytest.param({"other_1": ("Completed", "same")}, None, id="one of another environment is none"),
    ],
)
def test_nothing_is_trained_twice(jobs: dict[str, tuple[str, str]], expected: str | None) -> None:
    assert launch.find("scones", "same", sagemaker=FakeJobs(**jobs)) == expected
