"""The way back from an answer: what breaks it off, and that the data are what they were."""

# ruff: noqa: N803  the names are boto3's

import hashlib
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from scripts.lineage import LineageError, data_rows, find_answer, job_rows, lines, model_rows, read_manifest, verify
from tests.unit.evaluation.runs import BELOW
from tests.unit.registry.versions import make_version
from tests.unit.stacks import make_stack

MACHINE = make_stack().state_machine_arn
EXECUTION = MACHINE.replace(":stateMachine:", ":execution:") + ":one"
ANSWERED = {"inferences": [0.6, 0.4], "model_version": "v3"}


class FakeStates:
    """One execution."""

    def __init__(self, history: list[Any], **found: Any) -> None:
        self._history, self._found = history, found

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        if executionArn != EXECUTION:
            raise ClientError({"Error": {"Code": "ExecutionDoesNotExist", "Message": ""}}, "DescribeExecution")
        return {"input": json.dumps({"s3_key": "test/a.png"}), **self._found}

    def get_paginator(self, operation: str) -> "FakeStates":
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        yield {"events": [{"stateExitedEventDetails": {"output": json.dumps(output)}} for output in self._history]}


class FakeS3:
    """A bucket in memory."""

    class exceptions:  # noqa: N801
        class NoSuchKey(Exception):  # noqa: N818
            """It is not there."""

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
        pytest.param(FakeStates([], status="SUCCEEDED", output=json.dumps(ANSWERED)), id="in the output"),
        pytest.param(FakeStates([{"image": ""}, ANSWERED], status="FAILED", error=BELOW), id="in the history"),
    ],
)
def test_an_execution_names_its_model(name: str, states: FakeStates) -> None:
    answer = find_answer(make_stack(), name, states)
    assert (answer.model_version, answer.key, answer.probabilities) == ("v3", "test/a.png", [0.6, 0.4])


def test_an_execution_without_an_answer_has_no_lineage() -> None:
    with pytest.raises(LineageError, match="no model answered in it: ImageMissingError"):
        find_answer(make_stack(), "one", FakeStates([{}], status="FAILED", error="ImageMissingError"))


def test_an_unknown_execution_is_said_to_be_unknown() -> None:
    with pytest.raises(LineageError, match="no execution 'other'"):
        find_answer(make_stack(), "other", FakeStates([]))


MANIFEST = {
    "source": "CIFAR-100",
    "source_md5": md5(b"archive"),
    "seed": 0,
    "splits": {"train": {"count": 7, "per_class": dict.fromkeys("abcdefg", 1)}},
    "objects": {"train/a.png": {"size": 1, "md5": md5(b"a")}, "train/b.png": {"size": 1, "md5": md5(b"b")}},
}
KEPT = json.dumps(MANIFEST).encode()
KEY = "models/vehicles-1/output/manifest.json"


def registered(**changes: str) -> Any:
    version = make_version(3)
    return make_version(3, properties={**version.properties, "manifest_md5": md5(KEPT), **changes})


def test_the_manifest_is_the_one_that_was_registered() -> None:
    assert read_manifest(registered(), FakeS3({KEY: KEPT})) == MANIFEST


@pytest.mark.parametrize(
    ("version", "objects", "line"),
    [
        (registered(), {}, "is gone"),
        (registered(), {KEY: KEPT + b" "}, "not the one that was registered"),
        (make_version(3, properties={}), {}, "without the manifest"),
    ],
    ids=["gone", "another", "never kept"],
)
def test_another_manifest_is_none(version: Any, objects: dict[str, bytes], line: str) -> None:
    with pytest.raises(LineageError, match=line):
        read_manifest(version, FakeS3(objects))


def test_the_data_are_what_they_were() -> None:
    assert "all 2 objects" in verify(MANIFEST, make_stack(), FakeS3({"train/a.png": b"a", "train/b.png": b"b"}))


@pytest.mark.parametrize("objects", [{"train/a.png": b"a"}, {"train/a.png": b"a", "train/b.png": b"x"}])
def test_data_that_changed_are_named(objects: dict[str, bytes]) -> None:
    with pytest.raises(LineageError, match=r"1 of 2 objects .* first train/b\.png"):
        verify(MANIFEST, make_stack(), FakeS3(objects))


def test_the_way_back_fits_a_terminal() -> None:
    # GIVEN
    version = registered()
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
    rows = [*model_rows(version, True), *job_rows(job, version), *data_rows(MANIFEST, version)]
    printed = [line for title, text in rows for line in lines(title, text)]

    # THEN only an address, which must stay whole, is wider
    assert all(len(line) <= 80 or len(line.split()) == 1 for line in printed)
    text = "\n".join(printed)
    for told in ("v3, Approved, in use", "classes=a,b epochs=2", "1 x ml.m5.xlarge", "46 s", "train 7: a 1", "..."):
        assert told in text
    assert "sagemaker_program" not in text
