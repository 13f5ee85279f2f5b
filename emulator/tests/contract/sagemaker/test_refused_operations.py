"""Operations that would answer success without an effect are refused."""

from http import HTTPStatus
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sagelocal.pytest_plugin import RunningEmulator
from sagelocal.services.sagemaker.refused_operations import ALTERNATIVES, RUNTIME_ALTERNATIVES


@pytest.fixture(scope="module")
def clients(emulator: RunningEmulator) -> dict[str, Any]:
    """Clients that send requests without their required parameters."""
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    return {
        service: boto3.client(service, endpoint_url=emulator.url, config=config, **credentials)
        for service in ("sagemaker", "sagemaker-runtime")
    }


def refuse(client: Any, operation: str, **parameters: str) -> str:
    """Call an operation, which is refused, and return the error message."""
    names = client.meta.service_model.operation_names
    (name,) = [each for each in names if each.lower() == operation.replace("_", "")]
    with pytest.raises(ClientError) as caught:
        client._make_api_call(name, parameters)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_IMPLEMENTED
    message: str = caught.value.response["Error"]["Message"]
    assert message.startswith("sagelocal does not support ")
    assert f":{name}: " in message
    return message


@pytest.mark.parametrize("operation", ALTERNATIVES)
def test_refusal_names_the_operation_and_the_alternative(clients: dict[str, Any], operation: str) -> None:
    assert refuse(clients["sagemaker"], operation).endswith(ALTERNATIVES[operation])


def test_asynchronous_invocation_is_refused(clients: dict[str, Any]) -> None:
    # WHEN
    message = refuse(
        clients["sagemaker-runtime"], "invoke_endpoint_async", EndpointName="a", InputLocation="s3://bucket/key"
    )
    # THEN
    assert message.endswith(RUNTIME_ALTERNATIVES["invoke_endpoint_async"])


def test_there_are_no_resources_of_refused_kinds(clients: dict[str, Any]) -> None:
    assert clients["sagemaker"].list_pipelines()["PipelineSummaries"] == []
