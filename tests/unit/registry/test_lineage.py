"""The lineage of a prediction: model version, training job and training data."""

# ruff: noqa: N803  boto3's parameter names

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from common.errors import OperatorError
from evaluation.executions import find_prediction
from registry.lineage import (
    Prediction,
    data_rows,
    format_rows,
    job_rows,
    model_rows,
    prediction_rows,
    read_training_manifest,
    verify_data,
)
from staging.manifest import ReviewedImages, SplitSize, StoredObject
from tests.unit.evaluation.runs import BELOW
from tests.unit.registry.versions import make_version
from tests.unit.stacks import make_stack
from tests.unit.staging.manifests import make_manifest

STATE_MACHINE = make_stack().state_machine_arn
EXECUTION = STATE_MACHINE.replace(":stateMachine:", ":execution:") + ":one"
PREDICTED = {"inferences": [0.6, 0.4], "model_version": "v3"}


class FakeStates:
    """A Step Functions client with one execution.

    Parameters
    ----------
    history : outputs of the execution's states, the newest first
    description : fields of the execution's description
    """

    def __init__(self, history: list[Any], **description: Any) -> None:
        self._history, self._description = history, description

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        if executionArn != EXECUTION:
            raise ClientError({"Error": {"Code": "ExecutionDoesNotExist", "Message": ""}}, "DescribeExecution")
        return {"executionArn": executionArn, "input": json.dumps({"s3_key": "test/a.png"}), **self._description}

    def list_executions(self, *, stateMachineArn: str, maxResults: int) -> dict[str, Any]:
        return {"executions": [{"executionArn": EXECUTION, "startDate": datetime(2026, 3, 1, tzinfo=UTC)}]}

    def get_paginator(self, operation: str) -> "FakeStates":
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        yield {"events": [{"stateExitedEventDetails": {"output": json.dumps(output)}} for output in self._history]}


class FakeS3:
    """An S3 client with one bucket in memory."""

    class exceptions:  # noqa: N801
        class NoSuchKey(Exception):  # noqa: N818
            """The object does not exist."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        if Key not in self.objects:
            raise self.exceptions.NoSuchKey
        body = self.objects[Key]
        return {"Body": StreamingBody(io.BytesIO(body), len(body))}


def md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("name", ["one", EXECUTION])
@pytest.mark.parametrize(
    "states",
    [
        pytest.param(FakeStates([], status="SUCCEEDED", output=json.dumps(PREDICTED)), id="in the output"),
        pytest.param(FakeStates([{"image": ""}, PREDICTED], status="FAILED", error=BELOW), id="in the history"),
    ],
)
def test_prediction_of_an_execution_has_its_model_version(name: str, states: FakeStates) -> None:
    found = find_prediction(STATE_MACHINE, name, states=states)
    assert (found.model_version, found.key, found.probabilities) == ("v3", "test/a.png", [0.6, 0.4])


def test_prediction_of_an_execution_that_an_event_started_has_the_image_key() -> None:
    # GIVEN executions whose input is an S3 event
    event = json.dumps({"detail": {"object": {"key": "incoming/a/b.png"}}})
    predicted = {**PREDICTED, "s3_key": "incoming/a/b.png"}

    # WHEN one of them succeeded, and one failed at the threshold
    states = FakeStates([], status="SUCCEEDED", input=event, output=json.dumps(predicted))
    failed = FakeStates([predicted], status="FAILED", input=event, error=BELOW)

    # THEN
    for each in (states, failed):
        assert find_prediction(STATE_MACHINE, "one", states=each).key == "incoming/a/b.png"


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ([{}], rf"{EXECUTION} is FAILED \(ImageMissingError\) and has no prediction"),
        ([{**PREDICTED, "model_version": "unknown"}], rf"{EXECUTION} does not contain .*: set MODEL instead of"),
    ],
    ids=["no prediction", "no version"],
)
@pytest.mark.parametrize("name", ["one", ""], ids=["name", "latest"])
def test_execution_without_a_prediction_or_model_version_is_an_error(
    history: list[Any], message: str, name: str
) -> None:
    with pytest.raises(OperatorError, match=message):
        find_prediction(STATE_MACHINE, name, states=FakeStates(history, status="FAILED", error="ImageMissingError"))


def test_unknown_execution_is_an_error() -> None:
    with pytest.raises(OperatorError, match="execution 'other' does not exist"):
        find_prediction(STATE_MACHINE, "other", states=FakeStates([]))


MANIFEST = make_manifest(
    splits={"train": SplitSize(count=7, per_class=dict.fromkeys("abcdefg", 1))},
    objects={
        "train/a.png": StoredObject(size=1, md5=md5(b"a")),
        "train/b.png": StoredObject(size=1, md5=md5(b"b")),
    },
)
STORED = json.dumps(MANIFEST.to_json()).encode()
KEY = "models/vehicles-1/output/manifest.json"


def registered(**changes: str) -> Any:
    """Return a version whose properties contain the checksum of the stored manifest; `changes` replace properties."""
    version = make_version(3)
    return make_version(3, properties={**version.properties, "manifest_md5": md5(STORED), **changes})


def test_manifest_of_a_version_is_read() -> None:
    assert read_training_manifest(registered(), s3=FakeS3({KEY: STORED})) == MANIFEST


@pytest.mark.parametrize(
    ("version", "objects", "message"),
    [
        (registered(), {}, "is missing"),
        (registered(), {KEY: STORED + b" "}, "has changed since its registration"),
        (make_version(3, properties={}), {}, "without a manifest"),
    ],
    ids=["missing", "changed", "registered without a manifest"],
)
def test_missing_or_changed_manifest_is_an_error(version: Any, objects: dict[str, bytes], message: str) -> None:
    with pytest.raises(OperatorError, match=message):
        read_training_manifest(version, s3=FakeS3(objects))


def test_unchanged_training_data_passes_the_verification() -> None:
    s3 = FakeS3({"train/a.png": b"a", "train/b.png": b"b"})
    assert "all 2 objects in S3 are unchanged" in verify_data(MANIFEST, "bucket", s3=s3)


@pytest.mark.parametrize("objects", [{"train/a.png": b"a"}, {"train/a.png": b"a", "train/b.png": b"x"}])
def test_error_names_a_missing_or_changed_object(objects: dict[str, bytes]) -> None:
    with pytest.raises(OperatorError, match=r"1 of 2 objects .* for example train/b\.png"):
        verify_data(MANIFEST, "bucket", s3=FakeS3(objects))


def test_lineage_fits_80_columns_and_its_times_are_in_utc() -> None:
    # GIVEN times in the machine's time zone, as boto3 returns them
    version = replace(registered(), registered=datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=2))))
    prediction = Prediction(EXECUTION, "SUCCEEDED", "v3", "test/a.png", [0.6, 0.4])
    job = {
        "TrainingJobName": "vehicles-1",
        "TrainingJobStatus": "Completed",
        "TrainingStartTime": version.registered,
        "TrainingEndTime": version.registered,
        "TrainingTimeInSeconds": 46,
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge"},
        "AlgorithmSpecification": {"TrainingImage": "registry/image:1"},
        "HyperParameters": {"classes": '"a,b"', "epochs": "2", "sagemaker_program": "train.py"},
    }

    # WHEN
    rows = [
        *prediction_rows(prediction, ("bicycle", "motorcycle")),
        *model_rows(version, True),
        *job_rows(job, version),
        *data_rows(MANIFEST, version),
    ]
    printed = list(format_rows(rows))

    # THEN only lines with a single URL or ARN, which cannot be wrapped, are longer
    assert all(len(line) <= 80 or len(line.split()) == 1 for line in printed)
    text = "\n".join(printed)
    for expected in (
        "bicycle with confidence 0.6000 for test/a.png",
        "v3, Approved, in use, 2026-02-28 23:30:00 UTC",
        "2026-02-28 23:30:00 to 2026-02-28 23:30:00 UTC, 46 s",
        "classes=a,b epochs=2",
        "1 x ml.m5.xlarge",
        "train 7: a 1",
        "...",
    ):
        assert expected in text
    assert "sagemaker_program" not in text


def test_lineage_counts_the_reviewed_images_in_the_training_data() -> None:
    # GIVEN
    size = SplitSize(count=9, per_class={"bicycle": 5, "motorcycle": 4})
    manifest = make_manifest(reviewed=ReviewedImages(splits={"train": size}, fingerprint="ab" * 32))

    # WHEN
    text = "\n".join(text for _, text in data_rows(manifest, make_version(3)))

    # THEN
    assert f"of these, 9 reviewed images of live traffic (train 9), SHA-256 {'ab' * 32}" in text
