"""Instance quotas of endpoints and processing jobs."""

from types import SimpleNamespace
from typing import Any

import pytest

from sagelocal.core.quotas import Quotas
from sagelocal.services.sagemaker.instance_quotas import ResourceLimitExceededError, check_endpoint, check_processing

QUOTAS = Quotas({"ml.m5.large for endpoint usage": 5})


def make_backend(running: int) -> Any:
    """Return a substitute for moto's backend, with an endpoint and its configuration.

    running : number of instances of the endpoint; the configuration has two
    """
    variant = {"VariantName": "AllTraffic", "InstanceType": "ml.m5.large", "InitialInstanceCount": 2}
    endpoint = SimpleNamespace(
        endpoint_config_name="config",
        production_variants=[{"VariantName": "AllTraffic", "CurrentInstanceCount": running}],
    )
    return SimpleNamespace(
        endpoint_configs={"config": SimpleNamespace(response_object={"ProductionVariants": [variant]})},
        endpoints={"endpoint": endpoint},
    )


def test_update_within_the_quota_is_accepted() -> None:
    check_endpoint(QUOTAS, make_backend(running=3), "config")


def test_all_instances_of_a_scaled_out_endpoint_count_against_the_quota() -> None:
    with pytest.raises(ResourceLimitExceededError, match="current utilization of 4 Instances"):
        check_endpoint(QUOTAS, make_backend(running=4), "config")


def test_only_running_processing_jobs_count_against_the_quota() -> None:
    # GIVEN a running job and an ended job, each with two instances
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 2}
    jobs = {
        status: SimpleNamespace(processing_job_status=status, processing_resources={"ClusterConfig": cluster})
        for status in ("InProgress", "Completed")
    }
    backend: Any = SimpleNamespace(processing_jobs=jobs)
    quotas = Quotas({"ml.m5.large for processing job usage": 3})
    # WHEN / THEN
    check_processing(quotas, backend, {**cluster, "InstanceCount": 1})
    with pytest.raises(ResourceLimitExceededError, match="current utilization of 2 Instances"):
        check_processing(quotas, backend, cluster)
