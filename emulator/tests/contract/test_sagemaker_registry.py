"""The model registry, batch transform, monitoring schedules and tags."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from .functions import unique
from .sagemaker_parts import (
    ROLE,
    SERVER,
    SageMaker,
    make_sagemaker,  # noqa: F401 (the fixture `sagemaker`)
)
from .waiting import eventually

SPECIFICATION = {
    "Containers": [{"Image": SERVER, "ModelDataUrl": "s3://bucket/model.tar.gz", "Environment": {"A": "b"}}],
    "SupportedContentTypes": ["image/png"],
    "SupportedResponseMIMETypes": ["application/json"],
}


@pytest.fixture
def group(sagemaker: SageMaker) -> str:
    """An empty model package group."""
    name = unique("group")
    sagemaker.client.create_model_package_group(ModelPackageGroupName=name, Tags=[{"Key": "a", "Value": "1"}])
    return name


def register(sagemaker: SageMaker, group: str, **request: Any) -> str:
    package = sagemaker.client.create_model_package(
        ModelPackageGroupName=group,
        InferenceSpecification=SPECIFICATION,
        **{"ModelApprovalStatus": "PendingManualApproval", **request},
    )
    return str(package["ModelPackageArn"])


def test_a_version_keeps_what_it_was_registered_with(sagemaker: SageMaker, group: str) -> None:
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
def test_properties_that_aws_refuses_are_refused(sagemaker: SageMaker, group: str, properties: dict[str, str]) -> None:
    # WHEN / THEN
    with pytest.raises(ClientError, match=r"ValidationException.*customerMetadataProperties"):
        register(sagemaker, group, CustomerMetadataProperties=properties)


def test_an_approval_changes_nothing_else(sagemaker: SageMaker, group: str) -> None:
    # GIVEN
    arn = register(sagemaker, group, CustomerMetadataProperties={"accuracy": "0.91"})
    # WHEN
    sagemaker.client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    sagemaker.client.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"note": "good"})
    # THEN
    described = sagemaker.client.describe_model_package(ModelPackageName=arn)
    assert described["ModelApprovalStatus"] == "Approved"
    assert described["CustomerMetadataProperties"] == {"accuracy": "0.91", "note": "good"}


def test_the_last_approved_version_comes_first(sagemaker: SageMaker, group: str) -> None:
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


def test_a_version_s_number_is_never_given_again(sagemaker: SageMaker, group: str) -> None:
    # GIVEN
    first, second = register(sagemaker, group), register(sagemaker, group)
    # WHEN
    sagemaker.client.delete_model_package(ModelPackageName=first)
    third = register(sagemaker, group)
    # THEN
    assert [arn.rpartition("/")[2] for arn in (second, third)] == ["2", "3"]
    with pytest.raises(ClientError, match="ValidationException"):
        sagemaker.client.describe_model_package(ModelPackageName=first)


def test_a_group_is_deleted_once_it_is_empty(sagemaker: SageMaker, group: str) -> None:
    # GIVEN
    arn = register(sagemaker, group)
    # WHEN / THEN
    with pytest.raises(ClientError, match="ConflictException"):
        sagemaker.client.delete_model_package_group(ModelPackageGroupName=group)
    sagemaker.client.delete_model_package(ModelPackageName=arn)
    sagemaker.client.delete_model_package_group(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.client.describe_model_package_group(ModelPackageGroupName=group)


def test_a_group_s_name_is_taken_once(sagemaker: SageMaker, group: str) -> None:
    # WHEN / THEN
    with pytest.raises(ClientError, match="already exists"):
        sagemaker.client.create_model_package_group(ModelPackageGroupName=group)


def test_tags_are_added_changed_and_removed(sagemaker: SageMaker, group: str) -> None:
    # GIVEN
    client = sagemaker.client
    schedule = unique("schedule")
    config = {"MonitoringJobDefinitionName": "definition", "MonitoringType": "DataQuality"}
    arns = [
        client.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"],
        register(sagemaker, group),
        client.describe_model(ModelName=sagemaker.make_model())["ModelArn"],
        client.create_monitoring_schedule(MonitoringScheduleName=schedule, MonitoringScheduleConfig=config)[
            "MonitoringScheduleArn"
        ],
    ]
    for arn in arns:
        # WHEN
        client.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        client.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": "3"}])
        client.delete_tags(ResourceArn=arn, TagKeys=["a"])
        # THEN
        assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "3"}]


def test_a_monitoring_schedule_is_kept(sagemaker: SageMaker) -> None:
    # GIVEN
    client, name = sagemaker.client, unique("schedule")
    config = {"MonitoringJobDefinitionName": "definition", "MonitoringType": "DataQuality"}
    changed = {**config, "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"}}
    # WHEN
    client.create_monitoring_schedule(MonitoringScheduleName=name, MonitoringScheduleConfig=config)
    client.update_monitoring_schedule(MonitoringScheduleName=name, MonitoringScheduleConfig=changed)
    client.stop_monitoring_schedule(MonitoringScheduleName=name)
    # THEN
    described = client.describe_monitoring_schedule(MonitoringScheduleName=name)
    assert described["MonitoringScheduleConfig"] == changed
    assert described["MonitoringScheduleStatus"] == "Stopped"
    listed = client.list_monitoring_schedules()["MonitoringScheduleSummaries"]
    assert name in {each["MonitoringScheduleName"] for each in listed}
    client.delete_monitoring_schedule(MonitoringScheduleName=name)
    with pytest.raises(client.exceptions.ResourceNotFound):
        client.describe_monitoring_schedule(MonitoringScheduleName=name)


def start_transform(sagemaker: SageMaker, model: str, uri: str, **more: Any) -> str:
    """Start a batch transform job; its name."""
    name = unique("transform")
    source = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}, "ContentType": "text/plain"}
    sagemaker.client.create_transform_job(
        TransformJobName=name,
        ModelName=model,
        TransformInput={**source, **more.pop("TransformInput", {})},
        TransformOutput={"S3OutputPath": f"s3://{sagemaker.bucket}/out", **more.pop("TransformOutput", {})},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **more,
    )
    return name


def transformed(sagemaker: SageMaker, name: str) -> dict[str, Any]:
    """A batch transform job's description once it has ended."""

    def ended() -> dict[str, Any]:
        described: dict[str, Any] = sagemaker.client.describe_transform_job(TransformJobName=name)
        return described if described["TransformJobStatus"] not in ("InProgress", "Stopping") else {}

    return eventually(ended)


def transform(sagemaker: SageMaker, model: str, uri: str, **more: Any) -> dict[str, Any]:
    """Run a batch transform job to its end; its description."""
    return transformed(sagemaker, start_transform(sagemaker, model, uri, **more))


def test_a_batch_is_answered_file_by_file(sagemaker: SageMaker) -> None:
    # GIVEN
    sagemaker.put("in/a.txt", "1234")
    sagemaker.put("in/deep/b.txt", "12")
    # WHEN
    job = transform(sagemaker, sagemaker.make_model(), f"s3://{sagemaker.bucket}/in")
    # THEN
    assert job["TransformJobStatus"] == "Completed", job["FailureReason"]
    assert sagemaker.keys("out/") == ["out/a.txt.out", "out/deep/b.txt.out"]
    assert b'"length": 4' in sagemaker.get(f"s3://{sagemaker.bucket}/out/a.txt.out")


@pytest.mark.parametrize(("strategy", "lengths"), [("SingleRecord", [3, 4]), ("MultiRecord", [7])])
def test_a_batch_is_split_by_line(sagemaker: SageMaker, strategy: str, lengths: list[int]) -> None:
    # GIVEN
    sagemaker.put("in/a.txt", "12\n345\n")
    # WHEN
    transform(
        sagemaker,
        sagemaker.make_model(),
        f"s3://{sagemaker.bucket}/in/",
        BatchStrategy=strategy,
        TransformInput={"SplitType": "Line"},
        TransformOutput={"AssembleWith": "Line"},
    )
    # THEN
    lines = sagemaker.get(f"s3://{sagemaker.bucket}/out/a.txt.out").splitlines()
    assert [f'"length": {length}'.encode() in line for length, line in zip(lengths, lines, strict=True)] == [
        True for _ in lengths
    ]


@pytest.mark.parametrize(
    ("body", "reason"), [(b"bad", "there is no such vehicle"), (None, "no input data")], ids=["refused", "nothing"]
)
def test_a_batch_that_fails_tells_why(sagemaker: SageMaker, body: bytes | None, reason: str) -> None:
    # GIVEN
    if body:
        sagemaker.put("in/a.txt", body)
    # WHEN
    job = transform(sagemaker, sagemaker.make_model(), f"s3://{sagemaker.bucket}/in/")
    # THEN
    assert job["TransformJobStatus"] == "Failed"
    assert reason in job["FailureReason"]


def test_a_batch_goes_on_past_an_object_that_fails(sagemaker: SageMaker) -> None:
    # GIVEN
    for name, body in (("a", "1"), ("b", "bad"), ("c", "1")):
        sagemaker.put(f"in/{name}.txt", body)
    # WHEN
    job = transform(sagemaker, sagemaker.make_model(), f"s3://{sagemaker.bucket}/in/")
    # THEN
    assert job["TransformJobStatus"] == "Failed"
    assert "in/b.txt" in job["FailureReason"]
    assert sagemaker.keys("out/") == ["out/a.txt.out", "out/c.txt.out"]


def test_a_batch_is_stopped(sagemaker: SageMaker) -> None:
    # GIVEN objects that take a second each
    for number in range(30):
        sagemaker.put(f"in/{number:02}.txt", "slow")
    name = start_transform(sagemaker, sagemaker.make_model(), f"s3://{sagemaker.bucket}/in/")
    # WHEN
    sagemaker.client.stop_transform_job(TransformJobName=name)
    # THEN
    assert transformed(sagemaker, name)["TransformJobStatus"] == "Stopped"
    assert len(sagemaker.keys("out/")) < 30
    with pytest.raises(ClientError, match="is in status Stopped"):
        sagemaker.client.stop_transform_job(TransformJobName=name)


def test_a_model_without_a_network_of_its_own_has_no_vpc_config(sagemaker: SageMaker) -> None:
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
