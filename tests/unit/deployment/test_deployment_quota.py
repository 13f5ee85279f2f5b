"""The instance quota must be enough for the old and the new instances, which run at the same time in a deployment."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from common.errors import OperatorError
from deployment.deployment_quota import PlannedDeployment, check_quota, planned_deployment


class FakeServiceQuotas:
    """A Service Quotas client with a quota for endpoint instances on its second page.

    Parameters
    ----------
    value : value of the quota; None if the quotas cannot be read
    """

    def __init__(self, value: float | None) -> None:
        self._value = value

    def get_paginator(self, operation: str) -> "FakeServiceQuotas":
        return self

    def paginate(self, *, ServiceCode: str) -> Any:  # noqa: N803 (boto3's name)
        if self._value is None:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "ListServiceQuotas")
        yield {"Quotas": [{"QuotaName": "ml.m5.xlarge for training job usage", "Value": 0.0}]}
        yield {"Quotas": [{"QuotaName": "ml.m5.xlarge for endpoint usage", "Value": self._value}]}


def configuration(instance_type: str | None, count: int | None = 2) -> dict[str, Any]:
    """Return the attributes of an endpoint configuration."""
    return {"production_variants": [{"instance_type": instance_type, "initial_instance_count": count}]}


def make_plan(before: dict[str, Any] | None, after: dict[str, Any] | None, *actions: str) -> dict[str, Any]:
    """Return the content of a plan that changes the endpoint configuration."""
    change = {"actions": list(actions), "before": before, "after": after}
    other = {"type": "aws_sns_topic", "change": {"actions": ["create"], "before": None, "after": {}}}
    return {"resource_changes": [other, {"type": "aws_sagemaker_endpoint_configuration", "change": change}]}


M5, C5 = configuration("ml.m5.xlarge"), configuration("ml.c5.xlarge")


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        pytest.param(make_plan(M5, M5, "create", "delete"), PlannedDeployment("ml.m5.xlarge", 2, True), id="new model"),
        pytest.param(
            make_plan(C5, M5, "create", "delete"), PlannedDeployment("ml.m5.xlarge", 2, False), id="new instance type"
        ),
        pytest.param(make_plan(None, M5, "create"), PlannedDeployment("ml.m5.xlarge", 2, False), id="first deployment"),
        pytest.param(make_plan(M5, M5, "no-op"), None, id="unchanged"),
        pytest.param(make_plan(M5, None, "delete"), None, id="destroyed"),
        pytest.param(make_plan(M5, configuration(None, None), "create", "delete"), None, id="serverless"),
        pytest.param({}, None, id="empty plan"),
    ],
)
def test_planned_deployment_is_read_from_the_new_endpoint_configuration(
    plan: dict[str, Any], expected: PlannedDeployment | None
) -> None:
    assert planned_deployment(plan) == expected


@pytest.mark.parametrize(
    ("running", "quota", "message"),
    [
        pytest.param(4, 5, "needs 6 instances of ml.m5.xlarge at the same time, 4 old and 2 new.*is 5", id="too low"),
        pytest.param(0, 1, "needs 2 instances", id="too low for the first deployment"),
    ],
)
def test_deployment_above_the_quota_is_refused(running: int, quota: float, message: str) -> None:
    with pytest.raises(OperatorError, match=message):
        check_quota(PlannedDeployment("ml.m5.xlarge", 2, True), running, service_quotas=FakeServiceQuotas(quota))


@pytest.mark.parametrize(
    ("deployment", "quota"),
    [
        pytest.param(PlannedDeployment("ml.m5.xlarge", 2, True), 6, id="enough"),
        pytest.param(
            PlannedDeployment("ml.m5.xlarge", 2, False),
            2,
            id="the old instances have another type and therefore another quota",
        ),
        pytest.param(PlannedDeployment("ml.m5.xlarge", 2, True), None, id="quotas cannot be read"),
        pytest.param(PlannedDeployment("ml.g5.xlarge", 2, True), 0, id="quota is not listed"),
    ],
)
def test_deployment_is_accepted_within_the_quota_or_if_the_quota_is_unknown(
    deployment: PlannedDeployment, quota: float | None
) -> None:
    check_quota(deployment, 4, service_quotas=FakeServiceQuotas(quota))
