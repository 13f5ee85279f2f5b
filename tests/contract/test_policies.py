"""The policies that IAM, S3 and KMS return for the environment `prod`, and the permission to destroy `prod`.

The tests share one account with test_environments.py, and the last test destroys the environment.
"""

import ast
import json
from typing import Any

import boto3
import pytest
from botocore import xform_name

from deployment import quotas
from deployment.cost import resources as planned_resources
from tests.contract.conftest import Bootstrap
from tests.contract.permissions import (
    WITHOUT_RESOURCE,
    is_public,
    matches,
    missing_actions,
    requested_actions,
    role_policies,
    statements,
    too_broad,
)
from tests.support.account import delete_all_objects, resources
from tests.support.models import add_baseline, approve, register
from tests.support.project import ROOT
from tests.support.terraform import Deployment

pytestmark = pytest.mark.xdist_group("production")

BOUNDARY = "arn:aws:iam::aws:policy/PowerUserAccess"
# Variables in addition to prod.tfvars. Every role and resource type exists if they are set, with a model and a VPC.
VARIABLES = {
    "TF_VAR_permissions_boundary": BOUNDARY,
    "TF_VAR_endpoint_hours": "8",
}
# Actions that a role needs and that cannot be found in the code, because an AWS service performs or requires them. The
# links lead to AWS's documentation.
LOG_OUTPUT = {"logs:CreateLogStream", "logs:PutLogEvents"}
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
    *LOG_OUTPUT,
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
# Same documentation as for CONTAINER
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
# Without s3:ListBucket, S3 returns 403 instead of 404 for a missing key
IMAGE_READ = {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "kms:Decrypt"}
BUCKET_ACCESS = {"s3:GetObject", "s3:ListBucket", "s3:PutObject"}
# https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html
ROLLBACK_ALARMS = {"cloudwatch:DescribeAlarms"}
# https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html and .../xray-iam.html
STATE_MACHINE = {
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
KEY_USE = {"kms:Decrypt", "kms:GenerateDataKey*"}
# https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
DISTRIBUTED_MAP = {
    "states:StartExecution",
    "states:DescribeExecution",
    "states:StopExecution",
    "states:RedriveExecution",
    "s3:AbortMultipartUpload",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
}
# The services whose resources the environment `prod` contains
SERVICES = {
    "application-autoscaling",
    "budgets",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "events",
    "iam",
    "kms",
    "lambda",
    "logs",
    "s3",
    "sagemaker",
    "scheduler",
    "sns",
    "sqs",
    "ssm",
    "states",
}
# The IAM action that each service integration needs; the keys are the ends of the Resource of Task states
TASKS = {
    "lambda:invoke": "lambda:InvokeFunction",
    "dynamodb:getItem": "dynamodb:GetItem",
    "dynamodb:putItem": "dynamodb:PutItem",
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
    "aws-sdk:dynamodb:transactWriteItems": "dynamodb:PutItem",
    "aws-sdk:s3:putObject": "s3:PutObject",
    "aws-sdk:s3:copyObject": "s3:GetObjectVersion",
    "sns:publish": "sns:Publish",
    "aws-sdk:cloudwatch:putMetricData": "cloudwatch:PutMetricData",
}


@pytest.fixture(scope="module")
def complete_production(applied_production: Deployment) -> Deployment:
    """The environment `prod`, applied with a model, a VPC and a permissions boundary."""
    with pytest.MonkeyPatch.context() as patch:
        applied_production.select(patch)
        for name, value in VARIABLES.items():
            patch.setenv(name, value)
        stack = applied_production.stack
        model = register(applied_production.account, stack, "[0.99, 0.01]")
        add_baseline(applied_production.account, stack, model)
        approve(applied_production.account, stack, model)
        applied_production.apply()
    return applied_production


@pytest.fixture
def production(complete_production: Deployment, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """The applied environment `prod`; AWS SDKs and Terraform use its account."""
    complete_production.select(monkeypatch)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return complete_production


@pytest.fixture
def policies(production: Deployment) -> dict[str, list[dict[str, Any]]]:
    """The statements of each role's policies, by the role's name without the environment's prefix."""
    prefix = f"scones-{production.stack.environment}-"
    found = role_policies(production.account.client("iam", production.stack.region))
    assert all(role.startswith(prefix) for role in found)
    return {role.removeprefix(prefix): policy for role, policy in found.items()}


def actions(policy: list[dict[str, Any]]) -> set[str]:
    """Return all actions in a list of policy statements."""
    return {action for statement in policy for action in statement["Action"]}


def called_by(function: str) -> set[str]:
    """Return the IAM actions of the AWS operations that a Lambda function's code calls."""
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


def called_by_state_machine(production: Deployment) -> set[str]:
    """Return the IAM actions of the state machine's Task states."""
    stack = production.stack
    client = production.account.client("stepfunctions", stack.region)
    definition = client.describe_state_machine(stateMachineArn=stack.state_machine_arn)["definition"]
    states = json.loads(definition)["States"].values()
    return {TASKS[state["Resource"].rpartition(":states:::")[2]] for state in states if state["Type"] == "Task"}


def test_policies_allow_no_action_on_all_resources_without_a_reason(policies: dict[str, list[dict[str, Any]]]) -> None:
    assert len(policies) == 15
    for role, policy in policies.items():
        assert too_broad(policy, WITHOUT_RESOURCE) == set(), role
        for statement in policy:
            assert not any(action.endswith(":*") for action in statement["Action"]), role
            if "iam:PassRole" in statement["Action"]:
                assert "iam:PassedToService" in json.dumps(statement["Condition"]), role


def test_only_services_assume_roles_and_the_bootstrap_boundary_allows_all_actions_of_the_roles(
    production: Deployment, policies: dict[str, list[dict[str, Any]]]
) -> None:
    iam = production.account.client("iam", production.stack.region)

    for purpose, policy in policies.items():
        role = iam.get_role(RoleName=f"scones-prod-{purpose}")["Role"]
        assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == BOUNDARY, purpose
        for statement in statements(role["AssumeRolePolicyDocument"]):
            assert set(statement["Principal"]) == {"Service"}, purpose
        # the permissions boundary of terraform/bootstrap allows all actions that the role's policies allow
        assert missing_actions(actions(policy), "boundary") == set(), purpose


def test_roles_allow_exactly_the_actions_that_code_and_services_use(
    production: Deployment, policies: dict[str, list[dict[str, Any]]]
) -> None:
    # GIVEN
    serialize, classify = called_by("serialize"), called_by("classify")
    assert "s3:GetObject" in serialize
    assert "sagemaker:InvokeEndpoint" in classify

    expected = {
        "serialize": {*serialize, *IMAGE_READ, *LOG_OUTPUT, *TRACING, *FUNCTION_IN_VPC},
        "classify": {*classify, *IMAGE_READ, *LOG_OUTPUT, *TRACING, *FUNCTION_IN_VPC},
        "filter": {*called_by("filter"), *LOG_OUTPUT, *TRACING, *FUNCTION_IN_VPC},
        "classify_batch": {
            *called_by("classify_batch"),
            "s3:ListBucket",
            *KEY_USE,
            *LOG_OUTPUT,
            *TRACING,
            *FUNCTION_IN_VPC,
        },
        "summarize": {*called_by("summarize"), *KEY_USE, *LOG_OUTPUT, *TRACING, *FUNCTION_IN_VPC},
        "batch": {"lambda:InvokeFunction", *DISTRIBUTED_MAP, *KEY_USE, *STATE_MACHINE},
        "workflow": {*called_by_state_machine(production), *KEY_USE, *STATE_MACHINE},
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
        "incoming": {"states:StartExecution"},
        "training": {*BUCKET_ACCESS, *KEY_USE, "kms:Encrypt", *CONTAINER, *CONTAINER_IN_VPC},
        "transform": {*BUCKET_ACCESS, *KEY_USE, "kms:Encrypt", *CONTAINER, *CONTAINER_IN_VPC},
        "vehicles-hosting": {
            *BUCKET_ACCESS,
            *KEY_USE,
            *CONTAINER,
            *CONTAINER_IN_VPC,
            *ROLLBACK_ALARMS,
            "kms:CreateGrant",
            "kms:Encrypt",
        },
        # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
        "network": {*LOG_OUTPUT, "logs:CreateLogGroup", "logs:DescribeLogGroups", "logs:DescribeLogStreams"},
        # https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html,
        # https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-delete-with-scaling.html and
        # https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
        "endpoint-expiry": {
            "application-autoscaling:DeregisterScalableTarget",
            "sagemaker:DeleteEndpoint",
            "sqs:SendMessage",
        },
        "drift": {"sagemaker:AddTags", "sagemaker:CreateProcessingJob", "iam:PassRole", "sqs:SendMessage"},
        "drift-job": {
            *BUCKET_ACCESS,
            *KEY_USE,
            *CONTAINER,
            *CONTAINER_IN_VPC,
            "kms:CreateGrant",
            "kms:Encrypt",
            "sns:Publish",
        },
    }
    assert set(policies) == set(expected)

    # THEN
    for purpose, allowed in expected.items():
        assert actions(policies[purpose]) == allowed, purpose


def test_roles_write_only_to_the_prefixes_that_they_need(
    production: Deployment, policies: dict[str, list[dict[str, Any]]]
) -> None:
    written = {
        purpose: {
            resource.removeprefix(f"arn:aws:s3:::{production.stack.bucket}/")
            for statement in policy
            if "s3:PutObject" in statement["Action"]
            for resource in statement["Resource"]
        }
        for purpose, policy in policies.items()
    }

    # the containers that serve a model cannot change models
    assert {purpose: keys for purpose, keys in written.items() if keys} == {
        "training": {"models/*", "checkpoints/*"},
        "transform": {"transform/*"},
        "vehicles-hosting": {"data_capture/*"},
        "drift-job": {"history/drift/*", "review/selected/*"},
        "batch": {"batch/*/results/*"},
        "classify_batch": {"batch/*/predictions/*"},
        "summarize": {"batch/*/predictions/*", "batch/*/summary.json"},
        "workflow": {"review/*"},
    }


def test_deployment_role_manages_only_its_environment(production: Deployment, bootstrap: Bootstrap) -> None:
    # GIVEN the ARNs of the resources of `prod`, from the state in an empty plan, which the plan role may create
    start = production.requests.stat().st_size
    plan = production.terraform.plan()
    assert plan.empty, plan.summary
    assert missing_actions(requested_actions(production.requests, start), "plan") == set()
    state = production.terraform.show(plan)["prior_state"]["values"]["root_module"]
    arns = {
        arn for each in planned_resources(state) if each["mode"] == "managed" and (arn := each["values"].get("arn"))
    }
    # permissions for a scaling policy refer to its scalable target, so the ARN of the scaling policy is not checked
    arns = {arn for arn in arns if arn.split(":")[2] != "autoscaling"}
    assert {arn.split(":")[2] for arn in arns} == SERVICES

    # THEN the deployment role of `prod` may delete all of these resources, and the role of `dev` only those whose ARN
    # does not contain the environment's name
    assert {arn for arn in arns if not may_delete(bootstrap.policies["scones-deploy-prod"], arn)} == set()
    others = {arn for arn in arns if may_delete(bootstrap.policies["scones-deploy-dev"], arn)}
    # for the resources of these services, tag conditions restrict the actions
    assert {arn.split(":")[2] for arn in others} <= {"application-autoscaling", "ec2", "kms"}


def may_delete(policy: list[dict[str, Any]], arn: str) -> bool:
    """Return whether a policy allows a Delete action on a resource if the conditions of all statements are met."""
    service = arn.split(":")[2]
    return any(
        statement["Effect"] == "Allow"
        and matches(arn, statement.get("Resource", []))
        and any(
            action == f"{service}:*" or action.startswith(f"{service}:Delete") for action in statement.get("Action", [])
        )
        for statement in policy
    )


def test_deployment_role_may_call_every_operation_that_looks_up_quotas() -> None:
    names = boto3.client("service-quotas", region_name="us-east-1").meta.method_to_api_mapping

    assert missing_actions({f"servicequotas:{names[operation]}" for operation in quotas.OPERATIONS}, "deploy") == set()


def test_buckets_refuse_plain_http_and_are_not_public(production: Deployment) -> None:
    s3 = production.account.client("s3", production.stack.region)
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]

    assert len(buckets) == 2
    for bucket in buckets:
        policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        denied = [each for each in statements(policy) if each["Effect"] == "Deny"]
        assert [each["Condition"] for each in denied] == [{"Bool": {"aws:SecureTransport": "false"}}], bucket
        assert not any(is_public(each) for each in statements(policy) if each["Effect"] == "Allow"), bucket


def test_key_policy_allows_use_of_the_kms_key_only_under_conditions(production: Deployment) -> None:
    stack = production.stack
    client = production.account.client("kms", stack.region)

    policy = json.loads(client.get_key_policy(KeyId=stack.kms_key_arn, PolicyName="default")["Policy"])
    uses = [
        each for each in statements(policy) if set(each["Action"]) & {"kms:Decrypt", "kms:Encrypt", "kms:CreateGrant"}
    ]
    assert uses
    assert all(each["Condition"] for each in uses)
    assert not any(is_public(each) for each in statements(policy))


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}, {"AWS": ["arn:aws:iam::123456789012:root", "*"]}])
def test_public_principals_are_detected(principal: Any) -> None:
    assert is_public({"Principal": principal})
    assert not is_public({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}})


def test_deployment_role_may_destroy_prod(production: Deployment) -> None:
    # GIVEN `prod` without anything that prevents its destruction: the approval, the tables' deletion protection, the S3
    # objects and the model packages
    stack = production.stack
    dynamodb, sagemaker = (production.account.client(service, stack.region) for service in ("dynamodb", "sagemaker"))
    for name in ("model-package-arn", "baseline"):
        production.account.client("ssm", stack.region).delete_parameter(Name=f"{stack.approved_model_path}/{name}")
    for table in (stack.vehicles_table, stack.drivers_table):
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    delete_all_objects(production.account.client("s3", stack.region), stack.bucket)
    for package in sagemaker.list_model_packages(ModelPackageGroupName=stack.model_package_group)[
        "ModelPackageSummaryList"
    ]:
        sagemaker.delete_model_package(ModelPackageName=package["ModelPackageArn"])

    # WHEN
    production.terraform.apply(production.terraform.plan(destroy=True))

    # THEN the account is empty, and the role may send all requests that Terraform sent to this account
    assert resources(production.account, stack.region) == {}
    assert missing_actions(requested_actions(production.requests), "deploy") == set()
