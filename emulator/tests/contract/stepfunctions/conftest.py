"""Fixtures of the Step Functions contract tests."""

from typing import Any

import pytest

from sagelocal.pytest_plugin import RunningEmulator


@pytest.fixture
def states(emulator: RunningEmulator) -> Any:
    """The Step Functions client."""
    return emulator.client("stepfunctions")
