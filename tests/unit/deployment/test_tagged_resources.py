"""A resource that the tagging API lists is described before it counts as remaining."""

from functools import cache
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

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
    "arn:aws:states:us-east-1:123456789012:stateMachine:scones-dev-workflow",
]


@cache
def make_client(service: str) -> Any:
    return boto3.client(service, region_name="us-east-1")


class FakeClient:
    """A client of any service: each operation is checked against the service's model, then answered."""

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


def is_listed_as_existing(arn: str, *, error: tuple[str, str] | None = None, found: bool = True) -> bool:
    return exists(arn, lambda service: FakeClient(service, error=error, found=found))


def test_every_kind_has_an_example() -> None:
    assert len(ARNS) == len(DESCRIBE)


@pytest.mark.parametrize("arn", ARNS)
def test_described_resource_exists(arn: str) -> None:
    assert is_listed_as_existing(arn)


@pytest.mark.parametrize("arn", ARNS)
@pytest.mark.parametrize(
    "error",
    [
        ("ResourceNotFoundException", "not found"),
        ("404", "Not Found"),
        ("InvalidVpcID.NotFound", "no such VPC"),
        ("AWS.SimpleQueueService.NonExistentQueue", "no such queue"),
        ("StateMachineDoesNotExist", "no such state machine"),
        ("ValidationException", 'Could not find endpoint "some".'),
        ("ValidationException", "ModelPackage some does not exist."),
    ],
    ids=lambda error: error[0],
)
def test_deleted_resource_does_not_exist(arn: str, error: tuple[str, str]) -> None:
    assert not is_listed_as_existing(arn, error=error)


@pytest.mark.parametrize("arn", [arn for arn in ARNS if ":ec2:" in arn or ":alarm:" in arn])
def test_resource_that_is_not_in_a_list_does_not_exist(arn: str) -> None:
    assert not is_listed_as_existing(arn, found=False)


@pytest.mark.parametrize("error", [("AccessDeniedException", "no"), ("ValidationException", "invalid name")])
def test_resource_that_cannot_be_described_exists(error: tuple[str, str]) -> None:
    assert is_listed_as_existing(ARNS[0], error=error)


def test_resource_of_another_kind_exists() -> None:
    assert is_listed_as_existing("arn:aws:ec2:us-east-1:123456789012:instance/i-1", error=("404", "Not Found"))
