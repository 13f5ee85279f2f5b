"""The model registry: a model package group with a version for each trained model.

An SSM parameter contains the ARN of the version in use. If this version has a baseline for drift, a second SSM
parameter contains the location of the baseline, because Terraform cannot read it from the model package.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from common.errors import OperatorError
from common.s3 import sibling_url, split_url
from registry.comparison import Score
from staging.checksum import content_md5
from training import packages
from training.follow import TrainingJob

Status = Literal["Approved", "PendingManualApproval", "Rejected"]
BASELINE = "baseline"  # name of a property of versions with a baseline, and of the SSM parameter with its location
ROLLED_BACK = "rolled back"  # description of the SSM parameter that marks a rollback in the parameter's history
MAX_PROPERTY_LENGTH = 256  # enough for an S3 URL, in which bucket and job name have at most 63 characters each
CONTENT_TYPES = ["image/png", "image/jpeg", "application/x-image"]
BATCH_CONTENT_TYPE = "application/json"  # several images in one request; only this project's serving code accepts it
# Environment variables that tell AWS's PyTorch inference image where the serving code is
SERVING = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


@dataclass(frozen=True)
class RegistrationRequest:
    """A trained model to register.

    Attributes
    ----------
    image : URI of the inference container image
    scripted : whether this project's code in model.tar.gz serves the model, instead of code in the container image
    brings_packages : whether model.tar.gz contains the Python packages that AWS's image lacks, so that the container
        downloads none
    status : approval status that follows from the result of the quality gate
    reason : reason for the result of the quality gate
    manifest : content of the training data's manifest
    properties : further metadata, such as the data source and the commit
    model_card : content of the model card
    """

    job: TrainingJob
    score: Score
    image: str
    scripted: bool
    brings_packages: bool
    status: Status
    reason: str
    manifest: Mapping[str, Any]
    properties: Mapping[str, str]
    model_card: Mapping[str, Any]


@dataclass(frozen=True)
class Version:
    """One version of the model package group.

    Attributes
    ----------
    registered : time of registration
    gate_reason : reason for the result of the quality gate
    approval_reason : reason for the last approval or rejection, with its author; empty if there was no such decision
    properties : metadata from the registration
    image : URI of the inference container image
    model_data_url : S3 URL of model.tar.gz
    model_card : JSON text of the model card; empty if the version has no model card
    """

    arn: str
    status: Status
    registered: datetime
    gate_reason: str
    approval_reason: str
    properties: Mapping[str, str]
    image: str
    model_data_url: str
    model_card: str = ""

    @property
    def number(self) -> int:
        """Version number, counted from 1."""
        return version_number(self.arn)

    @property
    def name(self) -> str:
        """Name of the version (v1, v2, ...), which the endpoint's responses contain too."""
        return f"v{self.number}"

    @property
    def decision(self) -> str:
        """Who approved or rejected the version, and why."""
        # the quality gate approves a version with its own reason, and rejects a version without an approval reason
        by_gate = self.approval_reason == self.gate_reason if self.approval_reason else self.status == "Rejected"
        return "by the quality gate" if by_gate else self.approval_reason or "no decision recorded"

    @property
    def score(self) -> Score:
        """Score on the validation images at registration."""
        known = self.properties
        return Score(int(known["validation_correct"]), int(known["validation_n"]), known["validation_set"])


def version_number(arn: str) -> int:
    """Return the version number in a model package's ARN."""
    return int(arn.rpartition("/")[2])


def find_version(versions: Sequence[Version], name: str) -> Version:
    """Return the version with a name.

    Parameters
    ----------
    name : version number (`3`), version name (`v3`) or ARN

    Raises
    ------
    OperatorError
        No version has this name.
    """
    for version in versions:
        if name in (version.arn, version.name, str(version.number)):
            return version
    known = ", ".join(version.name for version in versions[:10]) or "no models"
    raise OperatorError(f"there is no model {name!r}: the registry has {known} (`make models`)")


def list_model_packages(group: str, *, sagemaker: Any) -> list[str]:
    """Return the ARNs of a model package group's versions."""
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    return [package["ModelPackageArn"] for page in pages for package in page["ModelPackageSummaryList"]]


def read_version(arn: str, *, sagemaker: Any) -> Version:
    """Return a version of a model package group by its ARN."""
    package = sagemaker.describe_model_package(ModelPackageName=arn)
    container = package["InferenceSpecification"]["Containers"][0]
    return Version(
        arn=arn,
        status=package["ModelApprovalStatus"],
        registered=package["CreationTime"],
        gate_reason=package.get("ModelPackageDescription") or "",
        approval_reason=package.get("ApprovalDescription") or "",
        properties=package.get("CustomerMetadataProperties") or {},
        image=container["Image"],
        model_data_url=container["ModelDataUrl"],
        model_card=package.get("ModelCard", {}).get("ModelCardContent") or "",
    )


def in_use_parameter(approved_model_path: str) -> str:
    """Return the name of the SSM parameter that holds the ARN of the version in use."""
    return f"{approved_model_path}/model-package-arn"


class ModelRegistry:
    """The model package group of an environment, and the SSM parameter that names the version in use.

    Parameters
    ----------
    environment : name of the environment, for messages
    group : name of the model package group
    approved_model_path : path below which the SSM parameters are
    """

    def __init__(self, environment: str, group: str, approved_model_path: str, *, sagemaker: Any, ssm: Any) -> None:
        self.environment = environment
        self._group = group
        self._parameter = in_use_parameter(approved_model_path)
        self._baseline_parameter = f"{approved_model_path}/{BASELINE}"
        self._sagemaker = sagemaker
        self._ssm = ssm

    def versions(self) -> list[Version]:
        """Return all versions, newest first."""
        arns = list_model_packages(self._group, sagemaker=self._sagemaker)
        versions = (read_version(arn, sagemaker=self._sagemaker) for arn in arns)
        return sorted(versions, key=lambda version: -version.number)

    def register(self, request: RegistrationRequest, *, s3: Any) -> str:
        """Register a model, and return the ARN of its version.

        The manifest of the training data is copied to the model's folder, because the next `make stage` replaces the
        original.
        """
        job, score = request.job, request.score
        manifest_url, manifest_md5 = put_json(job, "manifest.json", request.manifest, s3=s3)
        metrics_url, _ = put_json(job, "metrics.json", job.metrics, s3=s3)
        properties = {
            **{name: to_property(text) for name, text in request.properties.items()},
            # not shortened, because other commands read these values: SageMaker refuses a value that is too long
            "manifest": manifest_url,
            "manifest_md5": manifest_md5,
            "training_job": job.name,
            "validation_correct": str(score.correct),
            "validation_n": str(score.n),
            "validation_set": score.validation_set,
        }
        created = self._sagemaker.create_model_package(
            ModelPackageGroupName=self._group,
            ModelPackageDescription=request.reason[:1024],
            ModelApprovalStatus=request.status,
            InferenceSpecification=inference_specification(request),
            ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": metrics_url}}},
            CustomerMetadataProperties=properties,
            # the status of the card does not depend on the status of the model: no person has read the card yet
            ModelCard={"ModelCardContent": json.dumps(request.model_card), "ModelCardStatus": "PendingReview"},
        )
        arn: str = created["ModelPackageArn"]
        return arn

    def approve(self, arn: str, reason: str) -> None:
        """Approve a version, and put it into use: the next `terraform apply` deploys it."""
        self._set_status(arn, "Approved", reason)
        self._put_into_use(arn, "approved")

    def reject(self, arn: str, reason: str) -> None:
        """Reject a version."""
        self._set_status(arn, "Rejected", reason)

    def roll_back_to(self, arn: str) -> None:
        """Put an approved version into use again, and mark this as a rollback in the parameter's history."""
        self._put_into_use(arn, ROLLED_BACK)

    def _set_status(self, arn: str, status: Status, reason: str) -> None:
        self._sagemaker.update_model_package(
            ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription=reason
        )

    def _put_into_use(self, arn: str, description: str) -> None:
        version = read_version(arn, sagemaker=self._sagemaker)
        # the baseline is written before the ARN, so that Terraform never finds the new ARN without its baseline. Until
        # the ARN is written, Terraform ignores the baseline, because it names another version than the one in use
        if BASELINE in version.properties:
            value = json.dumps({"model_package_arn": arn, "model_data_url": version.model_data_url})
            self._ssm.put_parameter(Name=self._baseline_parameter, Value=value, Type="String", Overwrite=True)
        self._ssm.put_parameter(Name=self._parameter, Value=arn, Type="String", Overwrite=True, Description=description)

    def arn_in_use(self) -> str | None:
        """Return the ARN of the version in use, or None before the first approval."""
        try:
            arn: str = self._ssm.get_parameter(Name=self._parameter)["Parameter"]["Value"]
        except self._ssm.exceptions.ParameterNotFound:
            return None
        return arn

    def previous_arns(self) -> list[str]:
        """Return the ARNs of the versions that were in use before the current version, latest first.

        Versions that a rollback replaced are left out, so that the next rollback selects an older version. Only the
        last 100 values of the parameter are known, because SSM keeps no more:
        https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html
        """
        pages = self._ssm.get_paginator("get_parameter_history").paginate(Name=self._parameter)
        history = sorted((entry for page in pages for entry in page["Parameters"]), key=lambda entry: entry["Version"])
        used: list[str] = []
        for entry in history:
            arn = entry["Value"]
            if entry.get("Description") == ROLLED_BACK:
                while used and used[-1] != arn:
                    used.pop()
            if used[-1:] != [arn]:
                used.append(arn)
        return [arn for arn in reversed(used) if arn != used[-1]]


def inference_specification(request: RegistrationRequest) -> dict[str, Any]:
    """Return the inference specification of a model package: the container and the content types."""
    container: dict[str, Any] = {"Image": request.image, "ModelDataUrl": request.job.model_data_url}
    if request.scripted:
        container["Environment"] = {**SERVING, **(packages.SERVING if request.brings_packages else {})}
    return {
        "Containers": [container],
        "SupportedContentTypes": [*CONTENT_TYPES, *([BATCH_CONTENT_TYPE] if request.scripted else [])],
        "SupportedResponseMIMETypes": ["application/json"],
    }


def to_property(text: str) -> str:
    """Replace characters that a property of a model package must not contain, and truncate the text.

    Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html

    Examples
    --------
    >>> to_property("CIFAR-100's images (bicycle, motorcycle)")
    'CIFAR-100 s images bicycle motorcycle'
    """
    return re.sub(r" *[^\w .:/=+@-]+ *", " ", text).strip()[:MAX_PROPERTY_LENGTH] or "none"


def put_json(job: TrainingJob, name: str, content: Mapping[str, Any], *, s3: Any) -> tuple[str, str]:
    """Write a JSON object to the folder of a job's model; return the S3 URL and the MD5 of the written object."""
    url = sibling_url(job.model_data_url, name)
    bucket, key = split_url(url)
    body = json.dumps(content).encode()
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    return url, content_md5(body)
