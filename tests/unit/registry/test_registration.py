"""The registry keeps with each version what is needed to judge the next one."""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from registry.comparison import Score
from registry.registration import approve, register, reject, score_of
from training.follow import TrainingJob

JOB = TrainingJob("vehicles-1", "arn:job", "s3://bucket/models/vehicles-1/output/model.tar.gz", 60, {"epochs": []})

MANIFEST = {"source": "CIFAR-100", "objects": {"train/a.png": {"size": 1, "md5": "0cc175b9c0f1b6a831c399e269772661"}}}


class FakeRegistry:
    """Model packages in memory."""

    def __init__(self) -> None:
        self.packages: dict[str, dict[str, Any]] = {}

    def create_model_package(self, **request: Any) -> dict[str, str]:
        arn = f"arn:package/{request['ModelPackageGroupName']}/{len(self.packages) + 1}"
        self.packages[arn] = request
        return {"ModelPackageArn": arn}

    def update_model_package(self, **request: Any) -> None:
        self.packages[request.pop("ModelPackageArn")].update(request)


class FakeBucket:
    """Objects in memory, by address."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, **request: Any) -> None:
        self.objects[f"s3://{request['Bucket']}/{request['Key']}"] = request["Body"]


def add(registry: FakeRegistry, score: Score, bucket: FakeBucket | None = None, **properties: str) -> str:
    return register(
        JOB,
        score,
        sagemaker=registry,
        s3=bucket or FakeBucket(),
        group="vehicles",
        image="image:1",
        scripted=True,
        brings_packages=False,
        status="PendingManualApproval",
        reason="good enough",
        manifest=MANIFEST,
        properties=properties,
    )


def test_a_version_knows_its_model_its_score_and_its_origin() -> None:
    # GIVEN
    registry, score = FakeRegistry(), Score(95, 100, "rows")

    # WHEN
    arn = add(registry, score, source="CIFAR-100", code="abc")

    # THEN
    package = registry.packages[arn]
    container = package["InferenceSpecification"]["Containers"][0]
    assert (container["Image"], container["ModelDataUrl"]) == ("image:1", JOB.model_data_url)
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    known = package["CustomerMetadataProperties"]
    assert known["training_job"] == "vehicles-1"
    assert (known["source"], known["code"]) == ("CIFAR-100", "abc")
    assert score_of(known) == score


def test_a_version_names_the_figures_of_its_job() -> None:
    # GIVEN
    registry, bucket = FakeRegistry(), FakeBucket()

    # WHEN
    arn = add(registry, Score(95, 100, "rows"), bucket)

    # THEN
    quality = registry.packages[arn]["ModelMetrics"]["ModelQuality"]["Statistics"]
    assert json.loads(bucket.objects[quality["S3Uri"]]) == JOB.metrics


def test_a_version_keeps_the_manifest_of_its_data_beside_its_model() -> None:
    # GIVEN
    registry, bucket = FakeRegistry(), FakeBucket()

    # WHEN
    arn = add(registry, Score(95, 100, "rows"), bucket)

    # THEN
    known = registry.packages[arn]["CustomerMetadataProperties"]
    kept = bucket.objects["s3://bucket/models/vehicles-1/output/manifest.json"]
    assert known["manifest"] == "s3://bucket/models/vehicles-1/output/manifest.json"
    assert json.loads(kept) == MANIFEST
    assert known["manifest_md5"] == hashlib.md5(kept, usedforsecurity=False).hexdigest()


def test_long_texts_are_cut_to_what_the_service_takes() -> None:
    registry = FakeRegistry()
    arn = add(registry, Score(1, 1, "rows"), source="x" * 1000)
    assert len(registry.packages[arn]["CustomerMetadataProperties"]["source"]) == 256


@pytest.mark.parametrize(("decide", "status"), [(approve, "Approved"), (reject, "Rejected")])
def test_a_decision_says_why(decide: Callable[..., None], status: str) -> None:
    # GIVEN
    registry = FakeRegistry()
    arn = add(registry, Score(95, 100, "rows"))

    # WHEN
    decide(arn, sagemaker=registry, reason="a reason")

    # THEN
    package = registry.packages[arn]
    assert (package["ModelApprovalStatus"], package["ApprovalDescription"]) == (status, "a reason")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("archive in CIFAR-100's format, not the official one (a.tar.gz, md5 0cc1)", id="signs"),
        pytest.param("é, 中", id="letters of other alphabets"),
        pytest.param("", id="nothing"),
        pytest.param("(" * 300, id="nothing but signs"),
    ],
)
def test_properties_have_no_sign_that_the_registry_refuses(text: str) -> None:
    # GIVEN
    registry = FakeRegistry()

    # WHEN
    arn = add(registry, Score(1, 1, "rows"), source=text)

    # THEN
    source = registry.packages[arn]["CustomerMetadataProperties"]["source"]
    assert re.fullmatch(r"[\w .:/=+@-]{1,256}", source)
