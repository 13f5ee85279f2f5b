"""Existing resources that have planned names are imported if they belong to the environment."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, EndpointConnectionError

from common.paths import TERRAFORM_DIRECTORY
from deployment.existing_resources import (
    RefusedLookupError,
    ResourceConflictError,
    import_into_state,
    plan_with_imports,
)
from deployment.resource_lookups import CREATED_AGAIN, LOOKUPS
from deployment.terraform import Plan

OWN, OTHER = {"Project": "scones", "Environment": "dev"}, {"Project": "scones", "Environment": "prod"}

DIMENSION = "sagemaker:variant:DesiredInstanceCount"


class FakeAws:
    """AWS clients of an account.

    Parameters
    ----------
    existing : names of roles and dashboards, and IDs of VPCs and scalable resources, that exist; IDs of KMS keys that
        are not waiting for their deletion
    """

    class Meta:
        """Metadata of a client; only the region is used."""

        region_name = "eu-west-1"

    meta = Meta()

    def __init__(self, *existing: str) -> None:
        self.existing = existing
        self.clients: list[str] = []

    def __call__(self, service: str, region: str) -> "FakeAws":
        assert region == "eu-west-1"
        self.clients.append(service)
        return self

    def can_paginate(self, operation: str) -> bool:
        return False

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "123456789012", "Arn": "arn:aws:sts::123456789012:assumed-role/some"}

    def get_role(self, **request: str) -> dict[str, Any]:
        if request["RoleName"] not in self.existing:
            raise ClientError({"Error": {"Code": "NoSuchEntity"}}, "GetRole")
        return {"Role": request}

    def get_dashboard(self, **request: str) -> dict[str, Any]:
        if request["DashboardName"] not in self.existing:
            raise ClientError({"Error": {"Code": "ResourceNotFound"}}, "GetDashboard")
        return {"DashboardBody": "{}"}

    def head_bucket(self, **request: str) -> dict[str, Any]:
        """Fail with the error code at the end of the bucket's name."""
        code = request["Bucket"].split("-")[-1]
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "HeadBucket")

    def describe_budget(self, **_: str) -> dict[str, Any]:
        message = "User: some is not authorized to perform: budgets:ViewBudget."
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, "DescribeBudget")

    def get_queue_url(self, **_: str) -> dict[str, Any]:
        raise EndpointConnectionError(endpoint_url="https://sqs.example.com")

    def list_aliases(self) -> dict[str, Any]:
        return {"Aliases": [{"AliasName": "alias/scones-dev", "TargetKeyId": "some-key"}]}

    def describe_key(self, **request: str) -> dict[str, Any]:
        state = "Enabled" if request["KeyId"] in self.existing else "PendingDeletion"
        return {"KeyMetadata": {"KeyId": request["KeyId"], "KeyState": state}}

    def describe_scalable_targets(self, **request: Any) -> dict[str, Any]:
        assert (request["ServiceNamespace"], request["ScalableDimension"]) == ("sagemaker", DIMENSION)
        return {"ScalableTargets": [{"ResourceId": name} for name in request["ResourceIds"] if name in self.existing]}

    def describe_subnets(self, **request: Any) -> dict[str, Any]:
        vpc, cidr = (each["Values"] for each in request["Filters"])
        return {"Subnets": [{"SubnetId": "subnet-1"}] if (vpc, cidr) == (["vpc-1"], ["10.0.0.0/25"]) else []}

    def describe_vpcs(self, **request: Any) -> dict[str, Any]:
        return {"Vpcs": [{"VpcId": "vpc-1"}] if "vpc-1" in self.existing else []}


class FakeTerraform:
    """Terraform, which plans to import the resources in `imports` and to create all others.

    The attribute `vpc-1`, the ID of the VPC `aws_vpc.this`, is known only if the plan imports this VPC.

    Parameters
    ----------
    planned : planned attributes of each resource by address
    before : current attributes of each existing resource by address
    """

    environment = "dev"

    def __init__(self, directory: Path, planned: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        self.path = directory / "plan"
        self.planned = planned
        self.before = before
        self.imports: Mapping[str, str] = {}
        self.actions = ["no-op"]  # planned actions on imported resources
        self.interrupted: set[str] = set()
        self.applied: list[tuple[Mapping[str, str], list[str]]] = []

    def plan(self, *, imports: Mapping[str, str] | None = None, targets: Any = (), refresh: bool = True) -> Plan:
        self.path.touch()
        self.imports, self.targets = imports or {}, list(targets)
        return Plan(self.path, 1, empty=False, summary="")

    def show(self, plan: Plan) -> dict[str, Any]:
        changes = []
        for address, after in self.planned.items():
            known = {
                name: None if value == "vpc-1" and "aws_vpc.this" not in self.imports else value
                for name, value in after.items()
            }
            if address in self.imports:
                change = {"actions": self.actions, "importing": {}, "before": self.before[address], "after": known}
            else:
                change = {"actions": ["create"], "before": None, "after": known}
            changes.append({"address": address, "type": address.split(".")[-2], "change": change})
        return {"variables": {"region": {"value": "eu-west-1"}}, "resource_changes": changes}

    def interrupted_creations(self) -> set[str]:
        return self.interrupted

    def apply(self, plan: Plan) -> None:
        self.applied.append((self.imports, self.targets))


KEY = {"aws_kms_key.this": {"tags_all": OWN}}
ROLE = {"aws_iam_role.this": {"name": "some-role", "tags_all": OWN}}


@pytest.fixture
def make_terraform(tmp_path: Path) -> Any:
    """A factory of `FakeTerraform`, whose arguments are `planned` and `before`."""
    return lambda planned, before: FakeTerraform(tmp_path, planned, before)


def test_existing_resource_with_the_environments_tags_is_imported(make_terraform: Any) -> None:
    # GIVEN
    terraform = make_terraform({**ROLE, "aws_iam_role.other": {"name": "new", "tags_all": OWN}}, ROLE)

    # WHEN
    plan_with_imports(terraform, FakeAws("some-role"))

    # THEN
    assert terraform.imports == {"aws_iam_role.this": "some-role"}


def test_message_says_that_the_plan_replaces_an_imported_resource(
    make_terraform: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    terraform = make_terraform(ROLE, ROLE)
    terraform.actions = ["delete", "create"]

    # WHEN
    plan_with_imports(terraform, FakeAws("some-role"))

    # THEN
    assert "aws_iam_role.this, which exists and is missing" in (output := capsys.readouterr().out)
    assert "The plan replaces it" in output


def test_empty_plan_imports_nothing_and_creates_no_client(make_terraform: Any) -> None:
    # GIVEN
    terraform, aws = make_terraform({}, {}), FakeAws("some-role")

    # WHEN
    plan_with_imports(terraform, aws)

    # THEN
    assert terraform.imports == {}
    assert aws.clients == []


@pytest.mark.parametrize("tags", [None, {}, OTHER, {"Project": "scones"}])
def test_resource_with_a_planned_name_but_without_the_environments_tags_is_not_imported(
    make_terraform: Any, tags: Any
) -> None:
    # GIVEN
    terraform = make_terraform(ROLE, {"aws_iam_role.this": {"name": "some-role", "tags_all": tags}})

    # WHEN / THEN
    with pytest.raises(
        ResourceConflictError, match=r"names of dev exist and lack the tags of dev: aws_iam_role.this \(some-role\)"
    ):
        plan_with_imports(terraform, FakeAws("some-role"))
    assert not terraform.path.exists()

    # WHEN resources are imported before the environment is destroyed
    import_into_state(terraform, FakeAws("some-role"))

    # THEN
    assert terraform.applied == []


def test_untagged_resource_is_imported_if_a_killed_apply_was_creating_it(make_terraform: Any) -> None:
    # GIVEN
    terraform = make_terraform(ROLE, {"aws_iam_role.this": {"name": "some-role", "tags_all": {}}})
    terraform.interrupted = {"aws_iam_role.this"}

    # WHEN
    plan_with_imports(terraform, FakeAws("some-role"))

    # THEN
    assert terraform.imports == {"aws_iam_role.this": "some-role"}


@pytest.mark.parametrize(("body", "differs"), [("{}", False), ('{"widgets": []}', True)])
def test_resource_that_cannot_have_tags_is_imported_only_if_its_attributes_are_as_planned(
    make_terraform: Any, body: str, differs: bool
) -> None:
    # GIVEN
    address = "module.observability.aws_cloudwatch_dashboard.this"
    planned = {address: {"dashboard_name": "some", "dashboard_body": "{}"}}
    terraform = make_terraform(planned, {address: {"dashboard_body": body}})

    # WHEN
    if differs:
        with pytest.raises(ResourceConflictError, match=re.escape(address)):
            plan_with_imports(terraform, FakeAws("some"))
    else:
        plan_with_imports(terraform, FakeAws("some"))

        # THEN
        assert terraform.imports == {address: "some"}


def test_subnet_is_imported_after_its_vpc(make_terraform: Any) -> None:
    # GIVEN a subnet that cannot be found before its VPC is imported, because the ID of the VPC is not known earlier
    planned = {
        "aws_vpc.this": {"tags_all": {**OWN, "Name": "some"}},
        "aws_subnet.this": {"vpc_id": "vpc-1", "cidr_block": "10.0.0.0/25", "tags_all": OWN},
    }
    terraform = make_terraform(planned, planned)

    # WHEN
    plan_with_imports(terraform, FakeAws("vpc-1"))

    # THEN
    assert terraform.imports == {"aws_vpc.this": "vpc-1", "aws_subnet.this": "subnet-1"}


def test_missing_resource_that_cannot_have_tags_is_not_imported(make_terraform: Any) -> None:
    # GIVEN
    terraform = make_terraform(
        {"aws_cloudwatch_dashboard.this": {"dashboard_name": "some", "dashboard_body": "{}"}}, {}
    )

    # WHEN
    plan_with_imports(terraform, FakeAws())

    # THEN
    assert terraform.imports == {}


def test_key_that_is_not_waiting_for_its_deletion_is_imported(make_terraform: Any) -> None:
    # GIVEN
    terraform = make_terraform(KEY, KEY)

    # WHEN
    plan_with_imports(terraform, FakeAws("some-key"))

    # THEN
    assert terraform.imports == {"aws_kms_key.this": "some-key"}


@pytest.mark.parametrize("existing", [True, False])
def test_existing_scalable_target_is_imported(make_terraform: Any, existing: bool) -> None:
    # GIVEN
    resource = "endpoint/some/variant/AllTraffic"
    planned = {
        "aws_appautoscaling_target.this": {
            "service_namespace": "sagemaker",
            "resource_id": resource,
            "scalable_dimension": DIMENSION,
            "tags_all": OWN,
        }
    }
    terraform = make_terraform(planned, planned)

    # WHEN
    plan_with_imports(terraform, FakeAws(resource if existing else "another"))

    # THEN
    expected = {"aws_appautoscaling_target.this": f"sagemaker/{resource}/{DIMENSION}"} if existing else {}
    assert terraform.imports == expected


def test_import_into_state_applies_a_plan_that_targets_only_imported_resources(make_terraform: Any) -> None:
    # GIVEN
    terraform = make_terraform({**ROLE, "aws_iam_role.other": {"name": "new", "tags_all": OWN}}, ROLE)

    # WHEN
    import_into_state(terraform, FakeAws("some-role"))

    # THEN
    assert terraform.applied == [({"aws_iam_role.this": "some-role"}, ["aws_iam_role.this"])]


BUDGET = {"aws_budgets_budget.this": {"name": "some", "tags_all": OWN}}


@pytest.mark.parametrize(
    ("planned", "message"),
    [
        ({"aws_s3_bucket.this": {"bucket": "some-403", "tags_all": OWN}}, "the bucket some-403 exists in another acc"),
        ({"aws_s3_bucket.this": {"bucket": "some-301", "tags_all": OWN}}, "the bucket some-301 exists in another reg"),
        (BUDGET, "DescribeBudget: User: some is not authorized to perform: budgets:ViewBudget)"),
        ({"aws_sqs_queue.this": {"name": "some"}}, 'Could not connect to the endpoint URL: "https://sqs.example.com"'),
        (KEY, "the KMS key some-key is waiting for its deletion: run `aws kms cancel-key-deletion --key-id some-key`"),
    ],
    ids=["bucket of another account", "bucket in another region", "missing permission", "no connection", "deleted key"],
)
def test_error_of_a_refused_lookup_has_the_resource_address_and_the_reason(
    make_terraform: Any, planned: Any, message: str
) -> None:
    # GIVEN
    terraform = make_terraform(planned, {})

    # WHEN / THEN
    with pytest.raises(RefusedLookupError, match=re.escape(f"{next(iter(planned))} ({message}")):
        plan_with_imports(terraform, FakeAws())
    assert not terraform.path.exists()


def test_import_into_state_prints_a_refused_lookup_and_imports_the_other_resources(
    make_terraform: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    terraform = make_terraform({**BUDGET, **ROLE}, ROLE)

    # WHEN
    import_into_state(terraform, FakeAws("some-role"))

    # THEN
    assert terraform.applied == [({"aws_iam_role.this": "some-role"}, ["aws_iam_role.this"])]
    output = capsys.readouterr().out
    assert "aws_budgets_budget.this cannot be looked up or imported: DescribeBudget: User" in output


def test_every_resource_type_in_terraform_has_a_lookup_or_can_be_created_again() -> None:
    # GIVEN
    code = "".join(path.read_text() for path in TERRAFORM_DIRECTORY.rglob("*.tf") if ".terraform" not in path.parts)
    types = set(re.findall(r'^resource "(aws_\w+)"', code, re.MULTILINE))

    # THEN
    unknown = types - LOOKUPS.keys() - CREATED_AGAIN
    assert unknown == set(), "add these types to LOOKUPS or CREATED_AGAIN in deployment/resource_lookups.py"
    assert CREATED_AGAIN.isdisjoint(LOOKUPS)


@pytest.mark.parametrize("resource_type", LOOKUPS)
def test_lookup_parameters_exist_in_the_service_model(resource_type: str) -> None:
    lookup = LOOKUPS[resource_type]
    model = botocore.session.get_session().get_service_model(lookup.service)
    (operation,) = (name for name in model.operation_names if xform_name(name) == lookup.operation)

    assert set(lookup.parameters) <= set(model.operation_model(operation).input_shape.members)
