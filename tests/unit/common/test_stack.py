from dataclasses import asdict
from typing import Any, cast

import pytest

from deployment.read_stack import StackMissingError, read_stack
from deployment.terraform import Terraform
from tests.unit.stacks import make_stack


class FakeTerraform:
    """Only the outputs."""

    environment = "dev"

    def __init__(self, outputs: dict[str, Any]) -> None:
        self._outputs = outputs

    def outputs(self) -> dict[str, Any]:
        return dict(self._outputs)


def test_the_stack_is_what_terraform_put_out() -> None:
    # GIVEN
    outputs = {**asdict(make_stack()), "classes": ["bicycle", "motorcycle"], "of_another_tool": 1}

    # WHEN
    stack = read_stack(cast(Terraform, FakeTerraform(outputs)))

    # THEN
    assert stack == make_stack()


def test_an_endpoint_that_is_not_there_yet_is_none() -> None:
    # GIVEN
    outputs = asdict(make_stack())
    del outputs["endpoint_config_name"]

    # WHEN / THEN
    assert read_stack(cast(Terraform, FakeTerraform(outputs))).endpoint_config_name is None


def test_where_nothing_is_deployed_the_target_that_deploys_is_named() -> None:
    with pytest.raises(StackMissingError, match="make up ENV=dev"):
        read_stack(cast(Terraform, FakeTerraform({})))
