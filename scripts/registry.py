"""The model in use: the approved version whose ARN Terraform reads."""

from typing import Any

import boto3

from scripts.stack import Stack
from training.register import approve


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


def put_in_use(stack: Stack, arn: str, *, reason: str) -> None:
    """Approve a version, and let the next `terraform apply` deploy it."""
    approve(arn, sagemaker=boto3.client("sagemaker", region_name=stack.region), reason=reason)
    boto3.client("ssm", region_name=stack.region).put_parameter(
        Name=parameter_name(stack), Value=arn, Type="String", Overwrite=True
    )
