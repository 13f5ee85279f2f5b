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
    """Check a training job against its quota; spot instances have a separate one."""
    spot = bool(request["EnableManagedSpotTraining"])
    jobs: Iterable[Any] = backend.training_jobs.values()
    others = [
        job.resource_config
        for job in jobs
        if job.training_job_status in ACTIVE and bool(job.enable_managed_spot_training) == spot
    ]
    _check(quotas, "spot training job usage" if spot else "training job usage", others, [request["ResourceConfig"]])


def check_processing(quotas: Quotas, backend: SageMakerModelBackend, cluster: Mapping[str, Any]) -> None:
    """Check a processing job against its quota."""
    jobs: Iterable[Any] = backend.processing_jobs.values()
    others = [job.processing_resources["ClusterConfig"] for job in jobs if job.processing_job_status in ACTIVE]
    _check(quotas, "processing job usage", others, [cluster])


def check_transform(quotas: Quotas, backend: SageMakerModelBackend, resources: Mapping[str, Any]) -> None:
    """Check a transform job against its quota."""
    jobs: Iterable[Any] = backend.transform_jobs.values()
    others = [job.transform_resources for job in jobs if job.transform_job_status in ACTIVE]
    _check(quotas, "transform job usage", others, [resources])


def check_endpoint(quotas: Quotas, backend: SageMakerModelBackend, config_name: str) -> None:
    """Check an endpoint configuration against its quota; during an update the endpoint's old instances count too."""
    endpoints: Iterable[Any] = backend.endpoints.values()
    others = [variant for endpoint in endpoints for variant in _running_variants(backend, endpoint)]
    _check(quotas, "endpoint usage", others, _variants(backend, config_name))


def _variants(backend: SageMakerModelBackend, config_name: str) -> list[dict[str, Any]]:
    config = backend.endpoint_configs.get(config_name)
    return list(config.response_object["ProductionVariants"]) if config else []


def _running_variants(backend: SageMakerModelBackend, endpoint: Any) -> list[dict[str, Any]]:
    """Return an endpoint's variants with their current number of instances, which scaling changes."""
    counts = {each["VariantName"]: each.get("CurrentInstanceCount") for each in endpoint.production_variants}
    configured = _variants(backend, endpoint.endpoint_config_name)
    return [{**each, "InstanceCount": counts.get(each["VariantName"])} for each in configured]


def _check(
    quotas: Quotas, usage: str, others: Iterable[Mapping[str, Any]], wanted: Iterable[Mapping[str, Any]]
) -> None:
    used = _count(others)
    for kind, count in _count(wanted).items():
        try:
            quotas.check(f"{kind} for {usage}", used=used.get(kind, 0), wanted=count)
        except QuotaExceededError as error:
            raise ResourceLimitExceededError(str(error)) from error


def _count(resources: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count instances by type."""
    counts: dict[str, int] = {}
    for each in resources:
        if kind := each.get("InstanceType"):
            counts[kind] = counts.get(kind, 0) + int(each.get("InstanceCount") or each.get("InitialInstanceCount") or 1)
    return counts
