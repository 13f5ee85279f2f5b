"""Every policy of an applied environment, read back as IAM, S3 and KMS have it."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name
from sagelocal.core.environment import pointing_at

from common.stack import Stack
from deployment.cost import resources
from deployment.read_stack import read_stack
from deployment.terraform import Terraform
from registry.model_registry import in_use_parameter
from tests.contract.conftest import RunningEmulator, start_emulator
from tests.contract.permissions import WITHOUT_RESOURCE, everybody, is_one_of, refused, statements, too_wide
from tests.contract.test_deployment import register
from tests.contract.test_terraform import ROOT, copy_project, make_terraform

BOUNDARY = "arn:aws:iam::aws:policy/PowerUserAccess"
# Beside what prod.tfvars has, so that every role and resource is there
SETTINGS = {
    "TF_VAR_permissions_boundary": BOUNDARY,
    "TF_VAR_endpoint_hours": "8",
    "TF_VAR_vpc_cidr": "10.0.0.0/24",
}
# What AWS's services do in a role's name beside what our code calls, and where AWS says so
OWN_LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
TRACING = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
# https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html, CreateTrainingJob and CreateModel
CONTAINER = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "cloudwatch:PutMetricData",
    "logs:CreateLogGroup",
    "logs:DescribeLogStreams",
    *OWN_LOG,
}
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
FUNCTION_IN_VPC = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}
# As CONTAINER
CONTAINER_IN_VPC = {
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
}
BUCKET = {"s3:GetObject", "s3:ListBucket", "s3:PutObject"}
# https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html
WATCHING = {"cloudwatch:DescribeAlarms"}
# https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html and .../xray-iam.html
MACHINE = {
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    *TRACING,
}
KEY = {"kms:Decrypt", "kms:GenerateDataKey*"}
# What production is made of
SERVICES = {
    "application-autoscaling",
    "budgets",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "iam",
    "kms",
    "lambda",
    "logs",
    "s3",
    "sagemaker",
    "scheduler",
    "sns",
    "states",
}
TASKS = {
    "lambda:invoke": "lambda:InvokeFunction",
    "dynamodb:putItem": "dynamodb:PutItem",
    "sns:publish": "sns:Publish",
    "aws-sdk:cloudwatch:putMetricData": "cloudwatch:PutMetricData",
}


@pytest.fixture(scope="module", name="project")
def make_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone."""
    return copy_project(tmp_path_factory.mktemp("production"))


@pytest.fixture(scope="module", name="production")
def make_production(project: Path) -> Iterator[tuple[RunningEmulator, Stack]]:
    """Production with a model, applied within a permissions boundary; its account, and what Terraform put out."""
    account = start_emulator(project.parent)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**pointing_at(account.url), **SETTINGS}.items():
            patch.setenv(name, value)
        patch.delenv("AWS_CA_BUNDLE", raising=False)
        terraform = make_terraform(project, "prod")
        terraform.apply(terraform.plan())
        stack = read_stack(terraform)
        arn = register(account, stack, "[0.99, 0.01]")
        account.client("ssm", stack.region).put_parameter(
            Name=in_use_parameter(stack.approved_model_path), Value=arn, Type="String"
        )
        terraform.apply(terraform.plan())
        yield account, read_stack(terraform)
    account.stop()


@pytest.fixture
def other_account(tmp_path: Path) -> Iterator[RunningEmulator]:
    """An account with nothing in it: what is in production's is counted."""
    running = start_emulator(tmp_path)
    yield running
    running.stop()


def policies(iam: Any) -> dict[str, list[dict[str, Any]]]:
    """The statements of each role of this project."""
    roles = [role["RoleName"] for role in iam.list_roles()["Roles"] if role["RoleName"].startswith("scones-")]
    return {
        role: [
            statement
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
            for statement in statements(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
        ]
        for role in roles
    }


def actions(found: list[dict[str, Any]]) -> set[str]:
    return {action for statement in found for action in statement["Action"]}


def called_by(function: str) -> set[str]:
    """The actions of the AWS operations that a function's code calls."""
    tree = ast.parse((ROOT / "lambdas" / function / "handler.py").read_text())
    called = {
        node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    services = {
        str(node.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "client"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    return {
        f"{'sagemaker' if service == 'sagemaker-runtime' else service}:{operation}"
        for service in services
        for operation in boto3.client(service, region_name="us-east-1").meta.service_model.operation_names
        if xform_name(operation) in called
    }


def test_every_policy_names_what_it_is_about(production: tuple[RunningEmulator, Stack]) -> None:
    account, stack = production
    found = policies(account.client("iam", stack.region))

    assert len(found) == 9
    for role, mine in found.items():
        assert too_wide(mine, WITHOUT_RESOURCE) == set(), role
        for statement in mine:
            assert not any(action.endswith(":*") for action in statement["Action"]), role
            if "iam:PassRole" in statement["Action"]:
                assert "iam:PassedToService" in json.dumps(statement["Condition"]), role


def test_every_role_is_lent_to_a_service_within_the_boundary(production: tuple[RunningEmulator, Stack]) -> None:
    account, stack = production
    iam = account.client("iam", stack.region)

    for role, mine in policies(iam).items():
        described = iam.get_role(RoleName=role)["Role"]
        assert described["PermissionsBoundary"]["PermissionsBoundaryArn"] == BOUNDARY, role
        for statement in statements(described["AssumeRolePolicyDocument"]):
            assert set(statement["Principal"]) == {"Service"}, role
        # and the boundary of terraform/bootstrap takes none of it away
        assert refused(actions(mine), "boundary") == set(), role


def test_what_code_and_services_do_is_allowed_and_nothing_else(production: tuple[RunningEmulator, Stack]) -> None:
    # GIVEN
    account, stack = production
    found = policies(account.client("iam", stack.region))
    serialize, classify = called_by("serialize"), called_by("classify")
    assert "s3:GetObject" in serialize
    assert "sagemaker:InvokeEndpoint" in classify

    # WHEN
    expected = {
        # S3 answers 403 for a missing key to whoever may not list
        "serialize": {*serialize, "s3:ListBucket", "kms:Decrypt", *OWN_LOG, *TRACING, *FUNCTION_IN_VPC},
        "classify": {*classify, *OWN_LOG, *TRACING, *FUNCTION_IN_VPC},
        "filter": {*called_by("filter"), *OWN_LOG, *TRACING, *FUNCTION_IN_VPC},
        "workflow": {*called_by_machine(account, stack), *KEY, *MACHINE},
        "training": {*BUCKET, *KEY, "kms:Encrypt", *CONTAINER, *CONTAINER_IN_VPC},
        "transform": {*BUCKET, *KEY, "kms:Encrypt", *CONTAINER, *CONTAINER_IN_VPC},
        "vehicles-hosting": {
            *BUCKET,
            *KEY,
            *CONTAINER,
            *CONTAINER_IN_VPC,
            *WATCHING,
            "kms:CreateGrant",
            "kms:Encrypt",
        },
        # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
        "network": {*OWN_LOG, "logs:DescribeLogStreams"},
        # https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
        "endpoint-expiry": {"sagemaker:DeleteEndpoint"},
    }
    assert set(found) == {f"scones-{stack.environment}-{purpose}" for purpose in expected}

    # THEN
    for purpose, allowed in expected.items():
        assert actions(found[f"scones-{stack.environment}-{purpose}"]) == allowed, purpose


def test_each_container_writes_its_own_part_of_the_bucket(production: tuple[RunningEmulator, Stack]) -> None:
    account, stack = production
    found = policies(account.client("iam", stack.region))

    written = {
        role.removeprefix(f"scones-{stack.environment}-"): {
            resource.removeprefix(f"arn:aws:s3:::{stack.bucket}/")
            for statement in mine
            if "s3:PutObject" in statement["Action"]
            for resource in statement["Resource"]
        }
        for role, mine in found.items()
    }
    # a model that answers for images can change no model
    assert {role: keys for role, keys in written.items() if keys} == {
        "training": {"models/*", "checkpoints/*"},
        "transform": {"transform/*"},
        "vehicles-hosting": {"data_capture/*"},
    }


def test_an_environments_deployment_role_reaches_all_of_it_and_no_others(
    production: tuple[RunningEmulator, Stack],
    project: Path,
    other_account: RunningEmulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN what production is made of
    terraform = make_terraform(project, "prod")
    state = terraform.show(terraform.plan())["prior_state"]["values"]["root_module"]
    made = {arn for each in resources(state) if each["mode"] == "managed" and (arn := each["values"].get("arn"))}
    # a scaling policy is its target's: who may change the target may change it
    made = {arn for arn in made if arn.split(":")[2] != "autoscaling"}
    assert {arn.split(":")[2] for arn in made} == SERVICES

    # AND an account's ground
    for name, value in {**pointing_at(other_account.url), "TF_VAR_repository": "scones/vehicles"}.items():
        monkeypatch.setenv(name, value)
    ground = Terraform("prod", logs=project / "build", directory=project / "terraform" / "bootstrap")
    ground.apply(ground.plan())
    found = policies(other_account.client("iam"))

    # THEN
    assert {arn for arn in made if not may_delete(found["scones-deploy-prod"], arn)} == set()
    others = {arn for arn in made if may_delete(found["scones-deploy-dev"], arn)}
    # whose these are is said by their tags, which conditions ask for
    assert {arn.split(":")[2] for arn in others} <= {"application-autoscaling", "ec2", "kms"}


def may_delete(found: list[dict[str, Any]], arn: str) -> bool:
    """Whether a statement allows it for a resource of this name, if its conditions hold."""
    service = arn.split(":")[2]
    return any(
        statement["Effect"] == "Allow"
        and any(is_one_of(arn, [pattern]) for pattern in statement.get("Resource", []))
        and any(
            action == f"{service}:*" or action.startswith(f"{service}:Delete") for action in statement.get("Action", [])
        )
        for statement in found
    )


def called_by_machine(account: RunningEmulator, stack: Stack) -> set[str]:
    """The actions of the state machine's tasks."""
    client = account.client("stepfunctions", stack.region)
    definition = client.describe_state_machine(stateMachineArn=stack.state_machine_arn)["definition"]
    states = json.loads(definition)["States"].values()
    return {TASKS[state["Resource"].rpartition(":states:::")[2]] for state in states if state["Type"] == "Task"}


def test_every_bucket_refuses_plain_http_and_nobody_is_everybody(production: tuple[RunningEmulator, Stack]) -> None:
    account, stack = production
    s3 = account.client("s3", stack.region)
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]

    assert len(buckets) == 2
    for bucket in buckets:
        policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        denied = [each for each in statements(policy) if each["Effect"] == "Deny"]
        assert [each["Condition"] for each in denied] == [{"Bool": {"aws:SecureTransport": "false"}}], bucket
        assert not any(everybody(each) for each in statements(policy) if each["Effect"] == "Allow"), bucket


def test_the_key_is_lent_through_the_services_that_keep_data(production: tuple[RunningEmulator, Stack]) -> None:
    account, stack = production
    client = account.client("kms", stack.region)

    policy = json.loads(client.get_key_policy(KeyId=stack.kms_key_arn, PolicyName="default")["Policy"])
    for statement in statements(policy):
        assert not everybody(statement)
        if set(statement["Action"]) & {"kms:Decrypt", "kms:Encrypt", "kms:CreateGrant"}:
            assert statement["Condition"]


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}, {"AWS": ["arn:aws:iam::123456789012:root", "*"]}])
def test_everybody_is_known_in_all_spellings(principal: Any) -> None:
    assert everybody({"Principal": principal})
    assert not everybody({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}})
