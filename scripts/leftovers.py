"""What the workflow makes outside Terraform: approved models, interrupted batches, logs. Tearing down removes them."""

from typing import Any

import boto3

from scripts.registry import model_packages
from scripts.stack import Stack

# one group for the whole account: only our streams may go
JOB_LOGS = ("/aws/sagemaker/TrainingJobs", "/aws/sagemaker/TransformJobs")


def remove_models(stack: Stack) -> None:
    """Delete the approved model's parameter, every model package, and models of batches that were broken off.

    The group must be empty to be destroyed.
    """
    ssm = boto3.client("ssm", region_name=stack.region)
    names = [
        parameter["Name"]
        for page in ssm.get_paginator("get_parameters_by_path").paginate(Path=stack.approved_model_path)
        for parameter in page["Parameters"]
    ]
    if names:
        ssm.delete_parameters(Names=names)
    sagemaker = boto3.client("sagemaker", region_name=stack.region)
    for arn in model_packages(sagemaker, stack.model_package_group):
        sagemaker.delete_model_package(ModelPackageName=arn)
    batches = batch_name(stack.environment)
    for page in sagemaker.get_paginator("list_models").paginate(NameContains=batches):
        for model in page["Models"]:
            if model["ModelName"].startswith(batches):
                sagemaker.delete_model(ModelName=model["ModelName"])


def batch_name(environment: str) -> str:
    """First part of the names of an environment's batch transform jobs, and of the models made for them."""
    return f"scones-{environment}-transform-"


def remove_leftovers(stack: Stack) -> None:
    """Delete the log group of the endpoint and the log streams of this environment's jobs."""
    logs = boto3.client("logs", region_name=stack.region)
    endpoint_logs = f"/aws/sagemaker/Endpoints/{stack.endpoint_name}"
    if log_group_exists(logs, endpoint_logs):
        logs.delete_log_group(logGroupName=endpoint_logs)
    for group in JOB_LOGS:
        if log_group_exists(logs, group):
            pages = logs.get_paginator("describe_log_streams").paginate(
                logGroupName=group, logStreamNamePrefix=f"scones-{stack.environment}-"
            )
            for stream in [stream for page in pages for stream in page["logStreams"]]:
                logs.delete_log_stream(logGroupName=group, logStreamName=stream["logStreamName"])


def log_group_exists(logs: Any, name: str) -> bool:
    """Whether the account has a log group of exactly this name."""
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return any(group["logGroupName"] == name for group in groups)
