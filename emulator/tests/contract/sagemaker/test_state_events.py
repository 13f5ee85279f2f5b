"""SageMaker sends events to EventBridge when the status of a job, an endpoint or a model package changes.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
"""

import re
from collections.abc import Callable
from typing import Any

import pytest

from sagelocal.pytest_plugin import RunningEmulator

from ..functions import unique
from ..queues import Inbox, make_rule
from .resources import SageMaker
from .test_batch_transform import start_transform
from .test_tuning import tune

Subscribe = Callable[..., Inbox]


@pytest.fixture
def subscribe(emulator: RunningEmulator) -> Subscribe:
    """Return a function that creates a queue for the events of one kind of resource.

    kind   : such as `Training Job`; the events have the detail type `SageMaker <kind> State Change`
    detail : pattern for the details of the events
    """

    def create_queue(kind: str, **detail: Any) -> Inbox:
        inbox, kinds = Inbox(emulator), [f"SageMaker {kind} State Change"]
        make_rule(emulator, {"source": ["aws.sagemaker"], "detail-type": kinds, "detail": detail}, {"Arn": inbox.arn})
        return inbox

    return create_queue


def details(inbox: Inbox, status: str, count: int = 2) -> dict[str, Any]:
    """Wait for `count` events, which may arrive in any order, and return their details by status.

    status : name of the detail that contains the status
    """
    return {event["detail"][status]: event["detail"] for event in inbox.take(count)}


def test_event_of_a_failed_training_job_contains_the_failure_reason(sagemaker: SageMaker, subscribe: Subscribe) -> None:
    # GIVEN
    inbox = subscribe("Training Job", OutputDataConfig={"S3OutputPath": [f"s3://{sagemaker.bucket}/models"]})
    # WHEN
    name = sagemaker.start_training(program="raise SystemExit(3)", Tags=[{"Key": "team", "Value": "a"}])
    # THEN
    found = details(inbox, "TrainingJobStatus")
    started, failed = found["InProgress"], found["Failed"]
    assert (started["SecondaryStatus"], failed["SecondaryStatus"]) == ("Starting", "Failed")
    assert "exit code: 3" in failed["FailureReason"]
    assert (failed["TrainingJobName"], failed["Tags"]) == (name, {"team": "a"})
    assert started["CreationTime"] <= failed["TrainingEndTime"]


def test_event_of_a_failed_processing_job_contains_reason_and_message(
    sagemaker: SageMaker, subscribe: Subscribe
) -> None:
    # GIVEN
    name = unique("job")
    inbox = subscribe("Processing Job", ProcessingJobName=[name])
    program = "import pathlib; pathlib.Path('/opt/ml/output/message').write_text('empty'); raise SystemExit(3)"
    # WHEN
    sagemaker.start_processing(program=program, ProcessingJobName=name, Tags=[{"Key": "team", "Value": "a"}])
    # THEN
    found = details(inbox, "ProcessingJobStatus")
    started, failed = found["InProgress"], found["Failed"]
    assert (failed["FailureReason"], failed["ExitMessage"]) == ("AlgorithmError: , exit code: 3", "empty")
    assert (failed["ProcessingJobName"], failed["Tags"]) == (name, {"team": "a"})
    assert started["CreationTime"] <= failed["ProcessingEndTime"]


def test_endpoint_sends_an_event_for_each_status(sagemaker: SageMaker, subscribe: Subscribe) -> None:
    # GIVEN
    config = sagemaker.create_endpoint_config({"AllTraffic": (sagemaker.create_model(), 1)})
    inbox = subscribe("Endpoint", EndpointConfigName=[config])
    # WHEN
    endpoint = sagemaker.create_endpoint(config)
    sagemaker.delete_endpoint(endpoint)
    # THEN
    found = details(inbox, "EndpointStatus", 3)
    assert found.keys() == {"CREATING", "IN_SERVICE", "DELETING"}
    assert {each["EndpointName"] for each in found.values()} == {endpoint}


def test_event_of_a_failed_transform_job_contains_the_failure_reason(
    sagemaker: SageMaker, subscribe: Subscribe
) -> None:
    # GIVEN
    inbox = subscribe("Transform Job", TransformOutput={"S3OutputPath": [f"s3://{sagemaker.bucket}/out"]})
    # WHEN
    start_transform(sagemaker, sagemaker.create_model(), f"s3://{sagemaker.bucket}/absent")
    # THEN
    failed = details(inbox, "TransformJobStatus")["Failed"]
    assert failed["FailureReason"].startswith("ClientError")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", failed["TransformEndTime"])


def test_event_of_a_tuning_job_contains_its_status_counters(sagemaker: SageMaker, subscribe: Subscribe) -> None:
    # GIVEN
    output = {"S3OutputPath": [f"s3://{sagemaker.bucket}/models"]}
    inbox = subscribe("HyperParameter Tuning Job", TrainingJobDefinition={"OutputDataConfig": output})
    # WHEN the only training job of a tuning job fails
    tune(sagemaker, jobs=1, parallel=1, static={"kind": "bad"})
    # THEN
    found = details(inbox, "HyperParameterTuningJobStatus")
    assert found.keys() == {"InProgress", "Failed"}
    assert found["Failed"]["TrainingJobStatusCounters"]["NonRetryableError"] == 1


def test_approval_of_a_model_package_sends_an_event(sagemaker: SageMaker, subscribe: Subscribe) -> None:
    # GIVEN
    client, group = sagemaker.client, unique("group")
    inbox = subscribe("Model Package", ModelPackageGroupName=[group])
    client.create_model_package_group(ModelPackageGroupName=group)
    package = client.create_model_package(ModelPackageGroupName=group, ModelApprovalStatus="PendingManualApproval")
    # WHEN
    arn = package["ModelPackageArn"]
    client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="good")
    # THEN
    found = details(inbox, "ModelApprovalStatus")
    assert found.keys() == {"PendingManualApproval", "Approved"}
    approved = found["Approved"]
    assert (approved["ModelPackageArn"], approved["ModelPackageVersion"]) == (arn, 1)
    assert (approved["ModelPackageStatus"], approved["ApprovalDescription"]) == ("Completed", "good")
