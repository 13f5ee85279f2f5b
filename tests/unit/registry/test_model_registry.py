"""Models are registered, approved, rejected and rolled back in the model registry."""

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from registry.comparison import Score
from registry.model_registry import ModelRegistry, RegistrationRequest
from tests.unit.registry.versions import make_version
from training.follow import TrainingJob

JOB = TrainingJob("vehicles-1", "arn:job", "s3://bucket/models/vehicles-1/output/model.tar.gz", 60, {"epochs": []})

MANIFEST = {"source": "CIFAR-100", "objects": {"train/a.png": {"size": 1, "md5": "0cc175b9c0f1b6a831c399e269772661"}}}


class FakeSageMaker:
    """A SageMaker client with model packages in memory."""

    def __init__(self) -> None:
        self.packages: dict[str, dict[str, Any]] = {}

    def create_model_package(self, **request: Any) -> dict[str, str]:
        arn = f"arn:package/{request['ModelPackageGroupName']}/{len(self.packages) + 1}"
        self.packages[arn] = request
        return {"ModelPackageArn": arn}

    def describe_model_package(self, *, ModelPackageName: str) -> dict[str, Any]:  # noqa: N803
        return {"CreationTime": datetime(2026, 3, 1, tzinfo=UTC), **self.packages[ModelPackageName]}

    def update_model_package(self, **request: Any) -> None:
        self.packages[request.pop("ModelPackageArn")].update(request)


class FakeSsm:
    """An SSM client with parameters in memory."""

    def __init__(self) -> None:
        self.parameters: dict[str, str] = {}

    def put_parameter(self, **request: Any) -> None:
        self.parameters[request["Name"]] = request["Value"]


class FakeS3:
    """An S3 client with objects in memory, by S3 URI."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, **request: Any) -> None:
        self.objects[f"s3://{request['Bucket']}/{request['Key']}"] = request["Body"]


@pytest.fixture
def sagemaker() -> FakeSageMaker:
    return FakeSageMaker()


@pytest.fixture
def ssm() -> FakeSsm:
    return FakeSsm()


@pytest.fixture
def registry(sagemaker: FakeSageMaker, ssm: FakeSsm) -> ModelRegistry:
    return ModelRegistry("local", "vehicles", "/approved-model", sagemaker=sagemaker, ssm=ssm)


def register(registry: ModelRegistry, score: Score, s3: FakeS3 | None = None, **properties: str) -> str:
    """Register a model with these metadata properties, and return the ARN of its version."""
    request = RegistrationRequest(
        job=JOB,
        score=score,
        image="image:1",
        scripted=True,
        brings_packages=False,
        status="PendingManualApproval",
        reason="good enough",
        manifest=MANIFEST,
        properties=properties,
        model_card={"model_overview": {"model_creator": "make train"}},
    )
    return registry.register(request, s3=s3 or FakeS3())


def test_version_stores_model_score_and_properties(registry: ModelRegistry, sagemaker: FakeSageMaker) -> None:
    # GIVEN
    score = Score(95, 100, "images")

    # WHEN
    arn = register(registry, score, source="CIFAR-100", code="abc")

    # THEN
    package = sagemaker.packages[arn]
    container = package["InferenceSpecification"]["Containers"][0]
    assert (container["Image"], container["ModelDataUrl"]) == ("image:1", JOB.model_data_url)
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    properties = package["CustomerMetadataProperties"]
    assert properties["training_job"] == "vehicles-1"
    assert (properties["source"], properties["code"]) == ("CIFAR-100", "abc")
    assert make_version(1, properties=properties).score == score


def test_version_has_a_model_card(registry: ModelRegistry, sagemaker: FakeSageMaker) -> None:
    arn = register(registry, Score(95, 100, "images"))
    card = sagemaker.packages[arn]["ModelCard"]
    assert json.loads(card["ModelCardContent"]) == {"model_overview": {"model_creator": "make train"}}
    assert card["ModelCardStatus"] == "PendingReview"


def test_version_refers_to_the_metrics_of_its_training_job(registry: ModelRegistry, sagemaker: FakeSageMaker) -> None:
    # GIVEN
    s3 = FakeS3()

    # WHEN
    arn = register(registry, Score(95, 100, "images"), s3)

    # THEN
    quality = sagemaker.packages[arn]["ModelMetrics"]["ModelQuality"]["Statistics"]
    assert json.loads(s3.objects[quality["S3Uri"]]) == JOB.metrics


def test_manifest_of_the_training_data_is_stored_next_to_the_model(
    registry: ModelRegistry, sagemaker: FakeSageMaker
) -> None:
    # GIVEN
    s3 = FakeS3()

    # WHEN
    arn = register(registry, Score(95, 100, "images"), s3)

    # THEN
    properties = sagemaker.packages[arn]["CustomerMetadataProperties"]
    stored = s3.objects["s3://bucket/models/vehicles-1/output/manifest.json"]
    assert properties["manifest"] == "s3://bucket/models/vehicles-1/output/manifest.json"
    assert json.loads(stored) == MANIFEST
    assert properties["manifest_md5"] == hashlib.md5(stored, usedforsecurity=False).hexdigest()


def test_long_metadata_property_is_truncated(registry: ModelRegistry, sagemaker: FakeSageMaker) -> None:
    arn = register(registry, Score(1, 1, "images"), source="x" * 1000)
    assert len(sagemaker.packages[arn]["CustomerMetadataProperties"]["source"]) == 256


@pytest.mark.parametrize("status", ["Approved", "Rejected"])
def test_approval_and_rejection_store_the_reason(
    registry: ModelRegistry, sagemaker: FakeSageMaker, ssm: FakeSsm, status: str
) -> None:
    # GIVEN
    arn = register(registry, Score(95, 100, "images"))

    # WHEN
    (registry.approve if status == "Approved" else registry.reject)(arn, "a reason")

    # THEN
    package = sagemaker.packages[arn]
    assert (package["ModelApprovalStatus"], package["ApprovalDescription"]) == (status, "a reason")
    assert ssm.parameters == ({"/approved-model/model-package-arn": arn} if status == "Approved" else {})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("archive in CIFAR-100's format, not the official one (a.tar.gz, md5 0cc1)", id="punctuation"),
        pytest.param("é, 中", id="non-ASCII letters"),
        pytest.param("", id="empty"),
        pytest.param("(" * 300, id="only punctuation"),
    ],
)
def test_metadata_property_has_only_characters_that_sagemaker_accepts(
    registry: ModelRegistry, sagemaker: FakeSageMaker, text: str
) -> None:
    # WHEN
    arn = register(registry, Score(1, 1, "images"), source=text)

    # THEN
    source = sagemaker.packages[arn]["CustomerMetadataProperties"]["source"]
    assert re.fullmatch(r"[\w .:/=+@-]{1,256}", source)


def test_approval_stores_the_location_of_the_baseline_before_the_approved_arn(
    registry: ModelRegistry, ssm: FakeSsm
) -> None:
    # GIVEN
    arn = register(registry, Score(95, 100, "images"), baseline="baseline.json")

    # WHEN
    registry.approve(arn, "good")

    # THEN
    assert json.loads(ssm.parameters["/approved-model/baseline"]) == {
        "model_package_arn": arn,
        "model_data_url": JOB.model_data_url,
    }
    assert list(ssm.parameters) == ["/approved-model/baseline", "/approved-model/model-package-arn"]


def test_rollback_to_a_version_without_a_baseline_keeps_the_baseline_of_the_other_version(
    registry: ModelRegistry, ssm: FakeSsm
) -> None:
    # GIVEN
    old = register(registry, Score(95, 100, "images"))
    new = register(registry, Score(96, 100, "images"), baseline="baseline.json")
    registry.approve(new, "good")

    # WHEN
    registry.roll_back_to(old)

    # THEN the stored baseline names the other version, so Terraform ignores it
    assert ssm.parameters["/approved-model/model-package-arn"] == old
    assert json.loads(ssm.parameters["/approved-model/baseline"])["model_package_arn"] == new
