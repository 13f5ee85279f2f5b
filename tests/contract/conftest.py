"""Fixtures that start emulators, and apply environments to the emulators.

All tests that use the same applied environment are in one `xdist_group`, so that one process runs all of them.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deployment.terraform import Terraform
from tests.contract.permissions import role_policies
from tests.support.emulator import Emulator, start_emulator
from tests.support.project import copy_project, unique
from tests.support.sagemaker import SageMaker
from tests.support.terraform import Deployment, apply, new_deployment, run_command, running_provider, select
from tests.support.workflow import CLASSIFIER, FAILING, RULE, Workflow, create_function, create_state_machine

REPOSITORY = "scones/vehicles"


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that all tests of a pytest process share."""
    running = start_emulator(tmp_path_factory.mktemp("emulator"))
    yield running
    running.stop()


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator with an empty account for one test; AWS SDKs and Terraform use this account by default."""
    running = start_emulator(tmp_path / "emulator")
    running.select(monkeypatch)
    yield running
    running.stop()


@pytest.fixture
def sagemaker(emulator: Emulator) -> SageMaker:
    """SageMaker and S3 clients of the shared emulator, with a new bucket."""
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
    """The environment `local`, applied without a model."""
    with new_deployment("local", tmp_path_factory.mktemp("local"), logged=False) as deployment:
        apply(deployment)
        yield deployment


@pytest.fixture
def local(applied_local: Deployment, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """The applied environment `local`, selected for AWS SDKs and Terraform; earlier tests may have changed it."""
    applied_local.select(monkeypatch)
    return applied_local


@pytest.fixture(scope="module")
def workflow(applied_local: Deployment) -> Iterator[Workflow]:
    """A copy of the deployed state machine with a fake classify function, and a queue for its notifications."""
    account, stack = applied_local.account, applied_local.stack
    found = account.client("stepfunctions").describe_state_machine(stateMachineArn=stack.state_machine_arn)
    definition = json.loads(found["definition"])
    definition["States"]["Classify"]["Parameters"]["FunctionName"] = create_function(applied_local, CLASSIFIER)
    # the tests start the executions themselves, so the EventBridge rule must not start executions
    account.client("events").disable_rule(Name=RULE)
    queue = account.client("sqs").create_queue(QueueName=unique("inbox"))["QueueUrl"]
    attributes = account.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    account.client("sns").subscribe(
        TopicArn=stack.failures_topic_arn, Protocol="sqs", Endpoint=attributes["Attributes"]["QueueArn"]
    )
    yield Workflow(applied_local, definition, create_state_machine(applied_local, definition), queue)
    account.client("events").enable_rule(Name=RULE)


@pytest.fixture(scope="module")
def failing(applied_local: Deployment) -> str:
    """The ARN of a Lambda function that fails with the error that its event names."""
    return create_function(applied_local, FAILING)


@pytest.fixture
def driver() -> str:
    """A driver name that no other test uses."""
    return unique("driver")


@pytest.fixture(scope="session")
def empty_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A second environment `local` in a separate account; nothing is applied unless an earlier test applied it."""
    with new_deployment("local", tmp_path_factory.mktemp("empty")) as deployment:
        yield deployment


@pytest.fixture(scope="session")
def applied_production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The environment `prod` in a VPC, applied without a model."""
    directory = tmp_path_factory.mktemp("production")
    with new_deployment("prod", directory, {"TF_VAR_vpc_cidr": "10.0.0.0/24"}) as deployment:
        apply(deployment)
        yield deployment


@dataclass(frozen=True)
class Bootstrap:
    """An account after `make bootstrap`.

    Attributes
    ----------
    account : emulator that contains the account
    project : directory of the project copy in which the command ran
    variables : environment variables that make Terraform use the running provider process
    output : output of the command
    policies : statements of the inline policies of each role, by role name
    """

    account: Emulator
    project: Path
    variables: Mapping[str, str]
    output: str
    policies: dict[str, list[dict[str, Any]]]

    def select(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Set the environment variables that make AWS SDKs and Terraform use this account."""
        select(monkeypatch, self.account, self.variables)


@pytest.fixture(scope="session")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bootstrap]:
    """An account after `make bootstrap`."""
    directory = tmp_path_factory.mktemp("bootstrap")
    account, project = start_emulator(directory / "emulator"), copy_project(directory / "project")
    root = project / "terraform" / "bootstrap"
    try:
        Terraform("local", logs=directory, directory=root).init()
        with running_provider(root, account.environment) as variables:
            with pytest.MonkeyPatch.context() as patch:
                select(patch, account, variables)
                result = run_command(project, "bootstrap", "--env", "local", "--repository", REPOSITORY)
            assert result.returncode == 0, result.stderr
            yield Bootstrap(account, project, variables, result.stdout, role_policies(account.client("iam")))
    finally:
        account.stop()
