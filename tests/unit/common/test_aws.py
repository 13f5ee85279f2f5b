"""AWS errors, the default region, and checks of the endpoint and of the credentials files."""

import socket
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from common.aws import default_region, error_code, is_not_found, unreachable_endpoint, unreadable_files


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        pytest.param("ValidationException", 'Could not find endpoint "some-endpoint".', True, id="missing"),
        pytest.param("ValidationException", "1 validation error detected", False, id="invalid name"),
        pytest.param("AccessDeniedException", "Could not find a policy that allows it", False, id="denied"),
    ],
)
def test_is_not_found_is_true_only_for_a_missing_resource(code: str, message: str, expected: bool) -> None:
    error = ClientError({"Error": {"Code": code, "Message": message}}, "DescribeEndpoint")

    assert error_code(error) == code
    assert is_not_found(error) is expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({"AWS_REGION": "eu-west-1"}, "eu-west-1", id="AWS_REGION"),
        pytest.param({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2", id="AWS_DEFAULT_REGION"),
        pytest.param({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1", id="both"),
        pytest.param({}, "us-east-1", id="neither"),
    ],
)
def test_default_region_is_that_of_an_environment_variable_or_us_east_1(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    # GIVEN
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    # WHEN / THEN
    assert default_region() == expected


def test_endpoint_url_without_a_server_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a server at the URL in AWS_ENDPOINT_URL
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        assert unreachable_endpoint() is None

    # WHEN the server has ended / THEN
    assert unreachable_endpoint() == url

    # WHEN no endpoint URL is set / THEN
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert unreachable_endpoint() is None


def test_credentials_file_that_cannot_be_read_is_returned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    credentials = tmp_path / "credentials"
    credentials.touch()
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "missing"))
    assert unreadable_files() == []

    # WHEN the process may not read the file (replaced by a fake, because root may read every file)
    monkeypatch.setattr("os.access", lambda path, mode: False)

    # THEN
    assert unreadable_files() == [credentials]
