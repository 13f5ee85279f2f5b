"""Checks of the account's instance quotas for training, processing and transform jobs and endpoints."""

from collections.abc import Iterable, Mapping
from typing import Any

from moto.sagemaker.exceptions import SagemakerClientError
from moto.sagemaker.models import SageMakerModelBackend

from sagelocal.core.quotas import QuotaExceededError, Quotas

ACTIVE = ("InProgress", "Stopping")


class ResourceLimitExceededError(SagemakerClientError):
    """The request exceeds a quota."""

    code = "ResourceLimitExceeded"


def check_training(quotas: Quotas, backend: SageMakerModelBackend, request: Mapping[str, Any]) -> None:
    """Refuse a training job that would exceed the quota of its instance type; spot jobs have a separate quota."""
    spot = bool(request["EnableManagedSpotTraining"])
    jobs: Iterable[Any] = backend.training_jobs.values()
    in_use = [
        job.resource_config
        for job in jobs
        if job.training_job_status in ACTIVE and bool(job.enable_managed_spot_training) == spot
    ]
    _check(quotas, "spot training job usage" if spot else "training job usage", in_use, [request["ResourceConfig"]])


def check_processing(quotas: Quotas, backend: SageMakerModelBackend, cluster: Mapping[str, Any]) -> None:
    """Refuse a processing job that would exceed the quota of its instance type."""
    jobs: Iterable[Any] = backend.processing_jobs.values()
    in_use = [job.processing_resources["ClusterConfig"] for job in jobs if job.processing_job_status in ACTIVE]
    _check(quotas, "processing job usage", in_use, [cluster])


def check_transform(quotas: Quotas, backend: SageMakerModelBackend, resources: Mapping[str, Any]) -> None:
    """Refuse a transform job that would exceed the quota of its instance type."""
    jobs: Iterable[Any] = backend.transform_jobs.values()
    in_use = [job.transform_resources for job in jobs if job.transform_job_status in ACTIVE]
    _check(quotas, "transform job usage", in_use, [resources])


def check_endpoint(quotas: Quotas, backend: SageMakerModelBackend, config_name: str) -> None:
    """Refuse an endpoint configuration whose instances would exceed a quota.

    When an endpoint is updated, the endpoint's old instances count as well, because they run until the update ends.
    """
    endpoints: Iterable[Any] = backend.endpoints.values()
    in_use = [variant for endpoint in endpoints for variant in _running_variants(backend, endpoint)]
    _check(quotas, "endpoint usage", in_use, _variants(backend, config_name))


def _variants(backend: SageMakerModelBackend, config_name: str) -> list[dict[str, Any]]:
    config = backend.endpoint_configs.get(config_name)
    return list(config.response_object["ProductionVariants"]) if config else []


def _running_variants(backend: SageMakerModelBackend, endpoint: Any) -> list[dict[str, Any]]:
    """Return an endpoint's variants with their current number of instances, which scaling may have changed."""
    counts = {each["VariantName"]: each.get("CurrentInstanceCount") for each in endpoint.production_variants}
    configured = _variants(backend, endpoint.endpoint_config_name)
    return [{**each, "InstanceCount": counts.get(each["VariantName"])} for each in configured]


def _check(
    quotas: Quotas, usage: str, in_use: Iterable[Mapping[str, Any]], requested: Iterable[Mapping[str, Any]]
) -> None:
    used = _count(in_use)
    for instance_type, count in _count(requested).items():
        try:
            quotas.check(f"{instance_type} for {usage}", used=used.get(instance_type, 0), requested=count)
        except QuotaExceededError as error:
            raise ResourceLimitExceededError(str(error)) from error


def _count(resources: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count instances by type."""
    counts: dict[str, int] = {}
    for each in resources:
        if instance_type := each.get("InstanceType"):
            count = int(each.get("InstanceCount") or each.get("InitialInstanceCount") or 1)
            counts[instance_type] = counts.get(instance_type, 0) + count
    return counts
