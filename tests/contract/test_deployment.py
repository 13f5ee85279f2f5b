"""A model that fails is deployed by the project's own Terraform and command, while the endpoint is asked."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from common.stack import Stack
from deployment.endpoint_lifetime import SCHEDULE_FORMAT
from deployment.provisioning import DRIFT_FILE
from deployment.read_stack import read_stack
from deployment.terraform import TerraformError
from emulator.tests.contract.functions import unique
from emulator.tests.contract.sagemaker_parts import SERVER, make_archive
from emulator.tests.contract.waiting import eventually
from registry.model_registry import in_use_parameter
from tests.contract.conftest import ROOT, RunningEmulator
from tests.contract.test_terraform import (
    make_account,  # noqa: F401 (the fixture `account`)
    make_project,  # noqa: F401 (the fixture `project`)
    make_terraform,
)
from tests.unit.lambdas.images import png


def register(account: RunningEmulator, stack: Stack, text: str) -> str:
    """Register a model of the tests' server; its ARN."""
    key = f"models/{unique('model')}/model.tar.gz"
    account.client("s3").put_object(Bucket=stack.bucket, Key=key, Body=make_archive({"model.txt": text}))
    container = {"Image": SERVER, "ModelDataUrl": f"s3://{stack.bucket}/{key}"}
    made = account.client("sagemaker").create_model_package(
        ModelPackageGroupName=stack.model_package_group,
        InferenceSpecification={"Containers": [container], "SupportedContentTypes": ["image/png"]},
        ModelApprovalStatus="Approved",
    )
    arn: str = made["ModelPackageArn"]
    return arn


def deploy(account: RunningEmulator, stack: Stack, project: Path, arn: str) -> subprocess.CompletedProcess[str]:
    """What `make deploy` runs, once the model is in use."""
    account.client("ssm").put_parameter(
        Name=in_use_parameter(stack.approved_model_path), Value=arn, Type="String", Overwrite=True
    )
    return command(project, "provision", "deploy")


def command(project: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the operator's commands."""
    return subprocess.run(
        [sys.executable, "-m", f"scripts.{name}", *arguments, "--env", "local"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


class Traffic:
    """Requests in a row, to the endpoint itself and through the workflow."""

    def __init__(self, account: RunningEmulator, stack: Stack) -> None:
        self.seen: Counter[str] = Counter()
        self._executions: list[str] = []
        self._stack = stack
        self._runtime, self._states = account.client("sagemaker-runtime"), account.client("stepfunctions")
        account.client("s3").put_object(Bucket=stack.bucket, Key="test/a.png", Body=png(32, 32))
        self._over = threading.Event()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.02):
            self.seen[self.ask()] += 1
            if self.seen.total() % 20 == 0:
                self._executions.append(self._execute())

    def _execute(self) -> str:
        order = json.dumps({"s3_bucket": self._stack.bucket, "s3_key": "test/a.png"})
        started = self._states.start_execution(stateMachineArn=self._stack.state_machine_arn, input=order)
        arn: str = started["executionArn"]
        return arn

    def ends(self) -> Counter[str]:
        """How the executions ended, once they all have."""

        def statuses() -> Counter[str]:
            found = Counter(self._states.describe_execution(executionArn=arn)["status"] for arn in self._executions)
            return Counter() if "RUNNING" in found else found

        return eventually(statuses, seconds=90)

    def ask(self) -> str:
        try:
            answer = self._runtime.invoke_endpoint(EndpointName=self._stack.endpoint_name, Body=b"x")
        except self._runtime.exceptions.ModelError as error:
            return str(error.response["OriginalStatusCode"])
        return str(json.loads(answer["Body"].read()))


def configs(account: RunningEmulator) -> list[str]:
    return [
        each["EndpointConfigName"] for each in account.client("sagemaker").list_endpoint_configs()["EndpointConfigs"]
    ]


def served(account: RunningEmulator, stack: Stack) -> dict[str, Any]:
    described: dict[str, Any] = account.client("sagemaker").describe_endpoint(EndpointName=stack.endpoint_name)
    return described


def test_a_model_that_fails_is_rolled_back_and_the_old_one_answers(account: RunningEmulator, project: Path) -> None:
    # GIVEN
    terraform = make_terraform(project, "local")
    terraform.apply(terraform.plan())
    stack = read_stack(terraform)
    good, bad = register(account, stack, "[0.99, 0.01]"), register(account, stack, "failing")
    first = deploy(account, stack, project, good)
    assert first.returncode == 0, first.stderr
    before = served(account, stack)["EndpointConfigName"]
    traffic = Traffic(account, stack)

    # WHEN
    with traffic.running():
        eventually(lambda: traffic.seen["[0.99, 0.01]"] > 10)
        answer = deploy(account, stack, project, bad)

    # THEN the command fails and says why, the old model has all the traffic again, and all was answered meanwhile
    assert answer.returncode == 1
    assert "scones-local-vehicles-5xx" in answer.stderr
    assert before in answer.stderr
    assert "make rollback deploy" in answer.stderr
    assert served(account, stack)["EndpointStatus"] == "InService"
    assert served(account, stack)["EndpointConfigName"] == before
    assert {traffic.ask() for _ in range(20)} == {"[0.99, 0.01]"}
    assert set(traffic.seen) == {"[0.99, 0.01]", "500"}
    assert set(traffic.ends()) == {"SUCCEEDED"}
    assert traffic.seen["500"] < traffic.seen["[0.99, 0.01]"]
    assert before in configs(account)
    assert not terraform.plan().empty

    # WHEN the operator goes back, and the endpoint scales
    answer = deploy(account, stack, project, good)
    account.client("sagemaker").update_endpoint_weights_and_capacities(
        EndpointName=stack.endpoint_name,
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}],
    )

    # THEN nothing of the failed deployment is left
    assert answer.returncode == 0, answer.stderr
    assert configs(account) == [served(account, stack)["EndpointConfigName"]]
    assert len(account.client("sagemaker").list_models()["Models"]) == 1
    assert traffic.ask() == "[0.99, 0.01]"
    assert terraform.plan().empty


def test_an_endpoint_that_its_time_to_live_has_ended_is_no_drift(
    account: RunningEmulator, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an environment that is not deployed, THEN nothing differs
    assert "is not deployed" in command(project, "provision", "drift").stdout

    # GIVEN one whose endpoint has been ended, and with it its scaling
    monkeypatch.setenv("TF_VAR_endpoint_max_instance_count", "3")
    terraform = make_terraform(project, "local")
    terraform.apply(terraform.plan())
    stack = read_stack(terraform)
    assert deploy(account, stack, project, register(account, stack, "[0.99, 0.01]")).returncode == 0
    end_now(account, read_stack(terraform))  # which has the schedule only now
    account.client("application-autoscaling").deregister_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{stack.endpoint_name}/variant/AllTraffic",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
    )

    # WHEN
    answer = command(project, "provision", "drift")

    # THEN
    assert answer.returncode == 0, answer.stderr
    assert "run `make deploy`" in answer.stdout
    assert not (project / "build" / "local" / DRIFT_FILE).exists()

    # WHEN something else differs too
    account.client("lambda").update_function_configuration(FunctionName="scones-local-filter", Timeout=123)
    answer = command(project, "provision", "drift")

    # THEN
    assert answer.returncode == 1
    assert "the live stack differs" in answer.stderr
    assert "scones-local-filter" in (project / "build" / "local" / DRIFT_FILE).read_text()

    # WHEN it has been mended
    assert deploy(account, stack, project, register(account, stack, "[0.98, 0.02]")).returncode == 0
    answer = command(project, "provision", "drift")

    # THEN
    assert answer.returncode == 0, answer.stderr
    assert not (project / "build" / "local" / DRIFT_FILE).exists()


def end_now(account: RunningEmulator, stack: Stack) -> None:
    """Let the schedule end the endpoint, as it would hours later."""
    scheduler, sagemaker = account.client("scheduler"), account.client("sagemaker")
    schedule = scheduler.get_schedule(Name=stack.endpoint_schedule)
    scheduler.update_schedule(
        Name=schedule["Name"],
        ScheduleExpression=(datetime.now(UTC) + timedelta(seconds=2)).strftime(SCHEDULE_FORMAT),
        FlexibleTimeWindow=schedule["FlexibleTimeWindow"],
        Target=schedule["Target"],
    )
    assert eventually(lambda: not sagemaker.list_endpoints()["Endpoints"])


def test_a_serverless_endpoint_comes_answers_and_captures_nothing(
    account: RunningEmulator, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    monkeypatch.setenv("TF_VAR_serverless", "{ memory_size_in_mb = 2048, max_concurrency = 5 }")
    terraform = make_terraform(project, "local")

    # WHEN it is to capture data, THEN it is refused
    with pytest.raises(TerraformError, match="serverless endpoint captures no data: set capture_percentage = 0"):
        terraform.plan()

    # WHEN
    monkeypatch.setenv("TF_VAR_capture_percentage", "0")
    terraform.apply(terraform.plan())
    stack = read_stack(terraform)
    for text in ("[0.99, 0.01]", "[0.98, 0.02]"):
        answer = deploy(account, stack, project, register(account, stack, text))

        # THEN
        assert answer.returncode == 0, answer.stderr
        assert Traffic(account, stack).ask() == text
    (variant,) = served(account, stack)["ProductionVariants"]
    assert variant["CurrentServerlessConfig"]["MemorySizeInMB"] == 2048
    assert "captures nothing" in command(project, "monitor").stdout
    assert terraform.plan().empty
