import pytest
from botocore.exceptions import ClientError

from common.aws import default_region, error_code, is_not_found


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        pytest.param("ValidationException", 'Could not find endpoint "some-endpoint".', True, id="missing"),
        pytest.param("ValidationException", "1 validation error detected", False, id="invalid name"),
        pytest.param("AccessDeniedException", "Could not find a policy that allows it", False, id="denied"),
    ],
)
def test_missing_resources_are_distinguished_from_other_errors(code: str, message: str, expected: bool) -> None:
    error = ClientError({"Error": {"Code": code, "Message": message}}, "DescribeEndpoint")

    assert error_code(error) == code
    assert is_not_found(error) is expected


def test_default_region_is_the_environments_or_us_east_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert default_region() == "eu-west-1"

    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION", raising=False)
    assert default_region() == "us-east-1"
