"""The stack is read from Terraform's outputs."""

from dataclasses import asdict
from typing import Any, cast

import pytest

from deployment.read_stack import StackMissingError, read_stack
from deployment.terraform import Terraform
from tests.unit.stacks import make_stack


class FakeTerraform:
    """Terraform of which only the outputs are used."""

    environment = "dev"

    def __init__(self, outputs: dict[str, Any]) -> None:
        self._outputs = outputs

    def outputs(self) -> dict[str, Any]:
        return dict(self._outputs)


def test_stack_contains_terraforms_outputs() -> None:
    # GIVEN
    outputs = {**asdict(make_stack()), "classes": ["bicycle", "motorcycle"], "unknown_output": 1}

    # WHEN
    stack = read_stack(cast(Terraform, FakeTerraform(outputs)))

    # THEN
    assert stack == make_stack()


def test_endpoint_configuration_is_none_if_the_output_is_missing() -> None:
    # GIVEN
    outputs = asdict(make_stack())
    del outputs["endpoint_config_name"]

    # WHEN / THEN
    assert read_stack(cast(Terraform, FakeTerraform(outputs))).endpoint_config_name is None


def test_error_for_a_missing_stack_names_make_up() -> None:
    with pytest.raises(StackMissingError, match="make up ENV=dev"):
        read_stack(cast(Terraform, FakeTerraform({})))
