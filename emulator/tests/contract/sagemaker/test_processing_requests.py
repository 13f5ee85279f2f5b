"""API requests for processing jobs: descriptions, lists, and refused requests."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ..functions import unique
from .resources import PROCESSING_OUTPUT, SageMaker, processing_input, processing_output

URI = "s3://bucket/data/"
PATH = "/opt/ml/processing/input"
CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}


def test_description_contains_the_members_of_the_request(sagemaker: SageMaker) -> None:
    # GIVEN
    request: dict[str, Any] = {
        "Environment": {"A": "b"},
        "ExperimentConfig": {"ExperimentName": "drift", "TrialName": "daily"},
        "NetworkConfig": {"EnableNetworkIsolation": True},
        "StoppingCondition": {"MaxRuntimeInSeconds": 30},
        "ProcessingOutputConfig": processing_output(f"s3://{sagemaker.bucket}/out"),
        "ProcessingResources": {"ClusterConfig": CLUSTER},
    }
    # WHEN
    name = sagemaker.start_processing(program="pass", Tags=[{"Key": "team", "Value": "a"}], **request)
    # THEN
    described = sagemaker.wait_for_processing(name)
    assert {key: described[key] for key in request} == request
    tags = sagemaker.client.list_tags(ResourceArn=described["ProcessingJobArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "a"}]


def test_lists_of_jobs_are_filtered_sorted_and_paginated(sagemaker: SageMaker) -> None:
    # GIVEN a job that completes and a job that fails
    base, before = unique("listed"), datetime.now(UTC) - timedelta(seconds=1)
    names = [f"{base}-{letter}" for letter in "ba"]
    for name, program in zip(names, ("pass", "raise SystemExit(2)"), strict=True):
        sagemaker.wait_for_processing(sagemaker.start_processing(program=program, ProcessingJobName=name))

    def list_jobs(**request: Any) -> list[dict[str, Any]]:
        summaries: list[dict[str, Any]] = sagemaker.client.list_processing_jobs(NameContains=base, **request)[
            "ProcessingJobSummaries"
        ]
        return summaries

    # WHEN / THEN
    assert [each["ProcessingJobName"] for each in list_jobs()] == names
    assert [each["ProcessingJobName"] for each in list_jobs(SortBy="Name")] == names[::-1]
    (failed,) = list_jobs(StatusEquals="Failed", LastModifiedTimeAfter=before)
    assert (failed["ProcessingJobName"], failed["FailureReason"]) == (names[1], "AlgorithmError: , exit code: 2")
    assert not list_jobs(LastModifiedTimeBefore=before)
    pages = sagemaker.client.get_paginator("list_processing_jobs").paginate(
        NameContains=base, SortOrder="Descending", PaginationConfig={"PageSize": 1}
    )
    assert [[each["ProcessingJobName"] for each in page["ProcessingJobSummaries"]] for page in pages] == [
        [name] for name in names[::-1]
    ]
    with pytest.raises(ClientError, match="sortBy"):
        list_jobs(SortBy="Size")


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"ProcessingJobName": "no_underscores"}, "'processingJobName' failed to satisfy constraint"),
        ({"ProcessingInputs": [processing_input("a", URI, "/opt/ml/input")]}, "must begin with /opt/ml/processing/"),
        ({"ProcessingInputs": [processing_input("a", URI, f"{PATH}/../../x")]}, "must begin with /opt/ml/processing/"),
        ({"ProcessingInputs": [processing_input("a", URI, PATH, S3CompressionType="Gzip")]}, "Gzip of input a"),
        ({"ProcessingInputs": [{"InputName": "a"}]}, "must have an S3Input"),
        ({"ProcessingOutputConfig": {"Outputs": [{"OutputName": "a"}]}}, "must have an S3Output"),
        ({"ProcessingOutputConfig": processing_output(URI, "/tmp/out")}, "must begin with /opt/ml/processing/"),  # noqa: S108
        ({"ProcessingResources": {"ClusterConfig": {"VolumeSizeInGB": 1}}}, "must have an InstanceType"),
        ({"ProcessingInputs": [processing_input(name, URI, PATH) for name in "ab"]}, "inputs a and b must differ"),
        ({"Environment": {"A=B": "c"}}, "'A=B' at 'environment' failed to satisfy constraint"),
        ({"Environment": {"": "c"}}, "'' at 'environment' failed to satisfy constraint"),
        ({"Environment": {"A": "b" * 257}}, "'environment' failed .* Map value .* less than or equal to 256"),
        ({"Environment": {f"A{number}": "b" for number in range(101)}}, "length less than or equal to 100"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 777_601}}, "value less than or equal to 777600"),
        ({"ProcessingInputs": [processing_input("a", "s3://", PATH)]}, "'processingInputs.1.member.s3Input.s3Uri'"),
        ({"ProcessingOutputConfig": processing_output(URI, mode="AtTheEnd")}, r"enum value set: \[Continuous, "),
    ],
)
def test_invalid_request_is_refused(sagemaker: SageMaker, request_: dict[str, Any], reason: str) -> None:
    # WHEN / THEN
    with pytest.raises(ClientError, match=reason) as caught:
        sagemaker.start_processing(program="pass", **request_)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


REDSHIFT = {
    **dict.fromkeys(("ClusterId", "Database", "DbUser", "QueryString"), "a"),
    **{"ClusterRoleArn": "arn:aws:iam::123456789012:role/a", "OutputS3Uri": URI, "OutputFormat": "CSV"},
}
DATASET = {"InputName": "a", "DatasetDefinition": {"LocalPath": PATH, "RedshiftDatasetDefinition": REDSHIFT}}
FEATURES = {"OutputName": "a", "FeatureStoreOutput": {"FeatureGroupName": "a"}, "AppManaged": True}
PREFERENCES = {"InstancePreferences": [{"InstanceType": "ml.m5.large", "InstanceCount": 1}], "VolumeSizeInGB": 1}


@pytest.mark.parametrize(
    ("request_", "alternative"),
    [
        ({"ProcessingInputs": [processing_input("a", URI, PATH, S3InputMode="Pipe")]}, "use File"),
        ({"ProcessingInputs": [processing_input("a", "https://bucket/data", PATH)]}, "begins with s3://"),
        ({"ProcessingInputs": [DATASET]}, "export the data to S3 and use an S3Input"),
        ({"ProcessingOutputConfig": {"Outputs": [FEATURES]}}, "use an S3Output"),
        ({"ProcessingResources": {"ClusterConfig": PREFERENCES}}, "use InstanceType and InstanceCount"),
    ],
)
def test_error_for_an_unsupported_request_names_the_alternative(
    sagemaker: SageMaker, request_: dict[str, Any], alternative: str
) -> None:
    # WHEN / THEN
    with pytest.raises(ClientError, match=alternative) as caught:
        sagemaker.start_processing(program="pass", **request_)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_IMPLEMENTED
    assert "CreateProcessingJob" in str(caught.value)


def test_existing_job_name_is_refused(sagemaker: SageMaker) -> None:
    # GIVEN
    name = sagemaker.start_processing(program="pass")
    # WHEN / THEN
    with pytest.raises(sagemaker.client.exceptions.ResourceInUse, match="must be unique"):
        sagemaker.start_processing(program="pass", ProcessingJobName=name)
    sagemaker.wait_for_processing(name)


def test_app_managed_inputs_and_outputs_need_no_local_path(sagemaker: SageMaker) -> None:
    # GIVEN
    output = {"OutputName": "a", "AppManaged": True, "S3Output": {"S3Uri": URI, "S3UploadMode": "EndOfJob"}}
    source = {"S3Uri": URI, "S3DataType": "S3Prefix"}
    # WHEN
    job = sagemaker.process(
        "pass",
        ProcessingInputs=[{"InputName": "a", "AppManaged": True, "S3Input": source}],
        ProcessingOutputConfig={"Outputs": [output]},
    )
    # THEN
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    assert PROCESSING_OUTPUT not in str(job)
