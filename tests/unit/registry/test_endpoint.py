"""The live endpoint is described, checked, waited for and deleted."""

# ruff: noqa: N803  boto3's parameter names

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from registry import endpoint as module
from registry.endpoint import (
    EndpointError,
    EndpointMissingError,
    await_endpoint,
    check_endpoint,
    delete_endpoint,
    delete_failed_endpoint,
    deployed_model_package,
    describe_endpoint,
    describe_endpoint_config,
    instance_count,
)


class FakeSageMaker:
    """A SageMaker client with one endpoint.

    Parameters
    ----------
    error, code : message and code of the error with which requests fail; by default, they succeed
    endpoint : fields of the endpoint's description
    """

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


class FakeDeletion:
    """A SageMaker client with an endpoint whose status changes at each DescribeEndpoint request.

    DeleteEndpoint fails in the statuses Updating and Deleting. Otherwise, the next statuses are Deleting and None.

    Parameters
    ----------
    statuses : statuses of the endpoint in turn; None if the endpoint does not exist
    """

    def __init__(self, *statuses: str | None) -> None:
        self._statuses = list(statuses)
        self.requests: list[str] = []

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        self.requests.append(str(status))
        if status is None:
            raise client_error('Could not find endpoint "vehicles".', "DescribeEndpoint")
        return {"EndpointStatus": status, "FailureReason": "no ping"}

    def delete_endpoint(self, *, EndpointName: str) -> None:
        self.requests.append("delete")
        if self._statuses[0] in ("Updating", "Deleting"):
            raise client_error('Cannot update in-progress endpoint "vehicles".', "DeleteEndpoint")
        self._statuses = ["Deleting", "Deleting", None]


def client_error(message: str, operation: str) -> ClientError:
    """Return a validation error of SageMaker."""
    return ClientError({"Error": {"Code": "ValidationException", "Message": message}}, operation)


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
def test_errors_other_than_a_missing_endpoint_are_raised(sagemaker: FakeSageMaker) -> None:
    with pytest.raises(ClientError):
        describe_endpoint("vehicles", sagemaker=sagemaker)
    with pytest.raises(ClientError):
        describe_endpoint_config("config-2", sagemaker=sagemaker)


def test_deployed_model_is_read_from_the_endpoint_configuration_that_the_endpoint_uses() -> None:
    assert deployed_model_package("vehicles", sagemaker=FakeSageMaker()) == "package-of-model-of-config-2"


def test_endpoint_in_service_with_the_expected_configuration_passes_the_check() -> None:
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
def test_endpoint_with_another_configuration_or_status_fails_the_check(endpoint: dict[str, str], message: str) -> None:
    with pytest.raises(EndpointError, match=message):
        check_endpoint("vehicles", "config-2", advice="run `make deploy`", sagemaker=FakeSageMaker(**endpoint))


def test_endpoint_that_is_still_being_deployed_fails_the_check_with_the_advice_to_wait() -> None:
    with pytest.raises(EndpointError, match="endpoint vehicles is still Updating: run the command again"):
        check_endpoint(
            "vehicles", "config-2", advice="run `make rollback`", sagemaker=FakeSageMaker(EndpointStatus="Updating")
        )


def test_missing_endpoint_fails_the_check_with_the_given_advice() -> None:
    with pytest.raises(EndpointMissingError, match="vehicles does not exist: run `make deploy`"):
        check_endpoint("vehicles", "config-2", advice="run `make deploy`", sagemaker=MISSING)


@pytest.mark.parametrize("status", ["Creating", "Updating", "SystemUpdating", "RollingBack"])
def test_await_endpoint_waits_until_a_change_has_ended(
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


def test_await_endpoint_fails_if_a_change_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setattr("registry.endpoint.CHANGE_TIMEOUT", 0)
    sagemaker = FakeSageMaker(EndpointStatus="Updating")

    # WHEN / THEN
    with pytest.raises(EndpointError, match="endpoint vehicles is still Updating after an hour: run the command again"):
        await_endpoint("vehicles", sagemaker=sagemaker)


def test_await_endpoint_returns_if_the_endpoint_does_not_exist() -> None:
    await_endpoint("vehicles", sagemaker=MISSING)


@pytest.fixture
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_INTERVAL", 0)


@pytest.mark.usefixtures("_no_pause")
@pytest.mark.parametrize(
    ("statuses", "requests"),
    [
        pytest.param(["InService"], ["InService", "delete", "Deleting", "Deleting", "None"], id="in service"),
        pytest.param(["Failed"], ["Failed", "delete", "Deleting", "Deleting", "None"], id="failed"),
        pytest.param(["Deleting", None], ["Deleting", "None"], id="being deleted"),
        pytest.param(
            ["Creating", "InService", "InService"],
            ["Creating", "InService", "delete", "Deleting", "Deleting", "None"],
            id="being created",
        ),
        pytest.param(
            ["InService", "Updating", "InService", "InService"],
            ["InService", "delete", "Updating", "InService", "delete", "Deleting", "Deleting", "None"],
            id="update started meanwhile",
        ),
        pytest.param([None], ["None"], id="missing"),
    ],
)
def test_delete_endpoint_waits_until_the_endpoint_does_not_exist(
    statuses: list[str | None], requests: list[str]
) -> None:
    # GIVEN
    sagemaker = FakeDeletion(*statuses)

    # WHEN
    delete_endpoint("vehicles", sagemaker=sagemaker)

    # THEN
    assert sagemaker.requests == requests


@pytest.mark.usefixtures("_no_pause")
def test_delete_endpoint_fails_if_a_change_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setattr(module, "CHANGE_TIMEOUT", 0)

    # WHEN / THEN
    with pytest.raises(EndpointError, match="vehicles is still Creating after 0 minutes: run the command again"):
        delete_endpoint("vehicles", sagemaker=FakeDeletion("Creating"))


@pytest.mark.usefixtures("_no_pause")
@pytest.mark.parametrize(("status", "deleted"), [("Failed", True), ("Deleting", True), ("InService", False)])
def test_only_a_failed_endpoint_is_deleted_before_an_apply(status: str, deleted: bool) -> None:
    # GIVEN
    sagemaker = FakeDeletion(status, status, None) if status == "Deleting" else FakeDeletion(status)

    # WHEN
    delete_failed_endpoint("vehicles", sagemaker=sagemaker)

    # THEN
    assert (sagemaker.requests[-1] == "None") == deleted
    assert ("delete" in sagemaker.requests) == (status == "Failed")


@pytest.mark.parametrize(
    ("variants", "count"),
    [
        pytest.param([{"CurrentInstanceCount": 2, "DesiredInstanceCount": 4}], 4, id="scaling out"),
        pytest.param([{"CurrentServerlessConfig": {}}], None, id="serverless"),
    ],
)
def test_instance_count_is_the_desired_count_or_none_without_instances(
    variants: list[dict[str, Any]], count: int | None
) -> None:
    sagemaker: Any = FakeSageMaker()
    sagemaker._endpoint["ProductionVariants"] = variants
    assert instance_count("vehicles", sagemaker=sagemaker) == count
    assert instance_count("vehicles", sagemaker=MISSING) is None
