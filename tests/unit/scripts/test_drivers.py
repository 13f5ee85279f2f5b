"""A driver's data are deleted only if the name is given twice."""

import argparse
from typing import Any, cast

import pytest

from common.errors import OperatorError
from scripts import drivers
from scripts.command import Environment
from tests.unit.stacks import make_stack


class FakeEnvironment:
    """An environment without AWS, so that any request fails the test."""

    name = "dev"
    stack = make_stack()

    def __init__(self, **options: str) -> None:
        self.options = argparse.Namespace(**{"id": "", "confirm": "", **options})

    def client(self, service: str) -> Any:
        return None


@pytest.mark.parametrize("confirm", ["", "driver", "driver-10", "yes"])
def test_deletion_without_the_same_name_is_refused_with_the_command(confirm: str) -> None:
    # GIVEN
    environment = cast(Environment, FakeEnvironment(action="delete", id="driver-1", confirm=confirm))

    # WHEN / THEN
    with pytest.raises(OperatorError, match="make delete-driver ENV=dev ID=driver-1 CONFIRM=driver-1") as raised:
        drivers.main(environment)
    assert f"(got CONFIRM={confirm!r})" in str(raised.value)


@pytest.mark.parametrize("action", ["show", "delete"])
def test_missing_name_is_named(action: str) -> None:
    # WHEN / THEN
    with pytest.raises(OperatorError, match="ID must be 1 to 64 letters"):
        drivers.main(cast(Environment, FakeEnvironment(action=action)))
