"""Commands that run Terraform: their checks before a plan, an apply and a destroy."""

import argparse
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from common.errors import OperatorError
from deployment import plan_content
from deployment.settings import SettingsError
from deployment.terraform import Plan
from registry.endpoint import EndpointError
from registry.trained_classes import ClassesDifferError
from scripts import provision
from scripts.provision import check_endpoint, down
from tests.unit.stacks import make_stack


class FakeSageMaker:
    """A SageMaker client with an endpoint whose update was rolled back."""

    def describe_endpoint(self, **_: Any) -> dict[str, str]:
        return {"EndpointStatus": "InService", "EndpointConfigName": "scones-local-1", "FailureReason": "some alarm"}


def make_environment(sagemaker: Any, config: str | None) -> Any:
    """Return a command's environment whose stack has this endpoint configuration."""
    stack = make_stack(endpoint_config_name=config)
    return SimpleNamespace(name="local", stack=stack, client=lambda service: sagemaker)


def test_endpoint_is_not_checked_before_a_model_is_approved() -> None:
    check_endpoint(make_environment(None, None))


def test_error_of_a_rolled_back_deployment_says_how_to_return_to_the_previous_model() -> None:
    with pytest.raises(EndpointError, match=r"scones-local-1, .*\(some alarm\).*make rollback deploy ENV=local"):
        check_endpoint(make_environment(FakeSageMaker(), "scones-local-2"))


class FakeTerraform:
    """Terraform with a plan that deploys a first model."""

    environment = "local"

    def __init__(self, directory: Path) -> None:
        self.logs = directory
        self.path = directory / "terraform.tfplan"

    def outputs(self) -> dict[str, Any]:
        return {}

    def plan(self, **_: Any) -> Plan:
        self.path.touch()
        return Plan(self.path, changes=1, empty=False, summary="Plan: 1 to add, 0 to change, 0 to destroy")

    def show(self, _: Plan) -> dict[str, Any]:
        return {"resource_changes": [{"address": "aws_a.this", "type": "aws_a", "change": {"actions": ["create"]}}]}


def test_plan_lists_the_changed_resources_and_names_the_file_with_the_whole_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    monkeypatch.setattr(provision, "read_settings", lambda name: {})
    monkeypatch.setattr(plan_content, "check_model_classes", lambda *_: None)
    environment: Any = SimpleNamespace(name="local", terraform=FakeTerraform(tmp_path))

    # WHEN
    provision.plan(environment)

    # THEN
    assert capsys.readouterr().out.splitlines() == [
        "Plan: 1 to add, 0 to change, 0 to destroy",
        "  create   aws_a.this",
        f"the whole plan: {tmp_path}/terraform-plan.log",
    ]


@pytest.mark.parametrize("command", [provision.plan, provision.up, provision.deploy])
def test_plan_with_a_model_that_was_trained_on_other_classes_is_deleted(
    command: Callable[[Any], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    def refuse(*_: Any) -> None:
        raise ClassesDifferError

    terraform = FakeTerraform(tmp_path)
    monkeypatch.setattr(provision, "read_settings", lambda name: {})
    monkeypatch.setattr(plan_content, "check_model_classes", refuse)

    # WHEN / THEN
    with pytest.raises(ClassesDifferError):
        command(SimpleNamespace(name="local", terraform=terraform))
    assert not terraform.path.exists()


def test_unknown_setting_is_refused_before_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    def refuse(name: str) -> None:
        raise SettingsError

    monkeypatch.setattr(provision, "read_settings", refuse)
    terraform = FakeTerraform(tmp_path)
    environment: Any = SimpleNamespace(name="local", terraform=terraform)

    # WHEN / THEN
    with pytest.raises(SettingsError):
        provision.up(environment)
    assert not terraform.path.exists()


@pytest.mark.parametrize(("name", "confirmation"), [("prod", ""), ("prod", "prd"), ("dev", "prd")])
def test_nothing_is_destroyed_with_a_missing_or_wrong_confirmation(name: str, confirmation: str) -> None:
    # GIVEN an environment without Terraform, so that the test fails if Terraform is used
    environment: Any = SimpleNamespace(name=name, options=argparse.Namespace(confirm=confirmation), terraform=None)

    # WHEN / THEN
    with pytest.raises(OperatorError, match="CONFIRM="):
        down(environment)


def test_down_refuses_a_protected_environment_before_anything_is_destroyed() -> None:
    # GIVEN a protected environment without Terraform, so that the test fails if Terraform is used
    environment: Any = SimpleNamespace(
        name="prod",
        options=argparse.Namespace(confirm="prod"),
        stack=make_stack(environment="prod", protected=True),
        terraform=None,
    )

    # WHEN / THEN
    with pytest.raises(OperatorError, match=r"nothing was destroyed, because .*: set `protected = false`"):
        down(environment)
