"""Emulators, and environments that are applied to them.

All tests that use the same applied environment are in one `xdist_group`, so that only one process applies it.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.contract.permissions import role_policies, trace_requests
from tests.support.emulator import Emulator, start_emulator
from tests.support.project import copy_project, unique
from tests.support.sagemaker import SageMaker
from tests.support.terraform import Deployment, new_deployment, run_command, running_provider

REPOSITORY = "scones/vehicles"


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that all tests of a process share."""
    running = start_emulator(tmp_path_factory.mktemp("emulator"))
    yield running
    running.stop()


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An empty account for one test, which AWS SDKs and Terraform use by default."""
    running = start_emulator(tmp_path / "emulator")
    running.select(monkeypatch)
    yield running
    running.stop()


@pytest.fixture
def sagemaker(emulator: Emulator) -> SageMaker:
    """SageMaker with a new bucket."""
    bucket = unique("bucket")
    emulator.client("s3").create_bucket(Bucket=bucket)
    return SageMaker(emulator, bucket)


@pytest.fixture
def sagemaker_role(emulator: Emulator) -> str:
    """The ARN of a role that SageMaker may assume."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = emulator.client("iam").create_role(RoleName=unique("training"), AssumeRolePolicyDocument=json.dumps(trust))
    return str(role["Role"]["Arn"])


@pytest.fixture(scope="session")
def applied_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The environment `local`, applied without a model, with a running provider process."""
    with new_deployment("local", tmp_path_factory.mktemp("local")) as deployment:
        deployment.terraform.init()
        environment = {**os.environ, **deployment.account.environment}
        environment.pop("AWS_CA_BUNDLE", None)  # the provider cannot use it together with its own HTTP client
        with running_provider(deployment.project / "terraform", environment) as variable:
            deployment = replace(deployment, variables=variable)
            apply(deployment)
            yield deployment


@pytest.fixture
def local(applied_local: Deployment, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """The environment `local`, in the state that earlier tests left, with its account selected."""
    applied_local.select(monkeypatch)
    return applied_local


@pytest.fixture(scope="session")
def applied_production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """`prod` in a VPC, applied without a model; `requests.log` beside the project has the provider's requests."""
    directory = tmp_path_factory.mktemp("production")
    with new_deployment("prod", directory, {"TF_VAR_vpc_cidr": "10.0.0.0/24"}) as deployment:
        apply(deployment, directory / "requests.log")
        yield deployment


def apply(deployment: Deployment, log: Path | None = None) -> None:
    """Apply an environment in a fixture of session scope, which selects its account only for that time."""
    with pytest.MonkeyPatch.context() as patch:
        deployment.select(patch)
        if log:
            trace_requests(patch, log)
        deployment.apply()


@dataclass(frozen=True)
class Bootstrap:
    """An account after `make bootstrap`.

    Attributes
    ----------
    account : the emulator
    project : the copy of the project in which the command ran
    output : what the command printed
    policies : the statements of each role's policies
    """

    account: Emulator
    project: Path
    output: str
    policies: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="session")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bootstrap]:
    """An account after `make bootstrap`."""
    directory = tmp_path_factory.mktemp("bootstrap")
    account, project = start_emulator(directory / "emulator"), copy_project(directory / "project")
    with pytest.MonkeyPatch.context() as patch:
        account.select(patch)
        result = run_command(project, "bootstrap", "--env", "local", "--repository", REPOSITORY)
    assert result.returncode == 0, result.stderr
    yield Bootstrap(account, project, result.stdout, role_policies(account.client("iam")))
    account.stop()
