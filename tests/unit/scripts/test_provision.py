import argparse
from types import SimpleNamespace
from typing import Any

import pytest

from common.errors import OperatorError
from registry.endpoint import EndpointError
from scripts.provision import check_endpoint, down
from tests.unit.stacks import make_stack


class FakeSageMaker:
    """SageMaker with an endpoint whose update was rolled back."""

    def describe_endpoint(self, **_: Any) -> dict[str, str]:
        return {"EndpointStatus": "InService", "EndpointConfigName": "scones-local-1", "FailureReason": "some alarm"}


def make_environment(sagemaker: Any, config: str | None) -> Any:
    stack = make_stack(endpoint_config_name=config)
    return SimpleNamespace(name="local", stack=stack, client=lambda service: sagemaker)


def test_nothing_is_checked_before_the_first_model() -> None:
    check_endpoint(make_environment(None, None))


def test_rolled_back_deployment_says_how_to_return_to_the_previous_model() -> None:
    with pytest.raises(EndpointError, match=r"scones-local-1, .*\(some alarm\).*make rollback deploy ENV=local"):
        check_endpoint(make_environment(FakeSageMaker(), "scones-local-2"))


@pytest.mark.parametrize(("name", "confirmation"), [("prod", ""), ("prod", "prd"), ("dev", "prd")])
def test_nothing_is_destroyed_without_confirmation(name: str, confirmation: str) -> None:
    # GIVEN an environment whose Terraform must not be used
    environment: Any = SimpleNamespace(name=name, options=argparse.Namespace(confirm=confirmation), terraform=None)

    # WHEN / THEN
    with pytest.raises(OperatorError, match="CONFIRM="):
        down(environment)


def test_protected_data_are_refused_before_anything_is_destroyed() -> None:
    # GIVEN an environment whose Terraform must not be used
    environment: Any = SimpleNamespace(
        name="prod",
        options=argparse.Namespace(confirm="prod"),
        stack=make_stack(environment="prod", protected=True),
        terraform=None,
    )

    # WHEN / THEN
    with pytest.raises(OperatorError, match=r"nothing was destroyed, because .*: set `protected = false`"):
        down(environment)
