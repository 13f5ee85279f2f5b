"""Look up an account's SageMaker instance quotas by name, with Service Quotas.

Quotas are looked up by name, because each instance type and usage has its own quota code:
https://docs.aws.amazon.com/general/latest/gr/sagemaker.html#limits_sagemaker
"""

from collections.abc import Collection, Iterator
from typing import Any, Literal

from botocore.exceptions import ClientError

Usage = Literal[
    "endpoint usage", "training job usage", "spot training job usage", "transform job usage", "processing job usage"
]

SERVICE = "sagemaker"
# The first operation returns only the quotas that have an applied value in the account:
# https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListServiceQuotas.html
# The second one returns AWS's defaults for all quotas
OPERATIONS = ("list_service_quotas", "list_aws_default_service_quotas")
CONSOLE = "https://console.aws.amazon.com/servicequotas/home/services/sagemaker/quotas"


def quota_name(instance_type: str, usage: Usage) -> str:
    """Return a quota's name, such as `ml.m5.xlarge for endpoint usage`."""
    return f"{instance_type} for {usage}"


def instance_quota(instance_type: str, usage: Usage, client: Any) -> int | None:
    """Return how many instances of a type an account may use at the same time, or None if the quota cannot be read.

    Parameters
    ----------
    client : boto3 client for `service-quotas` in the region of the instances
    """
    name = quota_name(instance_type, usage)
    try:
        return quotas([name], client).get(name)
    except ClientError:  # the caller may not read quotas, or the emulator has none
        return None


def quotas(names: Collection[str], client: Any) -> dict[str, int]:
    """Return the values of SageMaker quotas by name; quotas that do not exist or have no value are omitted.

    SageMaker has thousands of quotas, and no request finds a quota by its name. Therefore the function lists quotas
    until all names are found.

    Raises
    ------
    ClientError
        The caller may not read quotas.
    """
    found: dict[str, int] = {}
    for name, value in _all_quotas(client):
        if name in names:
            found.setdefault(name, value)
        if len(found) == len(names):
            break
    return found


def _all_quotas(client: Any) -> Iterator[tuple[str, int]]:
    for operation in OPERATIONS:
        for page in client.get_paginator(operation).paginate(ServiceCode=SERVICE):
            for quota in page["Quotas"]:
                if "Value" in quota:  # a quota that Service Quotas cannot read has an ErrorReason and no value
                    yield quota["QuotaName"], int(quota["Value"])
