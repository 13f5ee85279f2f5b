"""Endpoints under load: updates, rollbacks, failing servers and the emulator's shutdown."""

import contextlib
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagelocal.core.process import start_time
from sagelocal.pytest_plugin import RunningEmulator
from sagelocal.services.sagemaker.production_variants import WATCH_INTERVAL

from ...waiting import eventually
from ..functions import unique
from ..images import IMAGES
from .resources import SageMaker

PAUSE = 0.02  # seconds between two requests of a thread: enough requests for all tests, and time for other processes


def is_running(pid: int) -> bool:
    """Return whether a process with this ID exists."""
    return start_time(pid) is not None


class Load:
    """Four threads that invoke an endpoint until they are stopped.

    models   : number of responses from each model
    failures : messages of failed requests
    """

    def __init__(self, sagemaker: SageMaker, endpoint: str) -> None:
        self._sagemaker, self._endpoint = sagemaker, endpoint
        self.models: Counter[str] = Counter()
        self.failures: list[str] = []
        self._over = threading.Event()

    def _send_requests(self) -> None:
        while not self._over.wait(PAUSE):
            try:
                self.models[self._sagemaker.invoke_json(self._endpoint)["model"]] += 1
            except Exception as error:
                self.failures.append(str(error))

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run the threads during the `with` block, which begins after 50 responses."""
        threads = [threading.Thread(target=self._send_requests) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            eventually(lambda: sum(self.models.values()) > 50)
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()


def test_update_replaces_the_model_without_a_failed_request(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.deploy("first")
    old_server = sagemaker.invoke_json(endpoint)["pid"]
    config = sagemaker.create_endpoint_config({"AllTraffic": (sagemaker.create_model("second"), 1)})
    load = Load(sagemaker, endpoint)
    # WHEN
    with load.running():
        described = sagemaker.update_endpoint(endpoint, config)
        eventually(lambda: load.models["second"] > 50)
    # THEN
    assert load.failures == []
    assert set(load.models) == {"first", "second"}
    assert (described["EndpointConfigName"], described["EndpointStatus"]) == (config, "InService")
    assert {sagemaker.invoke_json(endpoint)["model"] for _ in range(10)} == {"second"}
    eventually(lambda: not is_running(old_server))


def test_old_server_completes_its_pending_request(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.deploy("first")
    config = sagemaker.create_endpoint_config({"AllTraffic": (sagemaker.create_model("second"), 1)})
    models: list[str] = []
    client = threading.Thread(target=lambda: models.append(sagemaker.invoke_json(endpoint, b"slow")["model"]))
    # WHEN the endpoint is updated during a request that takes one second
    client.start()
    eventually(lambda: "slowly" in sagemaker.read_log(f"/aws/sagemaker/Endpoints/{endpoint}", "AllTraffic/"))
    sagemaker.update_endpoint(endpoint, config)
    client.join()
    # THEN
    assert models == ["first"]


def test_failed_update_keeps_the_old_configuration(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.deploy("first")
    before = sagemaker.client.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    broken = sagemaker.create_endpoint_config({"AllTraffic": (sagemaker.create_model("broken"), 1)})
    load = Load(sagemaker, endpoint)
    # WHEN the endpoint is updated with a model whose server does not start
    with load.running():
        described = sagemaker.update_endpoint(endpoint, broken)
    # THEN
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", before)
    assert "did not pass the ping health check" in described["FailureReason"]
    assert load.failures == []
    # AND a later successful update clears the failure reason
    good = sagemaker.create_endpoint_config({"AllTraffic": (sagemaker.create_model("third"), 1)})
    assert "FailureReason" not in sagemaker.update_endpoint(endpoint, good)
    assert sagemaker.invoke_json(endpoint)["model"] == "third"


def test_description_contains_the_last_deployment_config(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.deploy()
    config = sagemaker.create_endpoint_config({"AllTraffic": (sagemaker.create_model("second"), 1)})
    deployment = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
        }
    }
    # WHEN
    sagemaker.client.update_endpoint(EndpointName=endpoint, EndpointConfigName=config, DeploymentConfig=deployment)
    # THEN
    assert sagemaker.wait_for_endpoint(endpoint)["LastDeploymentConfig"] == deployment


def blue_green(alarm: str, kind: str = "CANARY", **routing: Any) -> dict[str, Any]:
    """Return a DeploymentConfig that rolls back on an alarm.

    kind    : CANARY, LINEAR or ALL_AT_ONCE
    routing : more members of TrafficRoutingConfiguration
    """
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": 2, **routing},
            "TerminationWaitInSeconds": 0,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]},
    }


HALF = {"Type": "CAPACITY_PERCENT", "Value": 50}


def make_alarm(sagemaker: SageMaker, endpoint: str) -> str:
    """Create an alarm on the endpoint's server errors and return its name."""
    name = unique("alarm")
    sagemaker.emulator.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "AllTraffic"}],
        Statistic="Sum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    return name


@pytest.mark.parametrize(
    ("kind", "routing"),
    [("CANARY", {"CanarySize": HALF}), ("LINEAR", {"LinearStepSize": HALF}), ("ALL_AT_ONCE", {})],
)
def test_deployment_shifts_traffic_as_configured_without_a_failed_request(
    sagemaker: SageMaker, kind: str, routing: dict[str, Any]
) -> None:
    # GIVEN
    endpoint = sagemaker.deploy("first")
    config = sagemaker.create_endpoint_config({"AllTraffic": (sagemaker.create_model("second"), 1)})
    load = Load(sagemaker, endpoint)
    # WHEN the endpoint is updated under load, and responses are counted during the shift
    with load.running():
        sagemaker.client.update_endpoint(
            EndpointName=endpoint,
            EndpointConfigName=config,
            DeploymentConfig=blue_green(make_alarm(sagemaker, endpoint), kind, **routing),
        )
        eventually(lambda: load.models["second"] > 0)
        first_before_shift = load.models["first"]
        during = sagemaker.client.describe_endpoint(EndpointName=endpoint)
        eventually(lambda: load.models["second"] > 60)
        first_during_shift = load.models["first"] - first_before_shift
        described = sagemaker.wait_for_endpoint(endpoint)
    # THEN
    assert (during["EndpointStatus"], during["PendingDeploymentSummary"]["EndpointConfigName"]) == ("Updating", config)
    # AND the old model also serves requests during a canary or linear step
    assert (first_during_shift > 10) == (kind != "ALL_AT_ONCE")
    assert load.failures == []
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", config)
    assert "PendingDeploymentSummary" not in described
    assert {sagemaker.invoke_json(endpoint)["model"] for _ in range(10)} == {"second"}


def test_alarm_rolls_back_the_deployment(sagemaker: SageMaker) -> None:
    # GIVEN an endpoint configuration with a model that fails, and an alarm on server errors
    endpoint = sagemaker.deploy("first")
    before = sagemaker.client.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    config = sagemaker.create_endpoint_config({"AllTraffic": (sagemaker.create_model("failing"), 1)})
    alarm = make_alarm(sagemaker, endpoint)
    load = Load(sagemaker, endpoint)
    # WHEN the endpoint is updated under load
    with load.running():
        sagemaker.client.update_endpoint(
            EndpointName=endpoint,
            EndpointConfigName=config,
            DeploymentConfig=blue_green(alarm, CanarySize=HALF),
        )
        described = sagemaker.wait_for_endpoint(endpoint)
        load.failures.clear()
        after_rollback = load.models["first"]
        eventually(lambda: load.models["first"] > after_rollback + 100)
    # THEN the old configuration is in use again, without failed requests after the rollback
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", before)
    assert alarm in described["FailureReason"]
    assert load.failures == []


def test_blue_green_deployment_with_other_variant_names_is_refused(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.deploy()
    renamed = sagemaker.create_endpoint_config({"Another": (sagemaker.create_model("second"), 1)})
    # WHEN / THEN
    with pytest.raises(ClientError, match="the endpoint has AllTraffic, the new endpoint configuration has Another"):
        sagemaker.client.update_endpoint(
            EndpointName=endpoint,
            EndpointConfigName=renamed,
            DeploymentConfig=blue_green("some-alarm", CanarySize=HALF),
        )


def test_alarm_on_server_errors_publishes_to_its_topic(sagemaker: SageMaker, topic_and_queue: tuple[str, str]) -> None:
    # GIVEN an endpoint whose model fails, and an alarm with an SNS topic
    topic, queue = topic_and_queue
    endpoint = sagemaker.deploy("failing")
    alarm = make_alarm(sagemaker, endpoint)
    cloudwatch = sagemaker.emulator.client("cloudwatch")
    (described,) = cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    settings = ("Namespace", "MetricName", "Dimensions", "Statistic", "Period", "EvaluationPeriods", "Threshold")
    unchanged = {name: described[name] for name in (*settings, "ComparisonOperator", "TreatMissingData")}
    cloudwatch.put_metric_alarm(AlarmName=alarm, AlarmActions=[topic], **unchanged)
    # WHEN
    with pytest.raises(ClientError, match="the model is broken"):
        sagemaker.invoke(endpoint)
    # THEN
    sqs = sagemaker.emulator.client("sqs")
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages", []), seconds=10)
    notification = json.loads(message["Body"])
    assert (notification["AlarmName"], notification["NewStateValue"]) == (alarm, "ALARM")


def count_pings(sagemaker: SageMaker, endpoint: str) -> int:
    """Return the number of pings in the endpoint's log.

    The emulator pings every server during its start. It also pings idle servers at regular intervals, except those of
    serverless variants.
    """
    lines = sagemaker.read_log(f"/aws/sagemaker/Endpoints/{endpoint}", "AllTraffic/")
    return sum("GET /ping" in line for line in lines)


def deploy_serverless(sagemaker: SageMaker) -> str:
    """Create an endpoint with a serverless variant, and return its name."""
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": sagemaker.create_model(),
        "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5},
    }
    name = unique("config")
    sagemaker.client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    return sagemaker.create_endpoint(name)


def test_request_body_to_a_serverless_variant_is_limited_to_4_mib(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = deploy_serverless(sagemaker)
    # WHEN / THEN
    assert sagemaker.invoke_json(endpoint, b"0" * 4_194_304)["length"] == 4_194_304
    with pytest.raises(ClientError, match="oversize body") as caught:
        sagemaker.invoke(endpoint, b"0" * 4_194_305)
    error, metadata = caught.value.response["Error"], caught.value.response["ResponseMetadata"]
    assert error == {"Code": "ValidationError", "Message": f"Request {metadata['RequestId']} has oversize body."}
    assert metadata["HTTPStatusCode"] == 400


def test_killed_serverless_server_is_restarted_only_by_a_request(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = deploy_serverless(sagemaker)
    before = sagemaker.invoke_json(endpoint)["pid"]
    pings = eventually(lambda: count_pings(sagemaker, endpoint))
    # WHEN the server is killed, and time passes in which the server of a variant with instances would be restarted
    os.kill(before, signal.SIGKILL)
    eventually(lambda: not is_running(before))
    time.sleep(3 * WATCH_INTERVAL)
    # THEN only the next request starts a server
    assert count_pings(sagemaker, endpoint) == pings
    response = sagemaker.invoke_json(endpoint)
    assert response["model"] == "first"
    assert response["pid"] != before


def test_killed_server_is_restarted_by_the_next_request(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.deploy()
    before = sagemaker.invoke_json(endpoint)["pid"]
    # WHEN the server is killed, and a request follows
    os.kill(before, signal.SIGKILL)
    after = sagemaker.invoke_json(endpoint)
    # THEN
    assert after["pid"] != before
    assert after["model"] == "first"


def test_killed_server_is_restarted_even_without_a_request(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.deploy()
    pings = eventually(lambda: count_pings(sagemaker, endpoint))
    # WHEN
    os.kill(sagemaker.invoke_json(endpoint)["pid"], signal.SIGKILL)
    # THEN a new server is pinged
    eventually(lambda: count_pings(sagemaker, endpoint) > pings)


def test_request_that_kills_the_server_fails_with_a_model_error(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.deploy()
    # WHEN a request makes the server exit
    with pytest.raises(ClientError, match="ModelError"):
        sagemaker.invoke(endpoint, b"die")
    # THEN the next request succeeds
    assert sagemaker.invoke_json(endpoint)["model"] == "first"


def test_concurrent_requests_restart_a_killed_server_once(sagemaker: SageMaker) -> None:
    # GIVEN an endpoint whose server was killed, and eight clients
    endpoint = sagemaker.deploy()
    os.kill(sagemaker.invoke_json(endpoint)["pid"], signal.SIGKILL)
    pids: list[int] = []
    threads = [threading.Thread(target=lambda: pids.append(sagemaker.invoke_json(endpoint)["pid"])) for _ in range(8)]
    # WHEN
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # THEN all responses come from one new server
    assert len(pids) == 8
    assert len(set(pids)) == 1


def test_stopping_the_emulator_ends_servers_and_jobs(tmp_path: Path) -> None:
    # GIVEN an emulator with an endpoint and a training job
    running = RunningEmulator(tmp_path, images=IMAGES)
    sagemaker = SageMaker.create(running)
    server = sagemaker.invoke_json(sagemaker.deploy())["pid"]
    job = sagemaker.start_training(program="import os, time; print(os.getpid()); time.sleep(60)")
    (line,) = eventually(lambda: sagemaker.read_log("/aws/sagemaker/TrainingJobs", job))
    assert is_running(server)
    assert is_running(int(line))
    # WHEN
    status = running.stop()
    # THEN
    assert status == 0
    assert not is_running(server)
    assert not is_running(int(line))
    assert running.log.read_text() == f"sagelocal is ready at {running.url}\n"
