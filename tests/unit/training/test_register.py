"""The registry keeps with each version what is needed to judge the next one."""

import json
from typing import Any

from training.judge import Score
from training.launch import TrainingJob
from training.register import approve, properties_of, register, score_of

JOB = TrainingJob("vehicles-1", "arn:job", "s3://bucket/models/vehicles-1/output/model.tar.gz", 60, {"epochs": []})


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

    def describe_model_package(self, **request: Any) -> dict[str, Any]:
        return self.packages[request["ModelPackageName"]]


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
        status="PendingManualApproval",
        reason="good enough",
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
    known = properties_of(arn, sagemaker=registry)
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


def test_long_texts_are_cut_to_what_the_service_takes() -> None:
    registry = FakeRegistry()
    arn = add(registry, Score(1, 1, "rows"), source="x" * 1000)
    assert len(registry.packages[arn]["CustomerMetadataProperties"]["source"]) == 256


def test_an_approved_version_says_why() -> None:
    # GIVEN
    registry = FakeRegistry()
    arn = add(registry, Score(95, 100, "rows"))

    # WHEN
    approve(arn, sagemaker=registry, reason="no worse")

    # THEN
    package = registry.packages[arn]
    assert (package["ModelApprovalStatus"], package["ApprovalDescription"]) == ("Approved", "no worse")
