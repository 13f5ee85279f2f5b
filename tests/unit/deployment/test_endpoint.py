from typing import Any

import pytest
from botocore.exceptions import ClientError

from deployment.endpoint import EndpointError, EndpointMissingError, check_endpoint

NAME, CONFIG = "some-endpoint", "some-endpoint-2"


class FakeSageMaker:
    """SageMaker with one endpoint, or an error for it."""

    def __init__(self, *, error: ClientError | None = None, **description: str) -> None:
        self._description = {"EndpointStatus": "InService", "EndpointConfigName": CONFIG, **description}
        self._error = error

    def describe_endpoint(self, **_: Any) -> dict[str, str]:
        if self._error:
            raise self._error
        return self._description


def make_error(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeEndpoint")


def test_endpoint_with_the_planned_configuration_passes() -> None:
    check_endpoint(NAME, CONFIG, sagemaker=FakeSageMaker())


@pytest.mark.parametrize(
    "description",
    [
        pytest.param({"EndpointConfigName": "some-endpoint-1"}, id="rolled back to the old configuration"),
        pytest.param({"EndpointStatus": "Failed"}, id="not in service"),
    ],
)
def test_rolled_back_update_fails_with_sagemakers_reason(description: dict[str, str]) -> None:
    # GIVEN an update that the provider reports as a success
    sagemaker = FakeSageMaker(**description, FailureReason="the ping health check failed")

    # WHEN / THEN
    with pytest.raises(EndpointError, match="the ping health check failed"):
        check_endpoint(NAME, CONFIG, sagemaker=sagemaker)


def test_missing_endpoint_is_distinguished_from_other_errors() -> None:
    missing = make_error("ValidationException", f'Could not find endpoint "{NAME}".')
    with pytest.raises(EndpointMissingError, match="some-endpoint does not exist"):
        check_endpoint(NAME, CONFIG, sagemaker=FakeSageMaker(error=missing))

    with pytest.raises(ClientError, match="not authorized"):
        check_endpoint(NAME, CONFIG, sagemaker=FakeSageMaker(error=make_error("AccessDenied", "not authorized")))
