"""The pytest plugin `sagelocal`, used by the tests of another project."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sagelocal.core.environment import READY

CONFTEST = """
import pytest

@pytest.fixture(scope="session")
def sagelocal_quotas():
    return {"ml.m5.large for endpoint usage": 0}
"""
TESTS = """
import json, os, subprocess, sys
import pytest

def test_client_calls_the_emulator(sagelocal):
    assert sagelocal.url.startswith("http://127.0.0.1:")
    sagelocal.client("s3").create_bucket(Bucket="images")

def test_environment_points_a_child_process_at_the_emulator(sagelocal):
    program = "import boto3; print(boto3.client('s3').list_buckets()['Buckets'][0]['Name'])"
    child = subprocess.run([sys.executable, "-c", program], env=sagelocal.environment, capture_output=True, text=True)
    assert child.stdout == "images\\n"

def test_quotas_are_those_of_the_fixture_sagelocal_quotas(sagelocal):
    sagemaker = sagelocal.client("sagemaker", "eu-west-1")
    sagemaker.create_model(
        ModelName="m", ExecutionRoleArn="arn:aws:iam::123456789012:role/r", PrimaryContainer={"Image": "a"}
    )
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    with pytest.raises(sagemaker.exceptions.ResourceLimitExceeded):
        sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
    assert sagemaker.meta.config.retries["total_max_attempts"] == 1
    print(open(sagelocal.log).read())
"""


def test_plugin_runs_one_emulator_for_the_session(tmp_path: Path) -> None:
    # GIVEN a project with three tests that use the plugin's fixtures
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_project.py").write_text(TESTS)
    # WHEN pytest runs in this project
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rP", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    # THEN the tests pass, and the emulator stops after the session
    assert ended.returncode == 0, ended.stdout
    assert "3 passed" in ended.stdout
    address = re.search(rf"{READY}http://(127\.0\.0\.1):(\d+)", ended.stdout)
    assert address
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address[1], int(address[2])), timeout=5)
