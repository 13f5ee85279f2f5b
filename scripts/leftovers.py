"""What the workflow makes outside Terraform: approved models and logs. Tearing down removes them."""

from collections.abc import Iterator
from typing import Any

import boto3

from scripts.stack import Stack

TRAINING_LOGS = "/aws/sagemaker/TrainingJobs"  # one group for the whole account: only our streams may go


def remove_models(stack: Stack) -> None:
    """Delete the approved model's parameter and every model package: the group must be empty to be destroyed."""
    ssm = boto3.client("ssm", region_name=stack.region)
    names = [
        parameter["Name"]
        for page in ssm.get_paginator("get_parameters_by_path").paginate(Path=stack.approved_model_path)
        for parameter in page["Parameters"]
    ]
    if names:
        ssm.delete_parameters(Names=names)
    sagemaker = boto3.client("sagemaker", region_name=stack.region)
    for arn in list(model_packages(sagemaker, stack.model_package_group)):
        sagemaker.delete_model_package(ModelPackageName=arn)


def model_packages(sagemaker: Any, group: str) -> Iterator[str]:
    """ARNs of the group's versions."""
    for page in sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group):
        for package in page["ModelPackageSummaryList"]:
            yield package["ModelPackageArn"]


def remove_leftovers(stack: Stack) -> None:
    """Delete the log group of the endpoint and the log streams of this environment's training jobs."""
    logs = boto3.client("logs", region_name=stack.region)
    endpoint_logs = f"/aws/sagemaker/Endpoints/{stack.endpoint_name}"
    if log_group_exists(logs, endpoint_logs):
        logs.delete_log_group(logGroupName=endpoint_logs)
    if log_group_exists(logs, TRAINING_LOGS):
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName=TRAINING_LOGS, logStreamNamePrefix=f"scones-{stack.environment}-"
        )
        for stream in [stream for page in pages for stream in page["logStreams"]]:
            logs.delete_log_stream(logGroupName=TRAINING_LOGS, logStreamName=stream["logStreamName"])


def log_group_exists(logs: Any, name: str) -> bool:
    """Whether the account has a log group of exactly this name."""
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return any(group["logGroupName"] == name for group in groups)
