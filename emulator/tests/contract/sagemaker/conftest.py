"""Fixtures of the SageMaker contract tests."""

import pytest

from sagelocal.pytest_plugin import RunningEmulator

from .resources import SageMaker


@pytest.fixture
def sagemaker(emulator: RunningEmulator) -> SageMaker:
    """SageMaker with an empty bucket."""
    return SageMaker.create(emulator)
