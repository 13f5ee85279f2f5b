"""`make deploy`, and the endpoint's responses during and after a deployment.

The tests share an environment, and each test deploys the models that it needs.
"""

import contextlib
import json
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from common.stack import Stack
from deployment.endpoint_lifetime import SCHEDULE_FORMAT
from deployment.terraform import TerraformError
from tests.support.emulator import Emulator
from tests.support.models import approve, register
from tests.support.project import copy_project
from tests.support.terraform import Deployment, apply, run_command
from tests.support.waiting import eventually
from tests.unit.lambdas.images import png

pytestmark = pytest.mark.xdist_group("endpoint")

GOOD, OTHER = "[0.99, 0.01]", "[0.98, 0.02]"


@pytest.fixture(scope="module")
def applied_local(empty_local: Deployment) -> Deployment:
    """The second environment `local`, so that the modules that use the first one can run at the same time."""
    apply(empty_local)
    return empty_local


def deploy(local: Deployment, model: str) -> "subprocess.CompletedProcess[str]":
    """Select a registered model for deployment, and run the command of `make deploy`."""
    approve(local.account, local.stack, model)
    return local.run("provision", "deploy")


def deploy_new(local: Deployment, response: str) -> str:
    """Register and deploy a model that returns `response` to every request, and return its ARN."""
    model = register(local.account, local.stack, response)
    result = deploy(local, model)
    assert result.returncode == 0, result.stderr
    return model


def invoke(account: Emulator, endpoint: str) -> str:
    """Return the endpoint's response, or the HTTP status code if the model fails."""
    runtime = account.client("sagemaker-runtime")
    try:
        response = runtime.invoke_endpoint(EndpointName=endpoint, Body=b"x")
    except runtime.exceptions.ModelError as error:
        return str(error.response["OriginalStatusCode"])
    return str(response["Body"].read().decode())


def describe_endpoint(local: Deployment) -> dict[str, Any]:
    """Return the endpoint's description."""
    sagemaker = local.account.client("sagemaker")
    description: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=local.stack.endpoint_name)
    return description


def endpoint_configs(local: Deployment) -> list[str]:
    """Return the names of the account's endpoint configurations."""
    listed = local.account.client("sagemaker").list_endpoint_configs()["EndpointConfigs"]
    return [each["EndpointConfigName"] for each in listed]


def test_serverless_endpoint_is_created_and_updated_if_data_capture_is_disabled(
    local: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN no endpoint, because SageMaker cannot convert an endpoint with instances to serverless
    monkeypatch.setenv("TF_VAR_serverless", "{ memory_size_in_mb = 2048, max_concurrency = 5 }")

    # WHEN data capture is enabled, THEN the plan fails
    with pytest.raises(TerraformError, match="serverless endpoint captures no data: set capture_percentage = 0"):
        local.terraform.plan()

    # WHEN data capture is disabled
    monkeypatch.setenv("TF_VAR_capture_percentage", "0")
    for response in (GOOD, OTHER):
        deploy_new(local, response)

        # THEN
        assert invoke(local.account, local.stack.endpoint_name) == response
    (variant,) = describe_endpoint(local)["ProductionVariants"]
    assert variant["CurrentServerlessConfig"]["MemorySizeInMB"] == 2048
    assert "captures no data" in local.run("monitor").stdout
    assert local.terraform.plan().empty


class Traffic:
    """Sends requests to the endpoint, one after the other, and starts an execution for every 20th request."""

    def __init__(self, account: Emulator, stack: Stack) -> None:
        self.responses: Counter[str] = Counter()
        self._account = account
        self._stack = stack
        self._executions: list[str] = []
        self._stopped = threading.Event()
        account.client("s3").put_object(Bucket=stack.bucket, Key="test/a.png", Body=png(32, 32))

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Send requests and start executions for the duration of the context."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(0.1):
            self.responses[invoke(self._account, self._stack.endpoint_name)] += 1
            if self.responses.total() % 20 == 0:
                self._executions.append(self._start_execution())

    def _start_execution(self) -> str:
        arn: str = self._account.client("stepfunctions").start_execution(
            stateMachineArn=self._stack.state_machine_arn,
            input=json.dumps({"s3_bucket": self._stack.bucket, "s3_key": "test/a.png"}),
        )["executionArn"]
        return arn

    def execution_statuses(self) -> Counter[str]:
        """Wait until all executions have ended, and return the number of executions with each status."""
        states = self._account.client("stepfunctions")

        def count_if_ended() -> Counter[str]:
            found = Counter(states.describe_execution(executionArn=arn)["status"] for arn in self._executions)
            return Counter() if "RUNNING" in found else found

        return eventually(count_if_ended, seconds=90)


def test_failing_model_is_rolled_back_while_the_old_model_serves_requests(local: Deployment) -> None:
    # GIVEN
    account = local.account
    good = deploy_new(local, GOOD)
    stack = local.stack
    bad = register(account, stack, "failing")
    before = describe_endpoint(local)["EndpointConfigName"]
    traffic = Traffic(account, stack)

    # WHEN
    with traffic.running():
        eventually(lambda: traffic.responses[GOOD] > 10)
        result = deploy(local, bad)

    # THEN the command fails and names the alarm that caused the rollback, and the old model receives all traffic. Some
    # requests failed during the deployment, but every execution succeeded, because the state machine retried.
    assert result.returncode == 1
    # either of two error alarms may cause the rollback, because the alarms are evaluated one after the other
    assert re.search(r"scones-local-vehicles-(5xx|model-errors) \(Threshold Crossed", result.stderr), result.stderr
    assert before in result.stderr
    assert "make rollback deploy" in result.stderr
    assert describe_endpoint(local)["EndpointStatus"] == "InService"
    assert describe_endpoint(local)["EndpointConfigName"] == before
    assert {invoke(account, stack.endpoint_name) for _ in range(20)} == {GOOD}
    assert set(traffic.responses) == {GOOD, "500"}
    assert set(traffic.execution_statuses()) == {"SUCCEEDED"}
    assert traffic.responses["500"] < traffic.responses[GOOD]
    assert before in endpoint_configs(local)
    assert not local.terraform.plan().empty

    # WHEN the operator deploys the old model again, and the endpoint is scaled to three instances
    result = deploy(local, good)
    account.client("sagemaker").update_endpoint_weights_and_capacities(
        EndpointName=stack.endpoint_name,
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}],
    )

    # THEN the resources of the failed deployment are deleted, and a plan ignores the number of instances
    assert result.returncode == 0, result.stderr
    assert endpoint_configs(local) == [describe_endpoint(local)["EndpointConfigName"]]
    assert len(account.client("sagemaker").list_models()["Models"]) == 1
    assert invoke(account, stack.endpoint_name) == GOOD
    assert local.terraform.plan().empty


def test_make_drift_ignores_the_deletion_of_the_endpoint_by_its_schedule(
    local: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an endpoint with scaling and a schedule
    monkeypatch.setenv("TF_VAR_endpoint_max_instance_count", "3")
    deploy_new(local, GOOD)
    drift = local.project / "build" / "local" / "drift.txt"
    left = hours_left(local)
    assert 7 < left < 8  # an earlier test created the endpoint with a lifetime of 8 hours

    # WHEN the endpoint's lifetime is extended, THEN there is no drift
    assert local.run("extend", "--hours", "4").returncode == 0
    assert hours_left(local) == pytest.approx(left + 4, abs=0.05)
    check_no_drift(local)

    # WHEN the schedule has deleted the endpoint, which also deregisters its scalable target
    stack = local.stack
    end_now(local)

    # THEN `make drift` succeeds, and names the command that deploys the endpoint again
    result = check_no_drift(local)
    assert "run `make deploy ENV=local`" in result.stdout

    # WHEN a Lambda function is also changed outside Terraform
    local.account.client("lambda").update_function_configuration(FunctionName="scones-local-filter", Timeout=123)
    result = local.run("provision", "drift")

    # THEN `make drift` fails, and its report names the function
    assert result.returncode == 1
    assert "the live stack differs" in result.stderr
    assert "scones-local-filter" in drift.read_text()

    # WHEN
    deploy_new(local, OTHER)

    # THEN the endpoint has a full lifetime, its deletion was scheduled before its creation, and there is no drift
    assert describe_endpoint(local)["EndpointStatus"] == "InService"
    assert invoke(local.account, stack.endpoint_name) == OTHER
    assert 7.9 < hours_left(local) < 8
    assert get_schedule(local)["LastModificationDate"] < describe_endpoint(local)["CreationTime"]
    check_no_drift(local)


def check_no_drift(local: Deployment) -> "subprocess.CompletedProcess[str]":
    """Check that `make drift` succeeds and does not write `drift.txt`."""
    result = local.run("provision", "drift")
    assert result.returncode == 0, result.stderr
    assert not (local.project / "build" / "local" / "drift.txt").exists()
    return result


def hours_left(local: Deployment) -> float:
    """Return the number of hours until the schedule deletes the endpoint."""
    end = datetime.strptime(get_schedule(local)["ScheduleExpression"], SCHEDULE_FORMAT).replace(tzinfo=UTC)
    return (end - datetime.now(UTC)).total_seconds() / 3600


def get_schedule(local: Deployment) -> dict[str, Any]:
    """Return the schedule that deletes the endpoint."""
    schedule: dict[str, Any] = local.account.client("scheduler").get_schedule(Name=local.stack.endpoint_schedule)
    return schedule


def end_now(local: Deployment) -> None:
    """End the endpoint's lifetime in two seconds, and wait until the schedule has deleted the endpoint."""
    scheduler, sagemaker = local.account.client("scheduler"), local.account.client("sagemaker")
    schedule = get_schedule(local)
    end = datetime.now(UTC) + timedelta(seconds=2)
    name = local.stack.endpoint_lifetime_parameter
    interval = f"{end - timedelta(hours=8):%Y-%m-%dT%H:%M:%SZ}/{end:%Y-%m-%dT%H:%M:%SZ}"
    local.account.client("ssm").put_parameter(Name=name, Value=interval, Overwrite=True)
    scheduler.update_schedule(
        Name=schedule["Name"],
        ScheduleExpression=end.strftime(SCHEDULE_FORMAT),
        FlexibleTimeWindow=schedule["FlexibleTimeWindow"],
        Target=schedule["Target"],
    )
    eventually(lambda: not sagemaker.list_endpoints()["Endpoints"])


def test_make_drift_says_that_the_environment_is_not_deployed(local: Deployment, tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")

    assert "is not deployed" in run_command(project, "provision", "drift", "--env", "local").stdout
