"""Delete the resources of an environment that Terraform does not manage.

The workflow creates jobs, approvals (SSM parameters), model packages, log groups, and models for batch transform jobs.
They are not looked up in Terraform's outputs, because an environment whose apply failed has no outputs. SageMaker
resources are found by the environment's name prefix and tag. Log groups, log streams and SSM parameters are found by
the prefix alone, because AWS services and `make approve` create them without tags. Running executions and KMS keys are
found by the tag alone. S3 objects are deleted together with the environment's bucket.
"""

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from common.aws import Clients, error_code
from common.names import parameter_path, resource_prefix, stack_name
from deployment.tagged_resources import exists, is_missing
from registry.endpoint import delete_endpoint
from registry.model_registry import list_model_packages

# For each kind of job: description, operation that lists the jobs, prefix of the field names in the operation's
# response, operation that stops a job
JOBS = (
    ("tuning job", "list_hyper_parameter_tuning_jobs", "HyperParameterTuningJob", "stop_hyper_parameter_tuning_job"),
    ("training job", "list_training_jobs", "TrainingJob", "stop_training_job"),
    ("transform job", "list_transform_jobs", "TransformJob", "stop_transform_job"),
    ("processing job", "list_processing_jobs", "ProcessingJob", "stop_processing_job"),
)
# For each kind of hosting resource: description, operation that lists the resources, prefix of the field names in the
# operation's response, operation that deletes a resource
HOSTING = (
    ("endpoint configuration", "list_endpoint_configs", "EndpointConfig", "delete_endpoint_config"),
    ("model", "list_models", "Model", "delete_model"),
)
LOG_GROUP_PREFIXES = ("/aws/sagemaker/Endpoints/", "/aws/lambda/", "/aws/vendedlogs/states/", "/aws/vpc/")
# All environments of the account write to these log groups, so only the log streams of this environment are deleted
SHARED_LOG_GROUPS = tuple(f"/aws/sagemaker/{kind}Jobs" for kind in ("Training", "Transform", "Processing"))
# Resource types of the records of ended jobs. The records keep their tags and cost nothing, so `make down` does not
# delete them
KEPT_RECORDS = (
    "training-job",
    "transform-job",
    "processing-job",
    "hyper-parameter-tuning-job",
    "experiment-trial-component",
)
STACK_TAG = "Stack"  # no other stack of the account has the same value
POLL_INTERVAL = 1.0  # seconds
STOP_TIMEOUT = 600.0  # maximum number of seconds to wait until a job has stopped
TAG_TIMEOUT = 120.0  # maximum number of seconds to wait until resources that are being deleted no longer exist


@dataclass(frozen=True)
class UnmanagedResource:
    """A resource and the call that removes it.

    Attributes
    ----------
    kind : type of the resource in words, such as `log group`
    name : name, ID or ARN of the resource
    remove : stops or deletes the resource
    """

    kind: str
    name: str
    remove: Callable[[], object]


def remove_all(resources: Iterable[UnmanagedResource]) -> None:
    """Remove resources, and print the name of each one."""
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
        self._clients = clients
        self._sagemaker = clients("sagemaker")
        self._ssm = clients("ssm")
        self._logs = clients("logs")
        self._tags = clients("resourcegroupstaggingapi")
        self._kms = clients("kms")
        self._states = clients("stepfunctions")

    def before_destroy(self) -> Iterator[UnmanagedResource]:
        """Yield the resources to delete or stop before `terraform destroy`.

        Running jobs would write to the bucket while Terraform deletes it, and a model package group can be deleted only
        without packages. SageMaker uses the endpoint's role until the endpoint is deleted, but Terraform's provider
        does not wait for the end of the deletion.
        """
        # a batch execution may run for hours, and the deletion of a state machine waits for running executions
        for arn in self._running_executions():
            yield UnmanagedResource("execution", arn, partial(self._states.stop_execution, executionArn=arn))
        for name in self._names("list_endpoints", "Endpoint"):
            yield UnmanagedResource("endpoint", name, partial(delete_endpoint, name, sagemaker=self._sagemaker))
        for kind, list_operation, noun, stop_operation in JOBS:
            for name in self._unfinished_jobs(list_operation, noun):
                yield UnmanagedResource(kind, name, partial(self._stop, stop_operation, list_operation, noun, name))
        for page in self._ssm.get_paginator("get_parameters_by_path").paginate(
            Path=parameter_path(self._environment), Recursive=True
        ):
            for parameter in page["Parameters"]:
                name = parameter["Name"]
                yield UnmanagedResource("parameter", name, partial(self._ssm.delete_parameter, Name=name))
        for group in self._names("list_model_package_groups", "ModelPackageGroup"):
            for arn in list_model_packages(group, sagemaker=self._sagemaker):
                yield UnmanagedResource(
                    "model package", arn, partial(self._sagemaker.delete_model_package, ModelPackageName=arn)
                )

    def after_destroy(self) -> Iterator[UnmanagedResource]:
        """Yield the environment's remaining resources to delete after `terraform destroy`."""
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
        # an apply that is killed before it creates the key's alias leaves a key that no later plan finds
        for key in self._enabled_keys():
            yield UnmanagedResource(
                "KMS key", key, partial(self._kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=30)
            )

    def remaining_arns(self, destroyed: Collection[str]) -> list[str]:
        """Return the ARNs of the resources that still exist and have the environment's tag.

        KMS keys, which are pending deletion, and records of ended jobs are not included. Deleted resources are not
        included either, although AWS lists some of them for hours: https://github.com/boto/boto3/issues/3341

        Parameters
        ----------
        destroyed : ARNs of the resources that Terraform destroyed, which are left out without a request
        """
        deadline = time.monotonic() + TAG_TIMEOUT
        while (found := self._existing(destroyed)) and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL)
        return found

    def _existing(self, destroyed: Collection[str]) -> list[str]:
        """Return the ARNs of the tagged resources that exist and that Terraform did not destroy."""
        return [arn for arn in self._tagged() if arn not in destroyed and exists(arn, self._clients)]

    def _enabled_keys(self) -> list[str]:
        """Return the IDs of the KMS keys with the environment's tag that are not pending deletion."""
        keys = [arn.split("/")[-1] for arn in self._all_tagged("kms:key")]
        return list(filter(self._is_enabled, keys))

    def _is_enabled(self, key: str) -> bool:
        """Return whether a KMS key exists and is enabled; the tagging API also lists deleted keys."""
        try:
            enabled: bool = self._kms.describe_key(KeyId=key)["KeyMetadata"]["Enabled"]
        except ClientError as error:
            if is_missing(error):
                return False
            raise
        return enabled

    def _running_executions(self) -> Iterator[str]:
        """Yield the ARNs of the running executions of all state machines with the environment's tag."""
        for machine in self._all_tagged("states:stateMachine"):
            with contextlib.suppress(self._states.exceptions.StateMachineDoesNotExist):  # deleted, and still listed
                pages = self._states.get_paginator("list_executions").paginate(
                    stateMachineArn=machine, statusFilter="RUNNING"
                )
                yield from [execution["executionArn"] for page in pages for execution in page["executions"]]

    def _tagged(self) -> list[str]:
        """Return the ARNs of the resources with the environment's tag, except KMS keys and the records of jobs."""
        return list(filter(is_deletable, self._all_tagged()))

    def _all_tagged(self, *types: str) -> list[str]:
        """Return the ARNs of the resources with the environment's tag.

        Parameters
        ----------
        types : resource types, such as `kms:key`; all types if empty
        """
        pages = self._tags.get_paginator("get_resources").paginate(
            TagFilters=[{"Key": STACK_TAG, "Values": [stack_name(self._environment)]}], ResourceTypeFilters=types
        )
        return [resource["ResourceARN"] for page in pages for resource in page["ResourceTagMappingList"]]

    def _names(self, operation: str, noun: str, **options: str) -> list[str]:
        """Return the names of the SageMaker resources that have the environment's name prefix and tag.

        Parameters
        ----------
        operation : operation that lists the resources
        noun : prefix of the field names in the operation's response, such as `Endpoint`
        options : further parameters of the operation
        """
        pages = self._sagemaker.get_paginator(operation).paginate(NameContains=self._prefix, **options)
        items = [item for page in pages for items in page.values() if isinstance(items, list) for item in items]
        return [
            item[f"{noun}Name"]
            for item in items
            if item[f"{noun}Name"].startswith(self._prefix) and self._has_tag(item[f"{noun}Arn"])
        ]

    def _has_tag(self, arn: str) -> bool:
        """Return whether a SageMaker resource exists and has the environment's tag.

        The request is SageMaker's ListTags, because the Resource Groups Tagging API finds a new resource only after a
        while.
        """
        try:
            pages = list(self._sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn))
        except ClientError as error:
            if is_missing(error):
                return False
            raise
        return {"Key": STACK_TAG, "Value": stack_name(self._environment)} in [
            tag for page in pages for tag in page["Tags"]
        ]

    def _unfinished_jobs(self, list_operation: str, noun: str) -> list[str]:
        """Return the names of the running and stopping jobs, which may still write to the bucket."""
        return [
            name
            for status in ("InProgress", "Stopping")
            for name in self._names(list_operation, noun, StatusEquals=status)
        ]

    def _stop(self, stop_operation: str, list_operation: str, noun: str, name: str) -> None:
        """Stop a job, and wait until the job has ended, because it may write to the bucket until then."""
        with ignore_already_ended():
            getattr(self._sagemaker, stop_operation)(**{f"{noun}Name": name})
        deadline = time.monotonic() + STOP_TIMEOUT
        while name in self._unfinished_jobs(list_operation, noun) and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL)

    def _log_group_exists(self, name: str) -> bool:
        """Return whether a log group exists."""
        groups: list[dict[str, Any]] = self._logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        return any(group["logGroupName"] == name for group in groups)


@contextlib.contextmanager
def ignore_already_ended() -> Iterator[None]:
    """Suppress SageMaker's error for a request to stop a job that has already ended or is stopping."""
    try:
        yield
    except ClientError as error:
        if error_code(error) != "ValidationException":
            raise


def is_deletable(arn: str) -> bool:
    """Return whether `make down` deletes a resource immediately: True except for KMS keys and records of ended jobs."""
    service, resource = arn.split(":")[2], arn.split(":")[5]
    return service != "kms" and resource.split("/")[0] not in KEPT_RECORDS
