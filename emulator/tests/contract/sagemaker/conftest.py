"""Fixtures of the SageMaker contract tests."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from sagelocal.core.environment import sdk_variables, without_aws_settings
from sagelocal.pytest_plugin import RunningEmulator

from ..functions import unique
from .resources import SageMaker

OPT_OUT = """
SchemaVersion: "1.0"
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
"""


@pytest.fixture
def sagemaker(emulator: RunningEmulator) -> SageMaker:
    """SageMaker with an empty bucket."""
    return SageMaker.create(emulator)


@pytest.fixture
def sdk(sagemaker: SageMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An SDK session for the emulator."""
    config = tmp_path / "sagemaker.yaml"
    config.write_text(OPT_OUT)
    for name in ("SAGEMAKER_USER_CONFIG_OVERRIDE", "SAGEMAKER_ADMIN_CONFIG_OVERRIDE"):
        monkeypatch.setenv(name, str(config))
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    for name, value in {**without_aws_settings({}), **sdk_variables(sagemaker.emulator.url)}.items():
        monkeypatch.setenv(name, value)
    from sagemaker.core.helper.session_helper import Session

    return Session(boto_session=boto3.Session(region_name="us-east-1"), default_bucket=sagemaker.bucket)


@pytest.fixture
def role(sagemaker: SageMaker) -> str:
    """A role that SageMaker may assume, which the SDK checks."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    iam = sagemaker.emulator.client("iam")
    created = iam.create_role(RoleName=unique("training"), AssumeRolePolicyDocument=json.dumps(trust))
    return str(created["Role"]["Arn"])
