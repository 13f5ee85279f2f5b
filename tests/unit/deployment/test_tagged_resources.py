"""`exists` says whether a resource that the Tagging API lists still exists, because the API also lists deleted ones."""

import re
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from common.paths import TERRAFORM_DIRECTORY
from deployment.tagged_resources import DESCRIBE, exists

ARNS = [
    "arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/0123",
    "arn:aws:budgets::123456789012:budget/scones-dev-monthly",
    "arn:aws:cloudwatch:us-east-1:123456789012:alarm:scones-dev-alarm",
    "arn:aws:dynamodb:us-east-1:123456789012:table/scones-dev-vehicles",
    "arn:aws:ec2:us-east-1:123456789012:route-table/rtb-1",
    "arn:aws:ec2:us-east-1:123456789012:security-group/sg-1",
    "arn:aws:ec2:us-east-1:123456789012:security-group-rule/sgr-1",
    "arn:aws:ec2:us-east-1:123456789012:subnet/subnet-1",
    "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-1",
    "arn:aws:ec2:us-east-1:123456789012:vpc-endpoint/vpce-1",
    "arn:aws:ec2:us-east-1:123456789012:vpc-flow-log/fl-1",
    "arn:aws:events:us-east-1:123456789012:rule/scones-dev-failed",
    "arn:aws:lambda:us-east-1:123456789012:function:scones-dev-filter",
    "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/scones-dev-filter",
    "arn:aws:s3:::scones-dev-data-123456789012",
    "arn:aws:sagemaker:us-east-1:123456789012:endpoint/scones-dev-vehicles",
    "arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/scones-dev-vehicles-1",
    "arn:aws:sagemaker:us-east-1:123456789012:model/scones-dev-vehicles-1",
    "arn:aws:sagemaker:us-east-1:123456789012:model-package/scones-dev-vehicles/1",
    "arn:aws:sagemaker:us-east-1:123456789012:model-package-group/scones-dev-vehicles",
    "arn:aws:sns:us-east-1:123456789012:scones-dev-failures",
    "arn:aws:sqs:us-east-1:123456789012:scones-dev-queue",
    "arn:aws:ssm:us-east-1:123456789012:parameter/scones/dev/endpoint-lifetime/interval",
    "arn:aws:states:us-east-1:123456789012:stateMachine:scones-dev-workflow",
]

# KINDS: kind in the ARN for each Terraform resource type that can have tags. UNLISTED: resource types that cannot have
# tags, or that the Tagging API does not list: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html
KINDS = {
    "aws_appautoscaling_target": "application-autoscaling:scalable-target",
    "aws_budgets_budget": "budgets:budget",
    "aws_cloudwatch_event_rule": "events:rule",
    "aws_cloudwatch_log_group": "logs:log-group",
    "aws_cloudwatch_metric_alarm": "cloudwatch:alarm",
    "aws_dynamodb_table": "dynamodb:table",
    "aws_flow_log": "ec2:vpc-flow-log",
    "aws_lambda_function": "lambda:function",
    "aws_route_table": "ec2:route-table",
    "aws_s3_bucket": "s3",
    "aws_sagemaker_endpoint": "sagemaker:endpoint",
    "aws_sagemaker_endpoint_configuration": "sagemaker:endpoint-config",
    "aws_sagemaker_model": "sagemaker:model",
    "aws_sagemaker_model_package_group": "sagemaker:model-package-group",
    "aws_security_group": "ec2:security-group",
    "aws_sfn_state_machine": "states:stateMachine",
    "aws_sns_topic": "sns",
    "aws_sqs_queue": "sqs",
    "aws_ssm_parameter": "ssm:parameter",
    "aws_subnet": "ec2:subnet",
    "aws_vpc": "ec2:vpc",
    "aws_vpc_endpoint": "ec2:vpc-endpoint",
    "aws_vpc_security_group_egress_rule": "ec2:security-group-rule",
    "aws_vpc_security_group_ingress_rule": "ec2:security-group-rule",
}
UNLISTED = {
    "aws_appautoscaling_policy",
    "aws_cloudwatch_dashboard",
    "aws_cloudwatch_event_target",
    "aws_cloudwatch_log_metric_filter",
    "aws_iam_role",
    "aws_iam_role_policy",
    "aws_kms_alias",
    "aws_kms_key",  # the Tagging API lists keys, but AWS deletes them only after a waiting period
    "aws_route_table_association",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_logging",
    "aws_s3_bucket_notification",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_versioning",
    "aws_scheduler_schedule",
    "aws_sns_topic_policy",
    "aws_sns_topic_subscription",
    "aws_sqs_queue_policy",
}


@cache
def make_client(service: str) -> Any:
    return boto3.client(service, region_name="us-east-1")


class FakeClient:
    """A client for any service, which checks the parameters of each request with the service's model.

    Parameters
    ----------
    error : code and message of the error with which requests fail; None if they succeed
    found : whether the lists in responses contain an item
    """

    def __init__(self, service: str, *, error: tuple[str, str] | None, found: bool) -> None:
        self._client = make_client(service)
        self._error, self._found = error, found

    def __getattr__(self, operation: str) -> Any:
        name = self._client.meta.method_to_api_mapping[operation]
        model = self._client.meta.service_model.operation_model(name)

        def call(**parameters: Any) -> dict[str, Any]:
            assert set(parameters) <= set(model.input_shape.members)
            assert set(model.input_shape.required_members) <= set(parameters)
            if self._error:
                code, message = self._error
                raise ClientError({"Error": {"Code": code, "Message": message}}, name)
            members = model.output_shape.members if model.output_shape else {}
            lists = [key for key, shape in members.items() if shape.type_name == "list"]
            return {"ResponseMetadata": {}, **{key: [{"State": "available"}] if self._found else [] for key in lists}}

        return call


def is_reported_as_existing(arn: str, *, error: tuple[str, str] | None = None, found: bool = True) -> bool:
    """Return the result of `exists` for the given responses of AWS."""
    return exists(arn, lambda service: FakeClient(service, error=error, found=found))


def test_every_kind_in_describe_has_an_example_arn() -> None:
    assert len(ARNS) == len(DESCRIBE)


def test_every_tagged_resource_that_terraform_declares_can_be_described() -> None:
    # GIVEN the root module and its modules, but not `bootstrap`, whose resources do not have the tag of an environment
    files = [*TERRAFORM_DIRECTORY.glob("*.tf"), *(TERRAFORM_DIRECTORY / "modules").rglob("*.tf")]
    types = set(re.findall(r'^resource "(aws_\w+)"', "\n".join(file.read_text() for file in files), re.MULTILINE))

    # THEN
    assert types - UNLISTED == KINDS.keys(), "add the type to KINDS or UNLISTED"
    assert set(KINDS.values()) <= DESCRIBE.keys()


def test_ssm_parameter_is_looked_up_by_its_full_name() -> None:
    # GIVEN
    requests = []

    class Parameters:
        """An SSM client that records requests."""

        def get_parameter(self, **request: str) -> dict[str, str]:
            requests.append(request)
            return {"Parameter": "some"}

    # WHEN
    exists("arn:aws:ssm:us-east-1:123456789012:parameter/scones/dev/some", lambda service: Parameters())

    # THEN
    assert requests == [{"Name": "/scones/dev/some"}]


@pytest.mark.parametrize("arn", ARNS)
def test_resource_that_can_be_described_exists(arn: str) -> None:
    assert is_reported_as_existing(arn)


@pytest.mark.parametrize("arn", ARNS)
@pytest.mark.parametrize(
    "error",
    [
        ("ResourceNotFoundException", "not found"),
        ("404", "Not Found"),
        ("ParameterNotFound", ""),
        ("InvalidVpcID.NotFound", "no such VPC"),
        ("AWS.SimpleQueueService.NonExistentQueue", "no such queue"),
        ("StateMachineDoesNotExist", "no such state machine"),
        ("ValidationException", 'Could not find endpoint "some".'),
        ("ValidationException", "ModelPackage some does not exist."),
    ],
    ids=lambda error: error[0],
)
def test_resource_does_not_exist_if_the_request_fails_with_a_not_found_error(arn: str, error: tuple[str, str]) -> None:
    assert not is_reported_as_existing(arn, error=error)


@pytest.mark.parametrize("arn", [arn for arn in ARNS if ":ec2:" in arn or ":alarm:" in arn])
def test_resource_does_not_exist_if_the_list_operation_returns_no_items(arn: str) -> None:
    assert not is_reported_as_existing(arn, found=False)


@pytest.mark.parametrize("error", [("AccessDeniedException", "no"), ("ValidationException", "invalid name")])
def test_resource_counts_as_existing_if_the_request_fails_for_another_reason(error: tuple[str, str]) -> None:
    assert is_reported_as_existing(ARNS[0], error=error)


def test_resource_of_a_kind_that_is_not_in_describe_counts_as_existing() -> None:
    assert is_reported_as_existing("arn:aws:ec2:us-east-1:123456789012:instance/i-1", error=("404", "Not Found"))
