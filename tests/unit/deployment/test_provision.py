import argparse
from types import SimpleNamespace
from typing import Any

import pytest

from registry.endpoint import EndpointError
from scripts.command import Environment
from scripts.provision import ProtectedError, check_endpoint, destroyed, down
from tests.unit.stacks import make_stack


class FakeSageMaker:
    """One endpoint, as DescribeEndpoint tells of it."""

    def __init__(self, **answer: str) -> None:
        self.answer = {"EndpointStatus": "InService", "EndpointConfigName": "scones-local-2", **answer}

    def describe_endpoint(self, **_: Any) -> dict[str, str]:
        return self.answer


def test_an_endpoint_that_serves_the_plan_passes() -> None:
    check_endpoint(make_stack(endpoint_config_name="scones-local-2"), FakeSageMaker())


def test_before_the_first_model_there_is_no_endpoint_to_hold_against_the_plan() -> None:
    check_endpoint(make_stack(endpoint_config_name=None), None)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"EndpointConfigName": "scones-local-1"}, id="rolled back to the old configuration"),
        pytest.param({"EndpointStatus": "Failed"}, id="not in service"),
    ],
)
def test_an_update_that_was_rolled_back_is_no_success(answer: dict[str, str]) -> None:
    # GIVEN what the provider reports as a success
    sagemaker = FakeSageMaker(**answer, FailureReason="the ping health check failed")

    # WHEN / THEN
    with pytest.raises(EndpointError, match="the ping health check failed"):
        check_endpoint(make_stack(endpoint_config_name="scones-local-2"), sagemaker)


def test_production_is_not_destroyed_without_its_word() -> None:
    with pytest.raises(ProtectedError, match="CONFIRM=prod"):
        down(Environment("prod", argparse.Namespace(confirm="")))


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_a_mistyped_word_destroys_nothing(name: str) -> None:
    with pytest.raises(ProtectedError, match="nothing was destroyed: CONFIRM=prd"):
        down(Environment(name, argparse.Namespace(confirm="prd")))


def test_protected_data_are_refused_before_anything_is_destroyed() -> None:
    # GIVEN an environment whose Terraform must not be asked
    environment: Any = SimpleNamespace(
        name="prod",
        options=argparse.Namespace(confirm="prod"),
        stack=make_stack(environment="prod", protected=True),
        terraform=None,
    )

    # WHEN / THEN
    with pytest.raises(ProtectedError, match="nothing was destroyed: set `protected = false`"):
        down(environment)


def test_what_a_plan_destroys_is_known_by_its_arns() -> None:
    # GIVEN
    def change(before: dict[str, str] | None, *actions: str) -> dict[str, Any]:
        return {"change": {"actions": list(actions), "before": before}}

    changes = [
        change({"arn": "topic"}, "delete"),
        change({"id": "has no ARN"}, "delete"),
        change({"arn": "stays"}, "no-op"),
        change(None, "create"),
    ]

    # WHEN / THEN
    assert destroyed({"resource_changes": changes}) == {"topic"}
