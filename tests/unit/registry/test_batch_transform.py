"""A batch transform job's answers are joined to their objects, and what it was made of goes with it."""

# ruff: noqa: N803  the names are boto3's

import io
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from registry.batch_transform import Batch, TransformError, find_batch, follow, parse, transform

CONTAINER = {"ModelPackageName": "arn:package/3"}


class FakeS3:
    """A bucket in memory."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = {key.replace("__", "/").replace("_png", ".png"): body for key, body in objects.items()}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.objects[Key])}

    def get_paginator(self, operation: str) -> "FakeS3":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        for key in sorted(self.objects):  # one a page
            yield {"Contents": [{"Key": key}]} if key.startswith(Prefix) else {}


class FakeSageMaker:
    """A service whose job writes these answers and ends so, at the second look at it."""

    def __init__(self, s3: FakeS3, answers: dict[str, bytes], **ends: str) -> None:
        self._s3, self._answers, self._ends = s3, answers, ends
        self._looks = 0
        self.calls: list[str] = []
        self.refuses = False

    def create_model(self, **request: Any) -> None:
        assert request["PrimaryContainer"] == CONTAINER
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
        self._output = request["TransformOutput"]["S3OutputPath"].removeprefix("s3://bucket/")

    def describe_transform_job(self, **request: Any) -> dict[str, str]:
        self._looks += 1
        if self._looks == 1:
            return {"TransformJobStatus": "InProgress"}
        for name, body in self._answers.items():
            self._s3.objects[f"{self._output}/{name}.out"] = body
        return {"TransformJobStatus": "Completed", **self._ends}

    def stop_transform_job(self, **request: Any) -> None:
        self.calls.append("stop_transform_job")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.batch_transform.POLLS", (0.0, 0.0))


def run(s3: FakeS3, sagemaker: FakeSageMaker) -> Any:
    return transform(
        find_batch("job", "bucket", "in", s3=s3),
        container=CONTAINER,
        network={},
        role_arn="role",
        kms_key_arn="key",
        instance_type="ml.m5.xlarge",
        tags={"Stack": "scones-local"},
        classes=2,
        sagemaker=sagemaker,
        s3=s3,
    )


def test_answers_are_joined_to_their_keys() -> None:
    # GIVEN objects of the same name in two folders, and one beside the prefix
    s3 = FakeS3(in__a_png=b"", in__deep__a_png=b"", in_lst=b"", transform__other__a_png=b"")
    sagemaker = FakeSageMaker(s3, {"a.png": b"[0.9, 0.1]", "deep/a.png": b"[0.2, 0.8]"})

    # WHEN
    answers = run(s3, sagemaker)

    # THEN
    assert answers.probabilities == {"in/a.png": [0.9, 0.1], "in/deep/a.png": [0.2, 0.8]}
    assert answers.failed == {}
    assert sagemaker.calls == ["create_model", "create_transform_job", "delete_model"]


def test_what_failed_is_named_with_the_reason_and_the_rest_is_kept() -> None:
    # GIVEN
    s3 = FakeS3(in__a_png=b"", in__b_png=b"", in__c_png=b"")
    answered = {"a.png": b"[0.9, 0.1]", "c.png": b"[1.5, 0]"}
    sagemaker = FakeSageMaker(s3, answered, TransformJobStatus="Failed", FailureReason="in/b.png: no image")

    # WHEN
    answers = run(s3, sagemaker)

    # THEN
    assert set(answers.probabilities) == {"in/a.png"}
    assert answers.failed == {
        "in/b.png": "in/b.png: no image",
        "in/c.png": "the answer is no list of 2 probabilities",
    }


def test_a_job_without_any_answer_is_an_error_with_its_reason() -> None:
    s3 = FakeS3(in__a_png=b"")
    sagemaker = FakeSageMaker(s3, {}, TransformJobStatus="Failed", FailureReason="no memory")
    with pytest.raises(TransformError, match="no memory"):
        run(s3, sagemaker)


def test_a_refused_job_leaves_no_model() -> None:
    # GIVEN
    s3 = FakeS3(in__a_png=b"")
    sagemaker = FakeSageMaker(s3, {})
    sagemaker.refuses = True

    # WHEN / THEN
    with pytest.raises(TransformError, match="the limit is 0"):
        run(s3, sagemaker)
    assert sagemaker.calls == ["create_model", "delete_model"]


def test_a_job_that_nobody_waits_for_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN somebody who presses Ctrl-C
    def interrupted(*arguments: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("registry.batch_transform.follow", interrupted)
    s3 = FakeS3(in__a_png=b"")
    sagemaker = FakeSageMaker(s3, {})

    # WHEN / THEN
    with pytest.raises(KeyboardInterrupt):
        run(s3, sagemaker)
    assert sagemaker.calls == ["create_model", "create_transform_job", "stop_transform_job", "delete_model"]


def test_a_job_is_looked_at_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setattr("registry.batch_transform.POLLS", (1.0, 1.2))
    s3 = FakeS3(in__a_png=b"")
    pauses: list[float] = []
    states = iter(["InProgress", "InProgress", "InProgress", "Stopped"])

    class Slow:
        def describe_transform_job(self, **request: Any) -> dict[str, str]:
            return {"TransformJobStatus": next(states)}

    # WHEN
    ended = follow(Batch("job", "bucket", "in/", ("in/a.png",)), sagemaker=Slow(), s3=s3, sleep=pauses.append)

    # THEN
    assert ended["TransformJobStatus"] == "Stopped"
    assert pauses == [1.0, 1.2, 1.2]


def test_an_empty_folder_is_an_error() -> None:
    with pytest.raises(TransformError, match=r"nothing below s3://bucket/in/"):
        find_batch("job", "bucket", "/in/", s3=FakeS3(inn__a_png=b""))


@pytest.mark.parametrize("content", [b"", b"{}", b"[0.5]", b'["1", 0]', b"[NaN, 0]", b"[true, 0]", b"[2, 0]"])
def test_an_answer_of_another_form_says_so(content: bytes) -> None:
    assert parse(content, 2) == "the answer is no list of 2 probabilities"
