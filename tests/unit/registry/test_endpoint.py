"""Tests of the functions that describe and check the live endpoint."""

# ruff: noqa: N803  boto3's parameter names

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from registry.endpoint import (
    EndpointError,
    EndpointMissingError,
    await_endpoint,
    check_endpoint,
    deployed_model_package,
    describe_endpoint,
    describe_endpoint_config,
)


class FakeSageMaker:
    """SageMaker with one endpoint, or with an error."""

    def __init__(self, error: str | None = None, code: str = "ValidationException", **endpoint: str) -> None:
        self._error, self._code = error, code
        self._endpoint = {"EndpointStatus": "InService", "EndpointConfigName": "config-2", **endpoint}

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:
        if self._error:
            raise ClientError({"Error": {"Code": self._code, "Message": self._error}}, "DescribeEndpoint")
        return self._endpoint

    def describe_endpoint_config(self, *, EndpointConfigName: str) -> dict[str, Any]:
        if self._error:
            raise ClientError({"Error": {"Code": self._code, "Message": self._error}}, "DescribeEndpointConfig")
        return {"ProductionVariants": [{"ModelName": f"model-of-{EndpointConfigName}"}]}

    def describe_model(self, *, ModelName: str) -> dict[str, Any]:
        return {"PrimaryContainer": {"ModelPackageName": f"package-of-{ModelName}"}}


MISSING = FakeSageMaker('Could not find endpoint "vehicles".')


def test_missing_endpoint_has_no_description_and_no_model() -> None:
    assert describe_endpoint("vehicles", sagemaker=MISSING) is None
    assert describe_endpoint_config("config-2", sagemaker=MISSING) is None
    assert deployed_model_package("vehicles", sagemaker=MISSING) is None


@pytest.mark.parametrize(
    "sagemaker",
    [
        FakeSageMaker("1 validation error detected: endpointName"),
        FakeSageMaker("Could not find credentials", code="AccessDeniedException"),
    ],
    ids=["invalid name", "no permission"],
)
def test_other_errors_are_raised(sagemaker: FakeSageMaker) -> None:
    with pytest.raises(ClientError):
        describe_endpoint("vehicles", sagemaker=sagemaker)
    with pytest.raises(ClientError):
        describe_endpoint_config("config-2", sagemaker=sagemaker)


def test_deployed_model_comes_from_the_live_configuration() -> None:
    assert deployed_model_package("vehicles", sagemaker=FakeSageMaker()) == "package-of-model-of-config-2"


def test_endpoint_with_expected_configuration_passes() -> None:
    check_endpoint("vehicles", "config-2", advice="run `make deploy`", sagemaker=FakeSageMaker())


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ({"EndpointConfigName": "config-1"}, "InService with config-1, expected InService with config-2"),
        (
            {"EndpointStatus": "Failed", "FailureReason": "no ping"},
            r"is Failed .* \(no ping\): run `make deploy`",
        ),
    ],
    ids=["rolled back", "failed"],
)
def test_endpoint_with_other_configuration_or_status_fails(endpoint: dict[str, str], message: str) -> None:
    with pytest.raises(EndpointError, match=message):
        check_endpoint("vehicles", "config-2", advice="run `make deploy`", sagemaker=FakeSageMaker(**endpoint))


def test_missing_endpoint_fails_with_advice() -> None:
    with pytest.raises(EndpointMissingError, match="vehicles does not exist: run `make deploy`"):
        check_endpoint("vehicles", "config-2", advice="run `make deploy`", sagemaker=MISSING)


@pytest.mark.parametrize("status", ["Creating", "Updating", "SystemUpdating", "RollingBack"])
def test_change_that_a_killed_command_started_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: str
) -> None:
    # GIVEN
    statuses = [status, status, "InService"]
    monkeypatch.setattr("time.sleep", lambda seconds: statuses.pop(0))
    sagemaker: Any = SimpleNamespace(describe_endpoint=lambda **_: {"EndpointStatus": statuses[0]})

    # WHEN
    await_endpoint("vehicles", sagemaker=sagemaker)

    # THEN
    assert statuses == ["InService"]
    assert capsys.readouterr().out == f"waiting, because endpoint vehicles is {status}\n"


def test_endless_change_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setattr("registry.endpoint.CHANGE_TIMEOUT", 0)
    sagemaker = FakeSageMaker(EndpointStatus="Updating")

    # WHEN / THEN
    with pytest.raises(EndpointError, match="endpoint vehicles is still Updating after an hour: run the command again"):
        await_endpoint("vehicles", sagemaker=sagemaker)


def test_missing_endpoint_is_not_waited_for() -> None:
    await_endpoint("vehicles", sagemaker=MISSING)
