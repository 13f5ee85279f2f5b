"""Endpoints: their life, what they answer, what becomes of them when a server dies or a configuration changes."""

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.contract.conftest import start_emulator
from tests.contract.functions import unique
from tests.contract.sagemaker_parts import (
    ROLE,
    SERVER,
    SageMaker,
    make_sagemaker,  # noqa: F401 (the fixture `sagemaker`)
)
from tests.contract.waiting import eventually


def is_running(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_an_endpoint_lives_from_its_creation_to_its_deletion(sagemaker: SageMaker) -> None:
    # GIVEN
    config = sagemaker.make_config({"AllTraffic": (sagemaker.make_model("first", Environment={"MINE": "yes"}), 1)})
    endpoint = unique("endpoint")
    # WHEN
    sagemaker.client.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    at_first = sagemaker.client.describe_endpoint(EndpointName=endpoint)
    described = sagemaker.settled(endpoint)
    told = sagemaker.ask(endpoint, b"12345", ContentType="image/png", Accept="application/json")
    sagemaker.client.delete_endpoint(EndpointName=endpoint)
    # THEN
    assert (at_first["EndpointStatus"], described["EndpointStatus"]) == ("Creating", "InService")
    pid = told.pop("pid")
    assert told == {
        "model": "first",
        "length": 5,
        "content_type": "image/png",
        "accept": "application/json",
        "environment": "yes",
    }
    assert not is_running(pid)
    with pytest.raises(ClientError, match="Could not find"):
        sagemaker.client.describe_endpoint(EndpointName=endpoint)


def test_an_endpoint_tells_what_it_serves(sagemaker: SageMaker) -> None:
    # WHEN
    endpoint = sagemaker.serve()
    # THEN
    (variant,) = sagemaker.client.describe_endpoint(EndpointName=endpoint)["ProductionVariants"]
    assert variant["VariantName"] == "AllTraffic"
    assert (variant["CurrentWeight"], variant["CurrentInstanceCount"]) == (1.0, 1)
    assert variant["DeployedImages"][0]["SpecifiedImage"] == SERVER


@pytest.mark.parametrize("state", ["missing", "deleted"])
def test_an_endpoint_that_is_not_there_is_named(sagemaker: SageMaker, state: str) -> None:
    # GIVEN
    name = unique("endpoint")
    if state == "deleted":
        name = sagemaker.serve()
        sagemaker.client.delete_endpoint(EndpointName=name)
    # WHEN / THEN
    with pytest.raises(ClientError) as caught:
        sagemaker.invoke(name)
    assert caught.value.response["Error"] == {
        "Code": "ValidationError",
        "Message": f"Endpoint {name} of account 123456789012 not found.",
    }


@pytest.mark.parametrize(
    ("body", "status", "kind", "message"),
    [(b"bad", 400, "client", "there is no such vehicle"), (b"broken", 500, "server", "the model is broken")],
    ids=["client", "server"],
)
def test_a_model_s_error_is_told_as_aws_does(
    sagemaker: SageMaker, body: bytes, status: int, kind: str, message: str
) -> None:
    # GIVEN
    endpoint = sagemaker.serve()
    # WHEN
    with pytest.raises(ClientError) as caught:
        sagemaker.invoke(endpoint, body)
    # THEN
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["Error"]["Code"] == "ModelError"
    assert response["Error"]["Message"].startswith(
        f'Received {kind} error ({status}) from primary with message "{message}". See https://us-east-1.console'
    )
    assert response["OriginalStatusCode"] == status
    assert response["OriginalMessage"] == message
    assert response["LogStreamArn"].endswith(f":log-group:/aws/sagemaker/Endpoints/{endpoint}")


def test_a_request_may_have_six_megabytes(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint, limit = sagemaker.serve(), 6 * 2**20
    # WHEN
    told = sagemaker.ask(endpoint, bytes(limit))
    # THEN
    assert told["length"] == limit
    with pytest.raises(ClientError, match=f"ValidationError.*less than or equal to {limit}"):
        sagemaker.invoke(endpoint, bytes(limit + 1))


def test_attributes_and_the_variant_s_name_pass_through(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.serve()
    # WHEN
    answer = sagemaker.invoke(endpoint, CustomAttributes="trace=1", InferenceId="seven")
    # THEN
    assert answer["CustomAttributes"] == "trace=1,seen"
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    assert answer["ContentType"] == "application/json"


def test_variants_share_the_traffic_by_weight(sagemaker: SageMaker) -> None:
    # GIVEN
    models = {"Much": (sagemaker.make_model("much"), 9), "Little": (sagemaker.make_model("little"), 1)}
    endpoint = sagemaker.make_endpoint(sagemaker.make_config(models))
    # WHEN
    drawn = Counter(sagemaker.ask(endpoint)["model"] for _ in range(200))
    aimed = {sagemaker.ask(endpoint, TargetVariant="Little")["model"] for _ in range(5)}
    sagemaker.client.update_endpoint_weights_and_capacities(
        EndpointName=endpoint,
        DesiredWeightsAndCapacities=[
            {"VariantName": "Much", "DesiredWeight": 0},
            {"VariantName": "Little", "DesiredWeight": 1},
        ],
    )
    moved = {sagemaker.ask(endpoint)["model"] for _ in range(20)}
    # THEN
    assert 150 < drawn["much"] < 199
    assert aimed == {"little"}
    assert moved == {"little"}
    with pytest.raises(ClientError, match=r"ValidationError.*Other not found"):
        sagemaker.invoke(endpoint, TargetVariant="Other")


def test_a_registered_model_is_served(sagemaker: SageMaker) -> None:
    # GIVEN
    group, name = unique("group"), unique("model")
    sagemaker.client.create_model_package_group(ModelPackageGroupName=group)
    container = {
        "Image": SERVER,
        "ModelDataUrl": sagemaker.put_model_data("registered"),
        "Environment": {"MINE": "packaged"},
    }
    package = sagemaker.client.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [container],
            "SupportedContentTypes": ["image/png"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    )["ModelPackageArn"]
    # WHEN
    sagemaker.client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"ModelPackageName": package})
    endpoint = sagemaker.make_endpoint(sagemaker.make_config({"AllTraffic": (name, 1)}))
    # THEN
    told = sagemaker.ask(endpoint)
    assert (told["model"], told["environment"]) == ("registered", "packaged")


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        ({"Image": "unknown:7"}, "unknown:7.*images file"),
        ({"ModelDataUrl": "s3://bucket-that-is-not-there/model.tar.gz"}, "Could not find model data at s3://bucket"),
        ({"ModelPackageName": "nobody", "Image": "", "ModelDataUrl": ""}, "nobody"),
    ],
    ids=["image", "data", "package"],
)
def test_what_cannot_be_served_fails_with_a_reason(
    sagemaker: SageMaker, container: dict[str, str], reason: str
) -> None:
    # GIVEN
    given = {"Image": SERVER, **container}
    name, endpoint = unique("model"), unique("endpoint")
    sagemaker.client.create_model(
        ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={key: value for key, value in given.items() if value}
    )
    # WHEN
    config = sagemaker.make_config({"AllTraffic": (name, 1)})
    sagemaker.client.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    described = sagemaker.settled(endpoint)
    # THEN
    assert described["EndpointStatus"] == "Failed"
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(described["FailureReason"])


def test_data_that_is_no_archive_fails_with_a_reason(sagemaker: SageMaker) -> None:
    # GIVEN
    model = sagemaker.make_model(ModelDataUrl=sagemaker.put("model.tar.gz", b"no archive"))
    endpoint = unique("endpoint")
    # WHEN
    config = sagemaker.make_config({"AllTraffic": (model, 1)})
    sagemaker.client.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    # THEN
    assert sagemaker.settled(endpoint)["FailureReason"].startswith("Failed to download model data from URL: s3://")


def test_a_server_that_does_not_start_fails_with_its_last_words(sagemaker: SageMaker) -> None:
    # GIVEN
    config, endpoint = sagemaker.make_config({"AllTraffic": (sagemaker.make_model("broken"), 1)}), unique("endpoint")
    # WHEN
    sagemaker.client.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    described = sagemaker.settled(endpoint)
    # THEN
    assert described["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in described["FailureReason"]
    assert "this model cannot be loaded" in described["FailureReason"]
    assert eventually(lambda: sagemaker.log(f"/aws/sagemaker/Endpoints/{endpoint}", "AllTraffic/"))


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


def test_a_server_s_output_is_in_the_endpoint_s_log(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.serve()
    # WHEN
    sagemaker.invoke(endpoint)
    # THEN
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    eventually(lambda: any("POST /invocations" in line for line in sagemaker.log(group, "AllTraffic/")))


@pytest.mark.parametrize("kind", ["endpoint", "config", "model"])
def test_a_name_is_taken_once(sagemaker: SageMaker, kind: str) -> None:
    # GIVEN
    model = sagemaker.make_model()
    config = sagemaker.make_config({"AllTraffic": (model, 1)})
    variants = sagemaker.client.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    again: dict[str, Callable[[], object]] = {
        "model": lambda: sagemaker.client.create_model(
            ModelName=model, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": SERVER}
        ),
        "config": lambda: sagemaker.client.create_endpoint_config(
            EndpointConfigName=config, ProductionVariants=variants
        ),
        "endpoint": lambda: [
            sagemaker.client.create_endpoint(EndpointName=f"of-{config}", EndpointConfigName=config) for _ in range(2)
        ],
    }
    # WHEN / THEN
    with pytest.raises(ClientError, match=r"ValidationException.*Cannot create already existing"):
        again[kind]()


def test_nothing_runs_on_when_the_emulator_stops(tmp_path: Path) -> None:
    # GIVEN
    running = start_emulator(tmp_path)
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
    assert running.log.read_text() == ""


def test_invoking_adds_little_to_the_model_s_own_time(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.serve()
    for _ in range(20):
        sagemaker.invoke(endpoint)["Body"].read()
    # WHEN
    taken = []
    for _ in range(100):
        start = time.perf_counter()
        sagemaker.invoke(endpoint)["Body"].read()
        taken.append(time.perf_counter() - start)
    # THEN: client and moto included; what is guarded against is a connection, or a file, per request
    assert sorted(taken)[50] < 0.03
