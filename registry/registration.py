"""The model registry: a version of the model package group for each training job, with what is known of it."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from registry.comparison import Score
from training import packages
from training.follow import TrainingJob

Status = Literal["Approved", "PendingManualApproval", "Rejected"]
LONGEST_METADATA = 256  # of a property; an address has at most 160 characters: 63 of a bucket's name, 63 of a job's
CONTENT_TYPES = ["image/png", "image/jpeg", "application/x-image"]
SEVERAL = "application/json"  # in which the code of ours takes several images at once
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
    scripted: bool,
    brings_packages: bool,
    status: Status,
    reason: str,
    manifest: Mapping[str, Any],
    properties: Mapping[str, str],
) -> str:
    """Register a job's model, with the manifest of its data beside it: the bucket's own is the next data's some day.

    Parameters
    ----------
    image : URI of the container image that serves it
    scripted : whether code of ours in the model's archive serves it; else the image does so by itself
    brings_packages : whether its archive has the packages that this code needs, for a container without a network
    status : whether it may be deployed
    reason : why, in words
    manifest : of the data that it was trained on
    properties : what else is known of it, such as its source and its code, kept as `as_metadata` makes them

    Returns
    -------
    str
        ARN of the new version.
    """
    manifest_url, manifest_md5 = put_beside(job, "manifest.json", manifest, s3=s3)
    metrics_url, _ = put_beside(job, "metrics.json", job.metrics, s3=s3)
    # these are read again, and so kept to the letter: what the registry cannot hold it refuses
    known = {
        **{key: as_metadata(text) for key, text in properties.items()},
        "manifest": manifest_url,
        "manifest_md5": manifest_md5,
        "training_job": job.name,
        "validation_correct": str(score.correct),
        "validation_n": str(score.n),
        "validation_rows": score.rows,
    }
    answer = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelPackageDescription=reason[:1024],
        ModelApprovalStatus=status,
        InferenceSpecification=_serving(job, image, scripted, brings_packages),
        ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": metrics_url}}},
        CustomerMetadataProperties=known,
    )
    arn: str = answer["ModelPackageArn"]
    return arn


def _serving(job: TrainingJob, image: str, scripted: bool, brings_packages: bool) -> dict[str, Any]:
    container: dict[str, Any] = {"Image": image, "ModelDataUrl": job.model_data_url}
    if scripted:
        container["Environment"] = {**SERVING, **(packages.SERVING if brings_packages else {})}
    return {
        "Containers": [container],
        "SupportedContentTypes": [*CONTENT_TYPES, *([SEVERAL] if scripted else [])],
        "SupportedResponseMIMETypes": ["application/json"],
    }


def as_metadata(text: str) -> str:
    """Words as the registry takes them: without signs that it refuses, and cut to its length.

    Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html

    Examples
    --------
    >>> as_metadata("CIFAR-100's rows (bicycle, motorcycle)")
    'CIFAR-100 s rows bicycle motorcycle'
    """
    return re.sub(r" *[^\w .:/=+@-]+ *", " ", text).strip()[:LONGEST_METADATA] or "none"


def put_beside(job: TrainingJob, name: str, content: Mapping[str, Any], *, s3: Any) -> tuple[str, str]:
    """Put an object beside a job's model, where the registry can name it; its address and its MD5."""
    url = job.model_data_url.removesuffix("model.tar.gz") + name
    address = urlsplit(url)
    body = json.dumps(content).encode()
    s3.put_object(Bucket=address.netloc, Key=address.path.lstrip("/"), Body=body, ContentType="application/json")
    return url, hashlib.md5(body, usedforsecurity=False).hexdigest()


def approve(arn: str, *, sagemaker: Any, reason: str) -> None:
    """Allow a version to be deployed."""
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription=reason)


def reject(arn: str, *, sagemaker: Any, reason: str) -> None:
    """Forbid that a version is deployed."""
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected", ApprovalDescription=reason)


def score_of(properties: Mapping[str, str]) -> Score:
    """The score with which a version was registered."""
    return Score(int(properties["validation_correct"]), int(properties["validation_n"]), properties["validation_rows"])
