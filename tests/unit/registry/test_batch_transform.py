"""Batch transform jobs: their predictions, the reasons of failed images, and their input prefix."""

# ruff: noqa: N803  boto3's parameter names

import io
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from common.errors import OperatorError
from registry.batch_transform import (
    TransformConfig,
    TransformJob,
    TransformJobError,
    parse_prediction,
    parse_prefix,
    prepare_job,
    run_job,
    wait,
    wait_for_reasons,
)

MODEL = "arn:package/3"
BUCKET = "scones-local-data-123456789012"
CONFIG = TransformConfig(
    name_prefix="scones-local-transform",
    bucket="bucket",
    output_prefix="transform",
    role_arn="role",
    kms_key_arn="key",
    instance_type="ml.m5.xlarge",
    tags={"Stack": "scones-local"},
    network={},
)


class FakeS3:
    """An S3 client with one bucket in memory; in an argument's name, `__` stands for a slash and `_png` for `.png`."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = {key.replace("__", "/").replace("_png", ".png"): body for key, body in objects.items()}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.objects[Key])}

    def get_paginator(self, operation: str) -> "FakeS3":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        for key in sorted(self.objects):  # one per page
            yield {"Contents": [{"Key": key}]} if key.startswith(Prefix) else {}


class FakeSageMaker:
    """A SageMaker client with a transform job that has ended at the second DescribeTransformJob request.

    Parameters
    ----------
    predictions : content of each output file that the job writes, by the name of the input file
    end : fields of the ended job's description
    """

    def __init__(self, s3: FakeS3, predictions: dict[str, bytes], **end: str) -> None:
        self._s3, self._predictions, self._end = s3, predictions, end
        self._polls = 0
        self.calls: list[str] = []
        self.refuses = False

    def create_model(self, **request: Any) -> None:
        assert request["PrimaryContainer"] == {"ModelPackageName": MODEL}
        assert request["ModelName"].startswith("scones-local-transform-")
        self.calls.append("create_model")

    def delete_model(self, **request: Any) -> None:
        self.calls.append("delete_model")

    def create_transform_job(self, **request: Any) -> None:
        if self.refuses:
            error = {"Code": "ResourceLimitExceeded", "Message": "the limit is 0 Instances."}
            raise ClientError({"Error": error}, "CreateTransformJob")
        self.calls.append("create_transform_job")
        source = request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        assert source == "s3://bucket/in/"
        assert request["TransformOutput"]["KmsKeyId"] == "key"
        assert request["Tags"] == [{"Key": "Stack", "Value": "scones-local"}]
        assert request["TransformOutput"]["S3OutputPath"].startswith("s3://bucket/transform/scones-local-transform-")
        self._output = request["TransformOutput"]["S3OutputPath"].removeprefix("s3://bucket/")

    def describe_transform_job(self, **request: Any) -> dict[str, str]:
        self._polls += 1
        if self._polls == 1:
            return {"TransformJobStatus": "InProgress"}
        for name, body in self._predictions.items():
            self._s3.objects[f"{self._output}/{name}.out"] = body
        return {"TransformJobStatus": "Completed", **self._end}

    def stop_transform_job(self, **request: Any) -> None:
        self.calls.append("stop_transform_job")


class FakeLogs:
    """A CloudWatch Logs client.

    Parameters
    ----------
    lines : lines that SageMaker logged, each of which starts with an object key
    error : error code with which requests fail; by default, they succeed
    """

    def __init__(self, *lines: str, error: str = "") -> None:
        self._lines, self._error = list(lines), error

    def add(self, line: str) -> None:
        """Add a line to the log."""
        self._lines.append(line)

    def get_paginator(self, operation: str) -> "FakeLogs":
        self._operation = operation
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert request["logGroupName"] == "/aws/sagemaker/TransformJobs"
        if self._error:
            raise ClientError({"Error": {"Code": self._error, "Message": ""}}, self._operation)
        if self._operation == "describe_log_streams":
            prefix = request["logStreamNamePrefix"]
            yield {"logStreams": [{"logStreamName": f"{prefix}i-0{end}"} for end in ("", "/data-log")]}
        else:
            assert request["logStreamNames"][0].endswith("/i-0/data-log")
            lines = ["MaxConcurrentTransforms=1", *(f"bucket/{line}" for line in self._lines)]
            yield {"events": [{"message": f"2026-03-01T12:00:00.000:[sagemaker logs]: {line}"} for line in lines]}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.batch_transform.POLL_SECONDS", (0.0, 0.0))
    monkeypatch.setattr("registry.batch_transform.MAX_LOG_DELAY", 0.0)


def run(s3: FakeS3, sagemaker: FakeSageMaker, logs: FakeLogs | None = None) -> Any:
    """Run a transform job for all images below `in/`, and return its predictions."""
    job = prepare_job(CONFIG, "in", s3=s3)
    return run_job(job, MODEL, class_count=2, sagemaker=sagemaker, s3=s3, logs=logs or FakeLogs())


def test_predictions_are_returned_by_image_key() -> None:
    # GIVEN images with the same file name below two prefixes, and objects outside the input prefix
    s3 = FakeS3(in__a_png=b"", in__deep__a_png=b"", in_lst=b"", transform__other__a_png=b"")
    sagemaker = FakeSageMaker(s3, {"a.png": b"[0.9, 0.1]", "deep/a.png": b"[0.2, 0.8]"})

    # WHEN
    predictions = run(s3, sagemaker)

    # THEN
    assert predictions.probabilities == {"in/a.png": [0.9, 0.1], "in/deep/a.png": [0.2, 0.8]}
    assert predictions.errors == {}
    assert sagemaker.calls == ["create_model", "create_transform_job", "delete_model"]


def test_each_image_has_either_a_prediction_or_its_own_error() -> None:
    # GIVEN
    s3 = FakeS3(in__a_png=b"", in__b_png=b"", in__c_png=b"", in__d_png=b"", in__e_png=b"")
    written = {"a.png": b"[0.9, 0.1]", "c.png": b"[1.5, 0]"}
    sagemaker = FakeSageMaker(s3, written, TransformJobStatus="Failed", FailureReason="ClientError: See job logs")
    logs = FakeLogs("in/b.png: ClientError: 400", "in/b.png: ", "in/b.png: Message:", "in/b.png: not an image")
    logs.add("in/d.png: Unable to get response from algorithm")

    # WHEN
    predictions = run(s3, sagemaker, logs)

    # THEN
    assert set(predictions.probabilities) == {"in/a.png"}
    assert predictions.errors.pop("in/e.png").startswith("ClientError: See job logs (log group /aws/sagemaker/")
    assert predictions.errors == {
        "in/b.png": "not an image",
        "in/c.png": "the prediction is not a list of 2 probabilities",
        "in/d.png": "Unable to get response from algorithm",
    }


def test_each_image_has_the_failure_reason_of_a_job_without_predictions() -> None:
    # GIVEN a job whose container did not start, and no permission to read its log
    s3 = FakeS3(in__a_png=b"", in__b_png=b"")
    sagemaker = FakeSageMaker(s3, {}, TransformJobStatus="Failed", FailureReason="no\nmemory")

    # WHEN
    predictions = run(s3, sagemaker, FakeLogs(error="AccessDeniedException"))

    # THEN
    assert predictions.probabilities == {}
    assert set(predictions.errors) == {"in/a.png", "in/b.png"}
    assert all(reason.startswith("no memory (log group ") for reason in predictions.errors.values())


def test_reasons_of_a_failed_job_are_read_until_the_maximum_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a log that has the reason of the second image after two polls, and never has a reason of the third image
    monkeypatch.setattr("registry.batch_transform.POLL_SECONDS", (1.0, 1.0))
    monkeypatch.setattr("registry.batch_transform.MAX_LOG_DELAY", 3.5)
    logs, now = FakeLogs("in/a.png: one"), 0.0
    job = TransformJob(CONFIG, "job", "in/", ())

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        if now == 2:
            logs.add("in/b.png: two")

    def reasons(*keys: str, is_failed: bool) -> dict[str, str]:
        nonlocal now
        now = 0.0
        return wait_for_reasons(job, keys, is_failed=is_failed, logs=logs, sleep=sleep, clock=lambda: now)

    # WHEN / THEN
    assert reasons("in/a.png", "in/b.png", is_failed=True) == {"in/a.png": "one", "in/b.png": "two"}
    assert now == 2
    assert set(reasons("in/b.png", "in/c.png", is_failed=True)) == {"in/b.png"}
    assert now == 4

    # AND the function does not wait if the job did not fail
    assert reasons("in/c.png", is_failed=False) == {}
    assert now == 0


def test_temporary_model_is_deleted_if_sagemaker_refuses_the_job() -> None:
    # GIVEN
    s3 = FakeS3(in__a_png=b"")
    sagemaker = FakeSageMaker(s3, {})
    sagemaker.refuses = True

    # WHEN / THEN
    with pytest.raises(TransformJobError, match="the limit is 0"):
        run(s3, sagemaker)
    assert sagemaker.calls == ["create_model", "delete_model"]


@pytest.mark.parametrize(("function", "stopped"), [("wait", True), ("read_predictions", False)])
def test_error_of_s3_is_not_reported_as_a_refusal_by_sagemaker(
    monkeypatch: pytest.MonkeyPatch, function: str, stopped: bool
) -> None:
    # GIVEN
    def refuse(*arguments: Any, **named: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListObjectsV2")

    monkeypatch.setattr(f"registry.batch_transform.{function}", refuse)
    s3 = FakeS3(in__a_png=b"")
    sagemaker = FakeSageMaker(s3, {"a.png": b"[0.9, 0.1]"})

    # WHEN
    with pytest.raises(TransformJobError, match=r"^transform job scones-local-.*ListObjectsV2 operation: no$"):
        run(s3, sagemaker)

    # THEN
    assert ("stop_transform_job" in sagemaker.calls) is stopped
    assert sagemaker.calls[-1] == "delete_model"


def test_interrupted_job_is_stopped_and_its_temporary_model_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a Ctrl-C while the command waits for the job
    def interrupted(*arguments: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("registry.batch_transform.wait", interrupted)
    s3 = FakeS3(in__a_png=b"")
    sagemaker = FakeSageMaker(s3, {})

    # WHEN / THEN
    with pytest.raises(KeyboardInterrupt):
        run(s3, sagemaker)
    assert sagemaker.calls == ["create_model", "create_transform_job", "stop_transform_job", "delete_model"]


def test_poll_interval_grows_to_its_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setattr("registry.batch_transform.POLL_SECONDS", (1.0, 1.2))
    s3 = FakeS3(in__a_png=b"")
    pauses: list[float] = []
    states = iter(["InProgress", "InProgress", "InProgress", "Stopped"])

    class SlowSageMaker:
        def describe_transform_job(self, **request: Any) -> dict[str, str]:
            return {"TransformJobStatus": next(states)}

    # WHEN
    job = TransformJob(CONFIG, "job", "in/", ("in/a.png",))
    description = wait(job, sagemaker=SlowSageMaker(), s3=s3, sleep=pauses.append)

    # THEN
    assert description["TransformJobStatus"] == "Stopped"
    assert pauses == [1.0, 1.2, 1.2]


def test_prefix_without_objects_is_an_error() -> None:
    with pytest.raises(TransformJobError, match=r"no objects below s3://bucket/in/"):
        prepare_job(CONFIG, "/in/", s3=FakeS3(inn__a_png=b""))


@pytest.mark.parametrize("content", [b"", b"{}", b"[0.5]", b'["1", 0]', b"[NaN, 0]", b"[true, 0]", b"[2, 0]"])
def test_malformed_prediction_is_an_error(content: bytes) -> None:
    assert parse_prediction(content, 2) == "the prediction is not a list of 2 probabilities"


@pytest.mark.parametrize("text", ["test", "test/", f"s3://{BUCKET}/test"])
def test_input_prefix_is_given_as_a_path_or_s3_uri(text: str) -> None:
    assert parse_prefix(text, BUCKET).strip("/") == "test"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", r"must name a folder in .* such as INPUT=test \(got ''\)"),
        ("/", r"must name a folder .*\(got '/'\)"),
        (f"s3://{BUCKET}/", "must name a folder"),
        ("s3://x/y", "must be in"),
    ],
)
def test_empty_input_prefix_or_prefix_in_another_bucket_is_refused(text: str, line: str) -> None:
    with pytest.raises(OperatorError, match=line):
        parse_prefix(text, BUCKET)
