"""The model registry: a version of the model package group for each training job, with what is known of it."""

import json
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from training.judge import Score
from training.launch import TrainingJob

Status = Literal["Approved", "PendingManualApproval", "Rejected"]
CONTENT_TYPES = ["image/png", "image/jpeg", "application/x-image"]
# What AWS's PyTorch inference image needs to know of the code in model.tar.gz
SERVING = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


def register(
    job: TrainingJob,
    score: Score,
    *,
    sagemaker: Any,
    s3: Any,
    group: str,
    image: str,
    status: Status,
    reason: str,
    properties: Mapping[str, str],
) -> str:
    """Register a job's model.

    Parameters
    ----------
    image : URI of the container image that serves it
    status : whether it may be deployed
    reason : why, in words
    properties : what else is known of it, such as its source and its code

    Returns
    -------
    str
        ARN of the new version.
    """
    known = {
        **properties,
        "training_job": job.name,
        "validation_correct": str(score.correct),
        "validation_n": str(score.n),
        "validation_rows": score.rows,
    }
    metrics_url = put_metrics(job, s3=s3)
    answer = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelPackageDescription=reason[:1024],
        ModelApprovalStatus=status,
        InferenceSpecification={
            "Containers": [{"Image": image, "ModelDataUrl": job.model_data_url, "Environment": SERVING}],
            "SupportedContentTypes": CONTENT_TYPES,
            "SupportedResponseMIMETypes": ["application/json"],
        },
        ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": metrics_url}}},
        # a property's value may have 256 characters
        CustomerMetadataProperties={key: value[:256] for key, value in known.items()},
    )
    arn: str = answer["ModelPackageArn"]
    return arn


def put_metrics(job: TrainingJob, *, s3: Any) -> str:
    """Put a job's figures beside its model, where the registry can name them; their address."""
    url = job.model_data_url.removesuffix("model.tar.gz") + "metrics.json"
    address = urlsplit(url)
    body = json.dumps(job.metrics).encode()
    s3.put_object(Bucket=address.netloc, Key=address.path.lstrip("/"), Body=body, ContentType="application/json")
    return url


def approve(arn: str, *, sagemaker: Any, reason: str) -> None:
    """Allow a version to be deployed."""
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription=reason)


def properties_of(arn: str, *, sagemaker: Any) -> dict[str, str]:
    """What is known of a version."""
    return dict(sagemaker.describe_model_package(ModelPackageName=arn).get("CustomerMetadataProperties") or {})


def score_of(properties: Mapping[str, str]) -> Score:
    """The score with which a version was registered."""
    return Score(int(properties["validation_correct"]), int(properties["validation_n"]), properties["validation_rows"])
