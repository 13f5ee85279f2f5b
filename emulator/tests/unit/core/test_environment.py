"""The environment variables of child processes that call the emulator."""

import pytest

from sagelocal.core.environment import child_environment


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, ("us-east-1", "us-east-1"), id="neither-is-given"),
        pytest.param({"AWS_REGION": "eu-west-1"}, ("eu-west-1", "eu-west-1"), id="only-region"),
        pytest.param({"AWS_DEFAULT_REGION": "eu-west-1"}, ("eu-west-1", "eu-west-1"), id="only-default-region"),
        pytest.param(
            {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"},
            ("eu-west-1", "eu-west-2"),
            id="both-are-given",
        ),
    ],
)
def test_both_region_variables_are_set(given: dict[str, str], expected: tuple[str, str]) -> None:
    # WHEN
    variables = child_environment(given, "http://127.0.0.1:5000")
    # THEN
    assert (variables["AWS_REGION"], variables["AWS_DEFAULT_REGION"]) == expected
