"""SageMaker's EventBridge events about status changes of jobs, endpoints and model packages.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
"""

import json
import re
from datetime import UTC, datetime
from functools import partial
from typing import Any

from moto.sagemaker.models import (
    FakeEndpoint,
    FakeProcessingJob,
    FakeTrainingJob,
    FakeTransformJob,
    HyperParameterTuningJob,
    ModelPackage,
)

from sagelocal.core.patching import add, replace
from sagelocal.services import events
from sagelocal.services.sagemaker.model_packages import PACKAGE_PARAMETERS

# The members of each event's detail; the first member is the ARN
TRAINING = (
    *("TrainingJobArn", "TrainingJobName", "TrainingJobStatus", "SecondaryStatus", "FailureReason", "HyperParameters"),
    *("AlgorithmSpecification", "RoleArn", "InputDataConfig", "OutputDataConfig", "ModelArtifacts", "ResourceConfig"),
    *("VpcConfig", "StoppingCondition", "CreationTime", "TrainingStartTime", "TrainingEndTime", "LastModifiedTime"),
    *("SecondaryStatusTransitions", "Tags"),
)
TUNING = (
    *("HyperParameterTuningJobArn", "HyperParameterTuningJobName", "TrainingJobDefinition"),
    *("HyperParameterTuningJobStatus", "CreationTime", "LastModifiedTime", "TrainingJobStatusCounters"),
    *("ObjectiveStatusCounters", "Tags"),
)
PROCESSING = (
    *("ProcessingJobArn", "ProcessingJobName", "ProcessingJobStatus", "FailureReason", "ExitMessage"),
    *("ProcessingInputs", "ProcessingOutputConfig", "ProcessingResources", "StoppingCondition", "AppSpecification"),
    *("Environment", "NetworkConfig", "RoleArn", "ExperimentConfig", "ProcessingStartTime", "ProcessingEndTime"),
    *("LastModifiedTime", "CreationTime", "Tags"),
)
TRANSFORM = (
    *("TransformJobArn", "TransformJobName", "TransformJobStatus", "FailureReason", "ModelName"),
    *("MaxConcurrentTransforms", "MaxPayloadInMB", "BatchStrategy", "Environment", "TransformInput"),
    *("TransformOutput", "TransformResources", "CreationTime", "TransformStartTime", "TransformEndTime", "Tags"),
)
ENDPOINT = (
    *("EndpointArn", "EndpointName", "EndpointConfigName", "ProductionVariants", "EndpointStatus", "FailureReason"),
    *("CreationTime", "LastModifiedTime", "Tags"),
)
PACKAGE = (
    *("ModelPackageArn", "ModelPackageGroupName", "ModelPackageName", "ModelPackageVersion"),
    *("ModelPackageDescription", "CreationTime", "InferenceSpecification", "ModelPackageStatus"),
    *("ModelPackageStatusDetails", "CertifyForMarketplace", "ModelApprovalStatus", "ApprovalDescription"),
    *("MetadataProperties", "CustomerMetadataProperties", "ModelMetrics", "LastModifiedTime"),
)


def install() -> None:
    """Send events for changes of the status of jobs and endpoints, and for creations and updates of model packages."""
    _watch(FakeTrainingJob, "training_job_status", partial(_send, "Training Job", TRAINING))
    _watch(
        HyperParameterTuningJob,
        "hyper_parameter_tuning_job_status",
        partial(_send, "HyperParameter Tuning Job", TUNING),
    )
    _watch(FakeProcessingJob, "processing_job_status", partial(_send, "Processing Job", PROCESSING))
    _watch(FakeTransformJob, "transform_job_status", partial(_send, "Transform Job", TRANSFORM))
    _watch(FakeEndpoint, "endpoint_status", partial(_send, "Endpoint", ENDPOINT))
    _send_package_events(partial(_send, "Model Package", PACKAGE))


def _watch(kind: type[Any], attribute: str, send: Any) -> None:
    """Patch a class of moto records so that `send` is called with a record when an attribute changes its value."""

    def get(record: Any) -> Any:
        return record.__dict__[attribute]

    def assign(record: Any, value: Any) -> None:
        before = record.__dict__.get(attribute, value)
        record.__dict__[attribute] = value
        if value != before:
            send(record)

    add(kind, attribute, property(get, assign))


def _send_package_events(send: Any) -> None:
    """Send an event when a model package has been created, and after each update."""

    def create(package: Any, *arguments: Any, **given: Any) -> None:
        original_create(package, *arguments, **given)
        send(package)

    def modifications_done(package: Any) -> None:
        original_update(package)
        send(package)

    original_create = replace(ModelPackage, "__init__", create, parameters=PACKAGE_PARAMETERS)
    original_update = replace(ModelPackage, "modifications_done", modifications_done)


def _send(name: str, members: tuple[str, ...], record: Any) -> None:
    account, region = record.arn.split(":")[4], record.arn.split(":")[3]
    events.put(account, region, "aws.sagemaker", f"SageMaker {name} State Change", record.arn, _detail(members, record))


def _detail(members: tuple[str, ...], record: Any) -> dict[str, Any]:
    described = {**record.gen_response_object(), members[0]: record.arn}
    detail = {name: described[name] for name in members if described.get(name) not in (None, "")}
    if "Tags" in members:
        detail["Tags"] = {tag["Key"]: tag["Value"] for tag in detail.get("Tags") or []}
    if "EndpointStatus" in detail:
        detail["EndpointStatus"] = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", detail["EndpointStatus"]).upper()
    timestamp = _iso if members in (TRANSFORM, PACKAGE) else _milliseconds
    return dict(json.loads(json.dumps(detail, default=timestamp)))


def _iso(moment: datetime) -> str:
    return _utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def _milliseconds(moment: datetime) -> int:
    return int(_utc(moment).timestamp() * 1000)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
