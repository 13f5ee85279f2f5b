"""Commands that plan and apply check the live endpoint and the code of the functions; `make up` restores the code."""

# ruff: noqa: N803  boto3's parameter names

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from common.errors import OperatorError
from deployment import function_code, plan_content
from deployment.function_code import sha256
from deployment.terraform import Plan
from registry import endpoint
from scripts import provision
from scripts.provision import apply, drift, plan, up
from tests.unit.stacks import make_stack

BUILT, REPLACED = b"built", b"replaced"
FUNCTION = "scones-local-filter"


class FakeAws:
    """Lambda, SageMaker, SNS and Service Quotas clients, which record the calls that change the account."""

    class exceptions:  # noqa: N801 (boto3's name)
        ResourceNotFoundException = KeyError

    def __init__(self) -> None:
        self.code = BUILT
        self.quota = 100.0
        self.endpoint: Any = {
            "EndpointStatus": "InService",
            "EndpointConfigName": "scones-local-vehicles-1",
            "ProductionVariants": [{"DesiredInstanceCount": 3}],
        }
        self.changes: list[str] = []

    def get_function(self, *, FunctionName: str) -> dict[str, Any]:
        return {"Configuration": {"CodeSha256": sha256(self.code)}}

    def update_function_code(self, *, FunctionName: str, ZipFile: bytes) -> None:
        self.changes.append(f"restore {FunctionName}")
        self.code = ZipFile

    def get_waiter(self, _: str) -> Any:
        return SimpleNamespace(wait=lambda **_: None)

    def describe_endpoint(self, *, EndpointName: str) -> Any:
        if self.endpoint is None:
            error = {"Code": "ValidationException", "Message": f'Could not find endpoint "{EndpointName}".'}
            raise ClientError({"Error": error}, "DescribeEndpoint")
        return self.endpoint

    def get_paginator(self, _: str) -> Any:
        quotas = [{"QuotaName": "ml.m5.xlarge for endpoint usage", "Value": self.quota}]
        page = {"Quotas": quotas, "Subscriptions": [{"SubscriptionArn": "arn:aws:sns:us-east-1:123456789012:some:1"}]}
        return SimpleNamespace(paginate=lambda **_: [page])


class FakeTerraform:
    """Terraform with one plan, which replaces the endpoint configuration; `endpoint` is its action on the endpoint."""

    environment = "local"

    def __init__(self, aws: FakeAws, directory: Path) -> None:
        self.aws = aws
        self.logs = directory
        self.path = directory / "terraform.tfplan"
        self.variables: Any = None
        self.maximum: int | None = 5
        self.endpoint = "update"

    def outputs(self) -> dict[str, Any]:
        return asdict(make_stack(function_code_sha256={FUNCTION: sha256(BUILT)}))

    def plan(self, *, variables: Any) -> Plan:
        self.aws.changes.append("plan")
        self.variables = variables
        self.path.touch()
        return Plan(self.path, changes=2, empty=False, summary="Plan: 1 to add, 0 to change, 1 to destroy")

    def show(self, _: Plan) -> dict[str, Any]:
        variants = {"production_variants": [{"instance_type": "ml.m5.xlarge", "initial_instance_count": 3}]}
        change = {"actions": ["create", "delete"], "before": variants, "after": variants}
        changes = {
            "aws_sagemaker_endpoint_configuration": change,
            "aws_sagemaker_endpoint": {"actions": [self.endpoint]},
        }
        return {
            "variables": {"endpoint_max_instance_count": {"value": self.maximum}},
            "resource_changes": [
                {"type": kind, "address": f"{kind}.this", "change": each} for kind, each in changes.items()
            ],
        }

    def saved_plan(self) -> Plan:
        return Plan(self.path, changes=0, empty=False, summary="")

    def init(self) -> None:
        pass

    def apply(self, _: Plan) -> None:
        self.aws.changes.append("apply")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeAws:
    """The clients of an account whose function code is as built, and whose endpoint is as deployed."""
    fake = FakeAws()
    monkeypatch.setattr("common.aws.client", lambda service, region: fake)
    monkeypatch.setattr(provision, "read_settings", lambda name: {})
    monkeypatch.setattr(plan_content, "check_model_classes", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    function_code.ARCHIVES.mkdir(parents=True)
    (function_code.ARCHIVES / "filter.zip").write_bytes(BUILT)
    return fake


@pytest.fixture
def environment(account: FakeAws, tmp_path: Path) -> Any:
    """A command's environment in this account."""
    return SimpleNamespace(
        name="local",
        directory=tmp_path,
        terraform=FakeTerraform(account, tmp_path),
        stack=make_stack(),
        client=lambda service: account,
    )


def test_plan_keeps_the_number_of_instances_to_which_the_endpoint_has_scaled(environment: Any) -> None:
    plan(environment)
    assert environment.terraform.variables == {"endpoint_live_instance_count": 3}


def test_replaced_function_code_is_restored_before_the_plan(account: FakeAws, environment: Any) -> None:
    # GIVEN function code that was replaced outside Terraform
    account.code = REPLACED

    # WHEN
    up(environment)

    # THEN
    assert account.changes == [f"restore {FUNCTION}", "plan", "apply"]
    assert account.code == BUILT


def test_drift_reports_replaced_function_code(account: FakeAws, environment: Any) -> None:
    # GIVEN function code that was replaced outside Terraform
    account.code = REPLACED

    # WHEN / THEN
    with pytest.raises(OperatorError, match=f"the code of {FUNCTION} was replaced.*Run `make up ENV=local`"):
        drift(environment)
    assert FUNCTION in (environment.directory / "drift.txt").read_text()
    assert account.changes == []


def test_deployment_above_the_instance_quota_is_not_applied(account: FakeAws, environment: Any) -> None:
    # GIVEN
    account.quota = 5

    # WHEN / THEN
    with pytest.raises(OperatorError, match="needs 6 instances"):
        up(environment)
    assert account.changes == ["plan"]


def test_failed_endpoint_is_deleted_before_the_apply(
    account: FakeAws, environment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    account.endpoint = {"EndpointStatus": "Failed", "EndpointConfigName": "some", "FailureReason": "no ping"}

    def delete(name: str, *, sagemaker: Any) -> None:
        account.changes.append(f"delete {name}")
        account.endpoint = {"EndpointStatus": "InService", "EndpointConfigName": "scones-local-vehicles-1"}

    monkeypatch.setattr(endpoint, "delete_endpoint", delete)

    # WHEN
    up(environment)

    # THEN
    assert account.changes == ["plan", "delete scones-local-vehicles", "apply"]


@pytest.mark.parametrize(
    ("current", "maximum", "applied"),
    [
        pytest.param(4, 5, False, id="the endpoint has scaled out since the plan was saved"),
        pytest.param(3, 5, True, id="the endpoint has the planned number of instances"),
        pytest.param(2, 5, True, id="the endpoint has scaled in since the plan was saved"),
        pytest.param(4, 3, True, id="the plan lowers the maximum"),
        pytest.param(4, None, True, id="the endpoint does not scale"),
    ],
)
def test_saved_plan_does_not_undo_a_scale_out(
    account: FakeAws, environment: Any, current: int, maximum: int | None, applied: bool
) -> None:
    # GIVEN a plan that deploys 3 instances
    account.endpoint["ProductionVariants"] = [{"DesiredInstanceCount": current}]
    environment.terraform.maximum = maximum

    # WHEN
    if applied:
        apply(environment)
    else:
        with pytest.raises(OperatorError, match=r"scaled to 4 instances .* deploys 3: run `make plan apply ENV=local`"):
            apply(environment)

    # THEN
    assert account.changes == (["apply"] if applied else [])


@pytest.mark.parametrize("live", [None, {"EndpointStatus": "Deleting"}], ids=["deleted", "being deleted"])
@pytest.mark.parametrize(("action", "applied"), [("no-op", False), ("update", False), ("create", True)])
def test_saved_plan_that_keeps_a_deleted_endpoint_is_not_applied(
    account: FakeAws,
    environment: Any,
    monkeypatch: pytest.MonkeyPatch,
    live: Any,
    action: str,
    applied: bool,
) -> None:
    # GIVEN
    account.endpoint = live
    environment.terraform.endpoint = action
    monkeypatch.setattr(endpoint, "delete_endpoint", lambda name, *, sagemaker: None)
    monkeypatch.setattr(endpoint, "check_endpoint", lambda *_, **__: None)

    # WHEN
    if applied:
        apply(environment)
    else:
        with pytest.raises(OperatorError, match=r"vehicles was deleted after .* run `make plan apply ENV=local`"):
            apply(environment)

    # THEN
    assert account.changes == (["apply"] if applied else [])
