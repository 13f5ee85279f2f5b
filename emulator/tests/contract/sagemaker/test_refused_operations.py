"""SageMaker operations that sagelocal does not emulate fail, instead of succeeding without an effect."""

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
    """SageMaker clients that do not validate parameters, so that tests can omit required ones."""
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    return {
        service: boto3.client(service, endpoint_url=emulator.url, config=config, **credentials)
        for service in ("sagemaker", "sagemaker-runtime")
    }


def call_refused_operation(client: Any, operation: str, **parameters: str) -> str:
    """Call an operation, which must fail with the status 501, and return the error message."""
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
def test_error_of_a_refused_operation_names_an_alternative(clients: dict[str, Any], operation: str) -> None:
    assert call_refused_operation(clients["sagemaker"], operation).endswith(ALTERNATIVES[operation])


def test_asynchronous_invocation_of_an_endpoint_is_refused(clients: dict[str, Any]) -> None:
    # WHEN
    message = call_refused_operation(
        clients["sagemaker-runtime"], "invoke_endpoint_async", EndpointName="a", InputLocation="s3://bucket/key"
    )
    # THEN
    assert message.endswith(RUNTIME_ALTERNATIVES["invoke_endpoint_async"])


def test_list_of_resources_that_cannot_be_created_is_empty(clients: dict[str, Any]) -> None:
    assert clients["sagemaker"].list_pipelines()["PipelineSummaries"] == []
