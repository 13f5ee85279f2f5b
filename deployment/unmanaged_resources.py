"""Delete the resources of an environment that Terraform does not manage.

The workflow creates jobs, approvals, model packages, log groups and models for batch transform jobs. They are found by
the environment's name prefix, because an apply that failed half-way has no outputs. Objects in S3 are deleted together
with the environment's bucket.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from common.aws import Clients
from common.names import parameter_path, resource_prefix, stack_name
from registry.model_registry import list_model_packages

# Description, operation that lists them, prefix of the keys in its response, operation that stops one
JOBS = (
    ("tuning job", "list_hyper_parameter_tuning_jobs", "HyperParameterTuningJob", "stop_hyper_parameter_tuning_job"),
    ("training job", "list_training_jobs", "TrainingJob", "stop_training_job"),
    ("transform job", "list_transform_jobs", "TransformJob", "stop_transform_job"),
)
# The same, with the operation that deletes one
HOSTING = (
    ("endpoint", "list_endpoints", "Endpoint", "delete_endpoint"),
    ("endpoint configuration", "list_endpoint_configs", "EndpointConfig", "delete_endpoint_config"),
    ("model", "list_models", "Model", "delete_model"),
)
LOG_GROUP_PREFIXES = ("/aws/sagemaker/Endpoints/", "/aws/lambda/", "/aws/vendedlogs/states/")
# The account's environments share these log groups, so only their own log streams are deleted
SHARED_LOG_GROUPS = ("/aws/sagemaker/TrainingJobs", "/aws/sagemaker/TransformJobs")
# SageMaker keeps the records of ended jobs, with their tags, and has no operation to delete them
UNDELETABLE = ("training-job", "transform-job", "hyper-parameter-tuning-job", "experiment-trial-component")
POLL_INTERVAL = 1.0  # seconds
STOP_TIMEOUT = 600.0  # seconds until a job must have stopped
TAG_TIMEOUT = 120.0  # seconds for which AWS may list a deleted resource by its tag


@dataclass(frozen=True)
class UnmanagedResource:
    """A resource and the call that stops or deletes it."""

    kind: str
    name: str
    remove: Callable[[], object]


def remove_all(resources: Iterable[UnmanagedResource]) -> None:
    """Print and remove resources."""
    for resource in resources:
        print(f"removing {resource.kind} {resource.name}")
        resource.remove()


class UnmanagedResources:
    """Finds the resources of an environment that Terraform does not manage.

    Parameters
    ----------
    environment : name of the environment
    clients : creates AWS clients in the environment's region
    """

    def __init__(self, environment: str, clients: Clients) -> None:
        self._environment = environment
        self._prefix = resource_prefix(environment)
        self._sagemaker = clients("sagemaker")
        self._ssm = clients("ssm")
        self._logs = clients("logs")
        self._tags = clients("resourcegroupstaggingapi")
        self._kms = clients("kms")

    def before_destroy(self) -> Iterator[UnmanagedResource]:
        """Yield what must be removed before `terraform destroy`.

        Running jobs write to the bucket, and only a model package group without packages can be deleted.
        """
        for kind, list_operation, noun, stop_operation in JOBS:
            for name in self._names(list_operation, noun, StatusEquals="InProgress"):
                yield UnmanagedResource(kind, name, partial(self._stop, stop_operation, list_operation, noun, name))
        for page in self._ssm.get_paginator("get_parameters_by_path").paginate(
            Path=parameter_path(self._environment), Recursive=True
        ):
            for parameter in page["Parameters"]:
                name = parameter["Name"]
                yield UnmanagedResource("approval", name, partial(self._ssm.delete_parameter, Name=name))
        for group in self._names("list_model_package_groups", "ModelPackageGroup"):
            for arn in list_model_packages(group, sagemaker=self._sagemaker):
                yield UnmanagedResource(
                    "model package", arn, partial(self._sagemaker.delete_model_package, ModelPackageName=arn)
                )

    def after_destroy(self) -> Iterator[UnmanagedResource]:
        """Yield what still has the environment's name prefix after `terraform destroy`."""
        for kind, list_operation, noun, delete_operation in HOSTING:
            for name in self._names(list_operation, noun):
                delete = getattr(self._sagemaker, delete_operation)
                yield UnmanagedResource(kind, name, partial(delete, **{f"{noun}Name": name}))
        for prefix in LOG_GROUP_PREFIXES:
            pages = self._logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix + self._prefix)
            for name in [group["logGroupName"] for page in pages for group in page["logGroups"]]:
                yield UnmanagedResource("log group", name, partial(self._logs.delete_log_group, logGroupName=name))
        for group in filter(self._log_group_exists, SHARED_LOG_GROUPS):
            pages = self._logs.get_paginator("describe_log_streams").paginate(
                logGroupName=group, logStreamNamePrefix=self._prefix
            )
            for name in [stream["logStreamName"] for page in pages for stream in page["logStreams"]]:
                delete_stream = partial(self._logs.delete_log_stream, logGroupName=group, logStreamName=name)
                yield UnmanagedResource("log stream", name, delete_stream)
        # an apply that is killed between the creation of a key and of its alias leaves a key that Terraform cannot find
        for key in self._enabled_keys():
            yield UnmanagedResource(
                "KMS key", key, partial(self._kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=30)
            )

    def remaining_arns(self, destroyed: Collection[str]) -> list[str]:
        """Return the ARNs of the resources that still have the environment's tag.

        KMS keys, which wait for their deletion date, and records of ended jobs are not included.

        Parameters
        ----------
        destroyed : ARNs of resources that Terraform destroyed. AWS lists some of them for hours after their deletion:
            https://github.com/boto/boto3/issues/3341
        """
        deadline = time.monotonic() + TAG_TIMEOUT
        while (found := [arn for arn in self._tagged() if arn not in destroyed]) and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL)
        return found

    def _enabled_keys(self) -> list[str]:
        """Return the IDs of the KMS keys with the environment's tag that are not pending deletion."""
        keys = [arn.split("/")[-1] for arn in self._all_tagged("kms:key")]
        return [key for key in keys if self._kms.describe_key(KeyId=key)["KeyMetadata"]["Enabled"]]

    def _tagged(self) -> list[str]:
        """Return the ARNs of the resources with the environment's tag that can be deleted."""
        return list(filter(is_deletable, self._all_tagged()))

    def _all_tagged(self, *types: str) -> list[str]:
        """Return the ARNs of the resources with the environment's tag, of some types or of all."""
        pages = self._tags.get_paginator("get_resources").paginate(
            TagFilters=[{"Key": "Stack", "Values": [stack_name(self._environment)]}], ResourceTypeFilters=types
        )
        return [resource["ResourceARN"] for page in pages for resource in page["ResourceTagMappingList"]]

    def _names(self, operation: str, noun: str, **options: str) -> list[str]:
        """Return the names with the environment's prefix that a list operation of SageMaker returns."""
        pages = self._sagemaker.get_paginator(operation).paginate(NameContains=self._prefix, **options)
        names = [
            item[f"{noun}Name"]
            for page in pages
            for items in page.values()
            if isinstance(items, list)
            for item in items
        ]
        return [name for name in names if name.startswith(self._prefix)]

    def _stop(self, stop_operation: str, list_operation: str, noun: str, name: str) -> None:
        """Stop a job and wait until it has stopped, because it writes to the bucket until then."""
        getattr(self._sagemaker, stop_operation)(**{f"{noun}Name": name})
        deadline = time.monotonic() + STOP_TIMEOUT
        while name in self._names(list_operation, noun, StatusEquals="Stopping") and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL)

    def _log_group_exists(self, name: str) -> bool:
        """Return whether a log group exists."""
        groups: list[dict[str, Any]] = self._logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        return any(group["logGroupName"] == name for group in groups)


def is_deletable(arn: str) -> bool:
    """Return whether a resource can be deleted at once; KMS keys and records of jobs cannot."""
    service, resource = arn.split(":")[2], arn.split(":")[5]
    return service != "kms" and resource.split("/")[0] not in UNDELETABLE
