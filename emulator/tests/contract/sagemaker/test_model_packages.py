"""The model registry: model packages, model cards, versions and tags."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from ..functions import unique
from .resources import ROLE, SERVER, SageMaker

SPECIFICATION = {
    "Containers": [{"Image": SERVER, "ModelDataUrl": "s3://bucket/model.tar.gz", "Environment": {"A": "b"}}],
    "SupportedContentTypes": ["image/png"],
    "SupportedResponseMIMETypes": ["application/json"],
}


@pytest.fixture
def group(sagemaker: SageMaker) -> str:
    """The name of an empty model package group."""
    name = unique("group")
    sagemaker.client.create_model_package_group(ModelPackageGroupName=name, Tags=[{"Key": "a", "Value": "1"}])
    return name


def register(sagemaker: SageMaker, group: str, **request: Any) -> str:
    """Create a model package in the group and return the package's ARN."""
    package = sagemaker.client.create_model_package(
        ModelPackageGroupName=group,
        InferenceSpecification=SPECIFICATION,
        **{"ModelApprovalStatus": "PendingManualApproval", **request},
    )
    return str(package["ModelPackageArn"])


def test_description_contains_the_registered_properties(sagemaker: SageMaker, group: str) -> None:
    # GIVEN
    metrics = {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://bucket/s.json"}}}
    # WHEN
    arn = register(sagemaker, group, ModelMetrics=metrics, CustomerMetadataProperties={"accuracy": "0.91"})
    described = sagemaker.client.describe_model_package(ModelPackageName=arn)
    # THEN
    assert (described["ModelPackageGroupName"], described["ModelPackageVersion"]) == (group, 1)
    assert described["InferenceSpecification"] == SPECIFICATION
    assert described["ModelMetrics"] == metrics
    assert described["CustomerMetadataProperties"] == {"accuracy": "0.91"}
    assert described["ModelPackageStatus"] == "Completed"


@pytest.mark.parametrize("properties", [{"source": "a, b"}, {"a,b": "c"}, {"source": "x" * 257}])
def test_invalid_metadata_properties_are_refused(sagemaker: SageMaker, group: str, properties: dict[str, str]) -> None:
    # WHEN / THEN
    with pytest.raises(ClientError, match=r"ValidationException.*customerMetadataProperties"):
        register(sagemaker, group, CustomerMetadataProperties=properties)


def test_model_card_is_stored_and_updated(sagemaker: SageMaker, group: str) -> None:
    # GIVEN
    content = '{"model_overview": {"model_creator": "a person"}}'
    card = {"ModelCardContent": content, "ModelCardStatus": "PendingReview"}
    # WHEN
    arn = register(sagemaker, group, ModelCard=card)
    created = sagemaker.client.describe_model_package(ModelPackageName=arn)
    sagemaker.client.update_model_package(ModelPackageArn=arn, ModelCard={"ModelCardStatus": "Approved"})
    updated = sagemaker.client.describe_model_package(ModelPackageName=arn)
    without_card = sagemaker.client.describe_model_package(ModelPackageName=register(sagemaker, group))
    # THEN
    assert created["ModelCard"] == card
    assert updated["ModelCard"] == {"ModelCardContent": content, "ModelCardStatus": "Approved"}
    assert "ModelCard" not in without_card


@pytest.mark.parametrize(
    "card", [{"ModelCardContent": "{"}, {"ModelCardContent": '{"overview": {}}'}, {"ModelCardStatus": "Done"}]
)
def test_invalid_model_card_is_refused(sagemaker: SageMaker, group: str, card: dict[str, str]) -> None:
    # WHEN / THEN
    with pytest.raises(ClientError, match=r"ValidationException.*ModelCard"):
        register(sagemaker, group, ModelCard=card)


def test_update_keeps_the_properties_that_it_does_not_name(sagemaker: SageMaker, group: str) -> None:
    # GIVEN
    arn = register(sagemaker, group, CustomerMetadataProperties={"accuracy": "0.91"})
    # WHEN
    sagemaker.client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    sagemaker.client.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"note": "good"})
    # THEN
    described = sagemaker.client.describe_model_package(ModelPackageName=arn)
    assert described["ModelApprovalStatus"] == "Approved"
    assert described["CustomerMetadataProperties"] == {"accuracy": "0.91", "note": "good"}


def test_approved_versions_are_listed_newest_first(sagemaker: SageMaker, group: str) -> None:
    # GIVEN
    arns = [register(sagemaker, group, ModelApprovalStatus="Approved") for _ in range(3)]
    register(sagemaker, group, ModelApprovalStatus="Rejected")
    # WHEN
    listed = sagemaker.client.list_model_packages(
        ModelPackageGroupName=group, ModelApprovalStatus="Approved", SortBy="CreationTime", SortOrder="Descending"
    )["ModelPackageSummaryList"]
    # THEN
    assert [each["ModelPackageArn"] for each in listed] == arns[::-1]
    assert listed[0]["ModelPackageVersion"] == 3


def test_version_number_is_never_reused(sagemaker: SageMaker, group: str) -> None:
    # GIVEN
    first, second = register(sagemaker, group), register(sagemaker, group)
    # WHEN
    sagemaker.client.delete_model_package(ModelPackageName=first)
    third = register(sagemaker, group)
    # THEN
    assert [arn.rpartition("/")[2] for arn in (second, third)] == ["2", "3"]
    with pytest.raises(ClientError, match="ValidationException"):
        sagemaker.client.describe_model_package(ModelPackageName=first)


def test_group_can_be_deleted_only_if_it_is_empty(sagemaker: SageMaker, group: str) -> None:
    # GIVEN
    arn = register(sagemaker, group)
    # WHEN the group still contains a version, THEN its deletion is refused
    with pytest.raises(ClientError, match="ConflictException"):
        sagemaker.client.delete_model_package_group(ModelPackageGroupName=group)
    # WHEN the version is deleted, THEN the group can be deleted
    sagemaker.client.delete_model_package(ModelPackageName=arn)
    sagemaker.client.delete_model_package_group(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.client.describe_model_package_group(ModelPackageGroupName=group)


def test_existing_group_name_is_refused(sagemaker: SageMaker, group: str) -> None:
    # WHEN / THEN
    with pytest.raises(ClientError, match="already exists"):
        sagemaker.client.create_model_package_group(ModelPackageGroupName=group)


def test_tags_are_added_changed_and_removed(sagemaker: SageMaker, group: str) -> None:
    # GIVEN a model package group, a model package and a model
    client = sagemaker.client
    arns = [
        client.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"],
        register(sagemaker, group),
        client.describe_model(ModelName=sagemaker.create_model())["ModelArn"],
    ]
    for arn in arns:
        # WHEN
        client.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        client.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": "3"}])
        client.delete_tags(ResourceArn=arn, TagKeys=["a"])
        # THEN
        assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "3"}]


def test_description_of_a_model_without_vpc_has_no_vpc_config(sagemaker: SageMaker) -> None:
    # GIVEN
    name = unique("model")
    # WHEN
    sagemaker.client.create_model(
        ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": SERVER}, EnableNetworkIsolation=True
    )
    # THEN
    described = sagemaker.client.describe_model(ModelName=name)
    assert "VpcConfig" not in described
    assert described["EnableNetworkIsolation"] is True
