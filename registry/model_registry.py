"""The model registry: its versions, and the one in use, whose ARN Terraform reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import boto3

from common.errors import OperatorError
from common.stack import Stack
from registry.comparison import Score
from registry.registration import approve, score_of

Move = Literal["approved", "rolled back"]  # how a version came into use


class VersionMissingError(OperatorError):
    """The registry has no such version."""


@dataclass(frozen=True)
class Version:
    """One version of the model package group.

    Attributes
    ----------
    status : Approved, PendingManualApproval or Rejected
    registered : when its training had ended
    judged : what the judge said
    approval : who approved or rejected it, and why; empty where nobody did
    properties : what else was registered with it
    image, model_data_url : what serves it
    """

    arn: str
    status: str
    registered: datetime
    judged: str
    approval: str
    properties: Mapping[str, str]
    image: str
    model_data_url: str

    @property
    def number(self) -> int:
        """Counted from 1."""
        return number_of(self.arn)

    @property
    def name(self) -> str:
        """As an answer names its model."""
        return f"v{self.number}"

    @property
    def approved_by(self) -> str:
        """Who approved or rejected it, and why: a machine repeats what the judge said."""
        if self.approval:
            return "by the judge's word" if self.approval == self.judged else self.approval
        return "by the judge's word" if self.status == "Rejected" else "nobody's yet"

    @property
    def score(self) -> Score:
        """On the validation rows."""
        return score_of(self.properties)


def number_of(arn: str) -> int:
    """The version's number."""
    return int(arn.rpartition("/")[2])


def read_versions(stack: Stack, sagemaker: Any) -> list[Version]:
    """All versions, the newest first."""
    arns = model_packages(sagemaker, stack.model_package_group)
    return sorted((read_version(arn, sagemaker) for arn in arns), key=lambda version: -version.number)


def model_packages(sagemaker: Any, group: str) -> list[str]:
    """ARNs of the group's versions."""
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    return [package["ModelPackageArn"] for page in pages for package in page["ModelPackageSummaryList"]]


def read_version(arn: str, sagemaker: Any) -> Version:
    """One version."""
    package = sagemaker.describe_model_package(ModelPackageName=arn)
    container = package["InferenceSpecification"]["Containers"][0]
    return Version(
        arn=arn,
        status=package["ModelApprovalStatus"],
        registered=package["CreationTime"],
        judged=package.get("ModelPackageDescription") or "",
        approval=package.get("ApprovalDescription") or "",
        properties=package.get("CustomerMetadataProperties") or {},
        image=container["Image"],
        model_data_url=container["ModelDataUrl"],
    )


def find_version(versions: Sequence[Version], name: str) -> Version:
    """The version that a person names: `3`, `v3` or its ARN.

    Raises
    ------
    VersionMissingError
        There is none.
    """
    for version in versions:
        if name in (version.arn, version.name, str(version.number)):
            return version
    known = ", ".join(version.name for version in versions[:10]) or "none"
    raise VersionMissingError(f"there is no model {name!r}: the registry has {known} (`make models`)")


def parameter_name(stack: Stack) -> str:
    """The SSM parameter that holds the ARN."""
    return f"{stack.approved_model_path}/model-package-arn"


def model_in_use(stack: Stack, ssm: Any) -> str | None:
    """ARN of the version that is approved for deployment; None before the first."""
    try:
        value: str = ssm.get_parameter(Name=parameter_name(stack))["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return None
    return value


def served_model(stack: Stack, sagemaker: Any) -> str | None:
    """ARN of the model package behind the endpoint; None where there is none, or it comes from no registry."""
    if stack.endpoint_config_name is None:
        return None
    # not the planned configuration: a deployment may have been rolled back
    live = sagemaker.describe_endpoint(EndpointName=stack.endpoint_name)
    config = sagemaker.describe_endpoint_config(EndpointConfigName=live["EndpointConfigName"])
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    container = model.get("PrimaryContainer") or (model.get("Containers") or [{}])[0]
    package: str | None = container.get("ModelPackageName")
    return package


def put_in_use(stack: Stack, arn: str, *, reason: str) -> None:
    """Approve a version, and let the next `terraform apply` deploy it."""
    approve(arn, sagemaker=boto3.client("sagemaker", region_name=stack.region), reason=reason)
    point_to(stack, arn, "approved", ssm=boto3.client("ssm", region_name=stack.region))


def point_to(stack: Stack, arn: str, move: Move, *, ssm: Any) -> None:
    """Let the next `terraform apply` deploy a version that is approved; the parameter's history keeps the move."""
    ssm.put_parameter(Name=parameter_name(stack), Value=arn, Type="String", Overwrite=True, Description=move)


def used_before(stack: Stack, ssm: Any) -> list[str]:
    """ARNs of the versions that were in use before the one that is, the latest first.

    What a rollback left behind is not among them, so that the next one goes further back. AWS keeps the last 100
    moves: https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html
    """
    pages = ssm.get_paginator("get_parameter_history").paginate(Name=parameter_name(stack))
    history = sorted((entry for page in pages for entry in page["Parameters"]), key=lambda entry: entry["Version"])
    used: list[str] = []
    for entry in history:
        arn = entry["Value"]
        if entry.get("Description") == "rolled back":
            while used and used[-1] != arn:
                used.pop()
        if used[-1:] != [arn]:
            used.append(arn)
    return [arn for arn in reversed(used) if arn != used[-1]]
