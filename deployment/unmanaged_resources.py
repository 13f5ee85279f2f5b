"""What the workflow makes outside Terraform: jobs, approved models, broken-off batches, logs, stray endpoints.

Found by their names, which all begin as the environment's do: an apply that broke off has put out no names to read.
What was written to S3 lies in the environment's bucket, and goes with it.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import boto3

from registry.model_registry import list_model_packages

# What a kind is called, what lists it under which key, what names one, what ends one
JOBS = (
    ("tuning job", "list_hyper_parameter_tuning_jobs", "HyperParameterTuningJob", "stop_hyper_parameter_tuning_job"),
    ("training job", "list_training_jobs", "TrainingJob", "stop_training_job"),
    ("transform job", "list_transform_jobs", "TransformJob", "stop_transform_job"),
)
HOSTING = (
    ("endpoint", "list_endpoints", "Endpoint", "delete_endpoint"),
    ("endpoint configuration", "list_endpoint_configs", "EndpointConfig", "delete_endpoint_config"),
    ("model", "list_models", "Model", "delete_model"),
)
# one group for the whole account: only our streams may go
JOB_LOGS = ("/aws/sagemaker/TrainingJobs", "/aws/sagemaker/TransformJobs")
LOGS = ("/aws/sagemaker/Endpoints/", "/aws/lambda/", "/aws/vendedlogs/states/")
# What SageMaker keeps of jobs that have ended, for good, with the tags that they had
RECORDS = ("training-job", "transform-job", "hyper-parameter-tuning-job", "experiment-trial-component")
PAUSE, PATIENCE = 1.0, 600.0  # seconds between two looks at jobs that stop, and in all
SETTLING = 120.0  # seconds for which what was deleted may still be listed by its tag


@dataclass(frozen=True)
class UnmanagedResource:
    """One thing: its kind, its name, and how it is removed."""

    kind: str
    name: str
    remove: Callable[[], object]


def batch_name(environment: str) -> str:
    """First part of the names of an environment's batch transform jobs, and of the models made for them."""
    return f"{prefix(environment)}transform-"


def prefix(environment: str) -> str:
    """First part of every name of an environment; the dash keeps `dev` from `dev2`."""
    return f"scones-{environment}-"


def remove(found: Iterable[UnmanagedResource]) -> None:
    """Show and remove, one after the other."""
    for leftover in found:
        print(f"made outside Terraform: {leftover.kind} {leftover.name}")
        leftover.remove()


class UnmanagedResources:
    """What is left of an environment.

    Parameters
    ----------
    environment : its name
    region : where it lies
    """

    def __init__(self, environment: str, region: str) -> None:
        self._environment = environment
        self._prefix = prefix(environment)
        self._sagemaker = boto3.client("sagemaker", region_name=region)
        self._ssm = boto3.client("ssm", region_name=region)
        self._logs = boto3.client("logs", region_name=region)
        self._tags = boto3.client("resourcegroupstaggingapi", region_name=region)

    def in_the_way(self) -> Iterator[UnmanagedResource]:
        """What must go before Terraform destroys: a group of models must be empty, and a job would go on writing."""
        for kind, operation, noun, stop in JOBS:
            for name in self._names(operation, noun, StatusEquals="InProgress"):
                yield UnmanagedResource(kind, name, partial(self._stop, stop, operation, noun, name))
        for page in self._ssm.get_paginator("get_parameters_by_path").paginate(
            Path=f"/scones/{self._environment}", Recursive=True
        ):
            for parameter in page["Parameters"]:
                name = parameter["Name"]
                yield UnmanagedResource("approval", name, partial(self._ssm.delete_parameter, Name=name))
        for group in self._names("list_model_package_groups", "ModelPackageGroup"):
            for arn in list_model_packages(group, sagemaker=self._sagemaker):
                yield UnmanagedResource(
                    "model package", arn, partial(self._sagemaker.delete_model_package, ModelPackageName=arn)
                )

    def left(self) -> Iterator[UnmanagedResource]:
        """What bears the environment's name once Terraform has destroyed its own."""
        for kind, operation, noun, delete in HOSTING:
            for name in self._names(operation, noun):
                yield UnmanagedResource(kind, name, partial(getattr(self._sagemaker, delete), **{f"{noun}Name": name}))
        for place in LOGS:
            pages = self._logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=place + self._prefix)
            for name in [group["logGroupName"] for page in pages for group in page["logGroups"]]:
                yield UnmanagedResource("log group", name, partial(self._logs.delete_log_group, logGroupName=name))
        for group in filter(self._log_group_exists, JOB_LOGS):
            pages = self._logs.get_paginator("describe_log_streams").paginate(
                logGroupName=group, logStreamNamePrefix=self._prefix
            )
            for name in [stream["logStreamName"] for page in pages for stream in page["logStreams"]]:
                delete_stream = partial(self._logs.delete_log_stream, logGroupName=group, logStreamName=name)
                yield UnmanagedResource("log stream", name, delete_stream)

    def tagged(self, destroyed: Collection[str]) -> list[str]:
        """ARNs that still bear the environment's tag; a key waits out its days of grace before it is gone,
        and records of jobs that have ended stay.

        Parameters
        ----------
        destroyed : ARNs that are known to be gone: some are listed for hours after, see
            https://github.com/boto/boto3/issues/3341
        """
        until = time.monotonic() + SETTLING
        while (found := [arn for arn in self._listed() if arn not in destroyed]) and time.monotonic() < until:
            time.sleep(PAUSE)
        return found

    def _listed(self) -> list[str]:
        pages = self._tags.get_paginator("get_resources").paginate(
            TagFilters=[{"Key": "Stack", "Values": [self._prefix.removesuffix("-")]}]
        )
        found = [each["ResourceARN"] for page in pages for each in page["ResourceTagMappingList"]]
        return [arn for arn in found if arn.split(":")[2] != "kms" and arn.split(":")[5].split("/")[0] not in RECORDS]

    def _names(self, operation: str, noun: str, **options: str) -> list[str]:
        pages = self._sagemaker.get_paginator(operation).paginate(NameContains=self._prefix, **options)
        found = [
            item[f"{noun}Name"]
            for page in pages
            for items in page.values()
            if isinstance(items, list)
            for item in items
        ]
        return [name for name in found if name.startswith(self._prefix)]

    def _stop(self, stop: str, operation: str, noun: str, name: str) -> None:
        """Stop a job, and wait until it has: until then it writes into the bucket."""
        getattr(self._sagemaker, stop)(**{f"{noun}Name": name})
        until = time.monotonic() + PATIENCE
        while name in self._names(operation, noun, StatusEquals="Stopping") and time.monotonic() < until:
            time.sleep(PAUSE)

    def _log_group_exists(self, name: str) -> bool:
        groups: list[dict[str, Any]] = self._logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        return any(group["logGroupName"] == name for group in groups)
