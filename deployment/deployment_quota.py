"""Check before a deployment that the account's quota allows the old and the new instances at the same time.

A blue/green deployment creates all new instances while the old ones run:
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import OperatorError
from deployment.quotas import CONSOLE, instance_quota, quota_name

CONFIGURATION = "aws_sagemaker_endpoint_configuration"


@dataclass(frozen=True)
class PlannedDeployment:
    """A deployment in a Terraform plan.

    Attributes
    ----------
    instance_type, count : type and number of the new instances
    replaces_same_type : whether the old instances have the type of the new ones and therefore count for the same quota
    """

    instance_type: str
    count: int
    replaces_same_type: bool


def planned_deployment(plan: Mapping[str, Any]) -> PlannedDeployment | None:
    """Return the deployment in a plan, or None if the plan deploys no endpoint or a serverless one.

    Parameters
    ----------
    plan : content of a plan, as `terraform show -json` prints it
    """
    for resource in plan.get("resource_changes", []):
        change = resource["change"]
        if resource["type"] == CONFIGURATION and "create" in change["actions"]:
            new = variant(change["after"])
            old = variant(change["before"]) if change["before"] else {}
            if new.get("instance_type"):
                count = new.get("initial_instance_count") or 1
                return PlannedDeployment(new["instance_type"], count, old.get("instance_type") == new["instance_type"])
    return None


def variant(configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the production variant of an endpoint configuration."""
    found: Mapping[str, Any] = configuration["production_variants"][0]
    return found


def check_quota(deployment: PlannedDeployment, running: int, *, service_quotas: Any) -> None:
    """Check that the quota of the instance type allows a deployment; do nothing if the quota cannot be read.

    The account's other endpoints use the same quota, but this check does not count their instances.

    Parameters
    ----------
    running : current number of the endpoint's instances

    Raises
    ------
    OperatorError
        The quota is too low for the endpoint's old and new instances.
    """
    old = running if deployment.replaces_same_type else 0
    quota = instance_quota(deployment.instance_type, "endpoint usage", service_quotas)
    needed = old + deployment.count
    name = quota_name(deployment.instance_type, "endpoint usage")
    if quota is not None and needed > quota:
        raise OperatorError(
            f"the deployment needs {needed} instances of {deployment.instance_type} at the same time, {old} old and "
            f"{deployment.count} new, but the quota `{name}` is {quota}: "
            f"request at least {needed} at {CONSOLE}, or set another endpoint_instance_type"
        )
