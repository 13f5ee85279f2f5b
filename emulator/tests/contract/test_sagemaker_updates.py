"""Endpoints under change: an update, a server that dies, the end of the emulator."""

import contextlib
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagelocal.core.process import start_time
from sagelocal.pytest_plugin import RunningEmulator

from .functions import unique
from .images import IMAGES
from .sagemaker_parts import (
    SageMaker,
    make_sagemaker,  # noqa: F401 (the fixture `sagemaker`)
)
from .waiting import eventually


def is_running(pid: int) -> bool:
    return start_time(pid) is not None


class Load:
    """Requests in a row from several clients, until it is over."""

    def __init__(self, sagemaker: SageMaker, endpoint: str) -> None:
        self._sagemaker, self._endpoint = sagemaker, endpoint
        self.models: Counter[str] = Counter()
        self.failures: list[str] = []
        self._over = threading.Event()

    def _ask(self) -> None:
        while not self._over.is_set():
            try:
                self.models[self._sagemaker.ask(self._endpoint)["model"]] += 1
            except Exception as error:
                self.failures.append(str(error))

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            eventually(lambda: sum(self.models.values()) > 50)
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()


def test_an_update_drops_no_request(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.serve("first")
    old = sagemaker.ask(endpoint)["pid"]
    config = sagemaker.make_config({"AllTraffic": (sagemaker.make_model("second"), 1)})
    load = Load(sagemaker, endpoint)
    # WHEN
    with load.running():
        described = sagemaker.update(endpoint, config)
        eventually(lambda: load.models["second"] > 50)
    # THEN
    assert load.failures == []
    assert set(load.models) == {"first", "second"}
    assert (described["EndpointConfigName"], described["EndpointStatus"]) == (config, "InService")
    assert {sagemaker.ask(endpoint)["model"] for _ in range(10)} == {"second"}
    eventually(lambda: not is_running(old))


def test_a_request_under_way_is_answered_by_the_server_that_is_replaced(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.serve("first")
    config = sagemaker.make_config({"AllTraffic": (sagemaker.make_model("second"), 1)})
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(sagemaker.ask(endpoint, b"slow")["model"]))
    # WHEN
    asking.start()
    eventually(lambda: "slowly" in sagemaker.log(f"/aws/sagemaker/Endpoints/{endpoint}", "AllTraffic/"))
    sagemaker.update(endpoint, config)
    asking.join()
    # THEN
    assert answers == ["first"]


def test_an_update_that_fails_leaves_the_old_configuration(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.serve("first")
    before = sagemaker.client.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    broken = sagemaker.make_config({"AllTraffic": (sagemaker.make_model("broken"), 1)})
    load = Load(sagemaker, endpoint)
    # WHEN
    with load.running():
        described = sagemaker.update(endpoint, broken)
    # THEN
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", before)
    assert "did not pass the ping health check" in described["FailureReason"]
    assert load.failures == []
    # and a later update that works leaves no trace of it
    good = sagemaker.make_config({"AllTraffic": (sagemaker.make_model("third"), 1)})
    assert "FailureReason" not in sagemaker.update(endpoint, good)
    assert sagemaker.ask(endpoint)["model"] == "third"


def test_an_update_keeps_its_deployment_config(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.serve()
    config = sagemaker.make_config({"AllTraffic": (sagemaker.make_model("second"), 1)})
    deployment = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
        }
    }
    # WHEN
    sagemaker.client.update_endpoint(EndpointName=endpoint, EndpointConfigName=config, DeploymentConfig=deployment)
    # THEN
    assert sagemaker.settled(endpoint)["LastDeploymentConfig"] == deployment


def deployment(alarm: str, kind: str = "CANARY", **routing: Any) -> dict[str, Any]:
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": 3, **routing},
            "TerminationWaitInSeconds": 0,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]},
    }


HALF = {"Type": "CAPACITY_PERCENT", "Value": 50}


def make_alarm(sagemaker: SageMaker, endpoint: str) -> str:
    """An alarm on the endpoint's server errors; its name."""
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
def test_a_deployment_moves_traffic_in_steps_and_drops_none(
    sagemaker: SageMaker, kind: str, routing: dict[str, Any]
) -> None:
    # GIVEN
    endpoint = sagemaker.serve("first")
    config = sagemaker.make_config({"AllTraffic": (sagemaker.make_model("second"), 1)})
    load = Load(sagemaker, endpoint)
    # WHEN
    with load.running():
        sagemaker.client.update_endpoint(
            EndpointName=endpoint,
            EndpointConfigName=config,
            DeploymentConfig=deployment(make_alarm(sagemaker, endpoint), kind, **routing),
        )
        eventually(lambda: load.models["second"] > 20)
        during = sagemaker.client.describe_endpoint(EndpointName=endpoint)
        first, second = load.models["first"], load.models["second"]
        eventually(lambda: load.models["second"] > second + 100)
        first_meanwhile = load.models["first"] - first
        described = sagemaker.settled(endpoint)
    # THEN
    assert (during["EndpointStatus"], during["PendingDeploymentSummary"]["EndpointConfigName"]) == ("Updating", config)
    assert (first_meanwhile > 30) == (kind != "ALL_AT_ONCE")
    assert load.failures == []
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", config)
    assert "PendingDeploymentSummary" not in described
    assert {sagemaker.ask(endpoint)["model"] for _ in range(10)} == {"second"}


def test_an_alarm_brings_all_traffic_back(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.serve("first")
    before = sagemaker.client.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    config = sagemaker.make_config({"AllTraffic": (sagemaker.make_model("failing"), 1)})
    alarm = make_alarm(sagemaker, endpoint)
    load = Load(sagemaker, endpoint)
    # WHEN
    with load.running():
        sagemaker.client.update_endpoint(
            EndpointName=endpoint, EndpointConfigName=config, DeploymentConfig=deployment(alarm, CanarySize=HALF)
        )
        described = sagemaker.settled(endpoint)
        load.failures.clear()
        answered = load.models["first"]
        eventually(lambda: load.models["first"] > answered + 100)
    # THEN
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", before)
    assert alarm in described["FailureReason"]
    assert load.failures == []


def test_a_blue_green_deployment_needs_the_variants_names(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.serve()
    other = sagemaker.make_config({"Another": (sagemaker.make_model("second"), 1)})
    # WHEN / THEN
    with pytest.raises(ClientError, match="AllTraffic, and the new endpoint configuration has Another"):
        sagemaker.client.update_endpoint(
            EndpointName=endpoint, EndpointConfigName=other, DeploymentConfig=deployment("some-alarm", CanarySize=HALF)
        )


def test_an_alarm_tells_its_topic(sagemaker: SageMaker, inbox: tuple[str, str]) -> None:
    # GIVEN
    topic, queue = inbox
    endpoint = sagemaker.serve("failing")
    alarm = make_alarm(sagemaker, endpoint)
    cloudwatch = sagemaker.emulator.client("cloudwatch")
    (described,) = cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    settings = ("Namespace", "MetricName", "Dimensions", "Statistic", "Period", "EvaluationPeriods", "Threshold")
    same = {name: described[name] for name in (*settings, "ComparisonOperator", "TreatMissingData")}
    cloudwatch.put_metric_alarm(AlarmName=alarm, AlarmActions=[topic], **same)
    # WHEN
    with pytest.raises(ClientError, match="the model is broken"):
        sagemaker.invoke(endpoint)
    # THEN
    sqs = sagemaker.emulator.client("sqs")
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages", []), seconds=10)
    told = json.loads(message["Body"])
    assert (told["AlarmName"], told["NewStateValue"]) == (alarm, "ALARM")


def test_a_serverless_model_rests_and_wakes(tmp_path: Path) -> None:
    # GIVEN an endpoint whose server is ended after a second
    running = RunningEmulator(tmp_path, images=IMAGES)
    try:
        sagemaker = SageMaker(running, unique("bucket"))
        sagemaker.s3.create_bucket(Bucket=sagemaker.bucket)
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": sagemaker.make_model(),
            "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5},
        }
        name = unique("config")
        sagemaker.client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        endpoint = sagemaker.make_endpoint(name)
        before = sagemaker.ask(endpoint)["pid"]
        # WHEN nobody asks
        eventually(lambda: not is_running(before), seconds=40)
        # THEN the next request is answered by another one
        assert sagemaker.ask(endpoint)["model"] == "first"
        assert sagemaker.ask(endpoint)["pid"] != before
    finally:
        running.stop()


def test_a_server_that_is_killed_comes_back(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.serve()
    before = sagemaker.ask(endpoint)["pid"]
    # WHEN
    os.kill(before, signal.SIGKILL)
    after = sagemaker.ask(endpoint)
    # THEN
    assert after["pid"] != before
    assert after["model"] == "first"


def test_a_server_that_dies_unasked_is_started_anew(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.serve()
    group = f"/aws/sagemaker/Endpoints/{endpoint}"

    def pings() -> int:
        return sum("GET /ping" in line for line in sagemaker.log(group, "AllTraffic/"))

    before = eventually(pings)
    # WHEN
    os.kill(sagemaker.ask(endpoint)["pid"], signal.SIGKILL)
    # THEN
    eventually(lambda: pings() > before)


def test_a_request_that_kills_every_server_is_an_error_and_no_end(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.serve()
    # WHEN
    with pytest.raises(ClientError, match="ModelError"):
        sagemaker.invoke(endpoint, b"die")
    # THEN
    assert sagemaker.ask(endpoint)["model"] == "first"


def test_many_clients_that_find_a_dead_server_start_one(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.serve()
    os.kill(sagemaker.ask(endpoint)["pid"], signal.SIGKILL)
    pids: list[int] = []
    threads = [threading.Thread(target=lambda: pids.append(sagemaker.ask(endpoint)["pid"])) for _ in range(8)]
    # WHEN
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # THEN
    assert len(pids) == 8
    assert len(set(pids)) == 1


def test_nothing_runs_on_when_the_emulator_stops(tmp_path: Path) -> None:
    # GIVEN
    running = RunningEmulator(tmp_path, images=IMAGES)
    sagemaker = SageMaker(running, unique("bucket"))
    sagemaker.s3.create_bucket(Bucket=sagemaker.bucket)
    server = sagemaker.ask(sagemaker.serve())["pid"]
    job = sagemaker.train(program="import os, time; print(os.getpid()); time.sleep(60)")
    (line,) = eventually(lambda: sagemaker.log("/aws/sagemaker/TrainingJobs", job))
    assert is_running(server)
    assert is_running(int(line))
    # WHEN
    status = running.stop()
    # THEN
    assert status == 0
    assert not is_running(server)
    assert not is_running(int(line))
    assert running.log.read_text() == f"sagelocal is ready at {running.url}\n"
