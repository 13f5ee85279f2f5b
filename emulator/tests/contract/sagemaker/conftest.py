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

WITHOUT_TELEMETRY = """
SchemaVersion: "1.0"
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
"""


@pytest.fixture
def sagemaker(emulator: RunningEmulator) -> SageMaker:
    """A helper that creates SageMaker resources, with an empty S3 bucket."""
    return SageMaker.create(emulator)


@pytest.fixture
def sdk(sagemaker: SageMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A session of the SageMaker SDK that calls the emulator and sends no telemetry."""
    config = tmp_path / "sagemaker.yaml"
    config.write_text(WITHOUT_TELEMETRY)
    for name in ("SAGEMAKER_USER_CONFIG_OVERRIDE", "SAGEMAKER_ADMIN_CONFIG_OVERRIDE"):
        monkeypatch.setenv(name, str(config))
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    for name, value in {**without_aws_settings({}), **sdk_variables(sagemaker.emulator.url)}.items():
        monkeypatch.setenv(name, value)
    from sagemaker.core.helper.session_helper import Session

    return Session(boto_session=boto3.Session(region_name="us-east-1"), default_bucket=sagemaker.bucket)


@pytest.fixture
def role(sagemaker: SageMaker) -> str:
    """The ARN of a role that SageMaker can assume, which the SDK requires for training jobs."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    iam = sagemaker.emulator.client("iam")
    created = iam.create_role(RoleName=unique("training"), AssumeRolePolicyDocument=json.dumps(trust))
    return str(created["Role"]["Arn"])
