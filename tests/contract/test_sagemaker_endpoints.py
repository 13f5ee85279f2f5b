"""Endpoints, by boto3 and a container that this repository's own code has never seen."""

import base64
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.contract.conftest import RunningEmulator
from tests.contract.waiting import eventually

IMAGE = "tests/echo:1"
ROLE = "arn:aws:iam::123456789012:role/hosting"


@pytest.fixture
def bucket(emulator: RunningEmulator) -> str:
    name = f"hosting-{uuid4().hex[:12]}"
    emulator.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def configure(emulator: RunningEmulator, bucket: str) -> Callable[[str], str]:
    """Makes an endpoint configuration for a model of the given weights; its name."""

    def make(weights: str) -> str:
        name = f"{weights}-{uuid4().hex[:8]}"
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz") as archive:
            member = tarfile.TarInfo("weights.txt")
            member.size = len(weights)
            archive.addfile(member, io.BytesIO(weights.encode()))
        emulator.client("s3").put_object(Bucket=bucket, Key=f"{name}/model.tar.gz", Body=stream.getvalue())
        sagemaker = emulator.client("sagemaker")
        container = {"Image": IMAGE, "ModelDataUrl": f"s3://{bucket}/{name}/model.tar.gz"}
        sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
        sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {
                    "VariantName": "AllTraffic",
                    "ModelName": name,
                    "InitialInstanceCount": 1,
                    "InstanceType": "ml.m5.large",
                    "InitialVariantWeight": 1,
                }
            ],
            DataCaptureConfig={
                "EnableCapture": True,
                "InitialSamplingPercentage": 100,
                "DestinationS3Uri": f"s3://{bucket}/captured",
                "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
                "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
            },
        )
        return name

    return make


@pytest.fixture
def endpoint(emulator: RunningEmulator, configure: Callable[[str], str]) -> Iterator[str]:
    name = f"endpoint-{uuid4().hex[:12]}"
    emulator.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=configure("old"))
    settled(emulator, name)
    yield name
    emulator.client("sagemaker").delete_endpoint(EndpointName=name)


def settled(emulator: RunningEmulator, name: str) -> dict[str, Any]:
    sagemaker = emulator.client("sagemaker")
    eventually(lambda: sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] in ("InService", "Failed"))
    found: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=name)
    return found


def invoke(emulator: RunningEmulator, name: str, body: bytes = b"\x89\x00image") -> dict[str, Any]:
    answer = emulator.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=name, ContentType="image/png", Accept="application/json", Body=body
    )
    content: dict[str, Any] = json.loads(answer["Body"].read())
    return content


def test_an_endpoint_answers_with_its_model(emulator: RunningEmulator, endpoint: str) -> None:
    assert invoke(emulator, endpoint) == {"weights": "old", "length": 7}


def test_an_endpoint_that_is_not_there_is_named(emulator: RunningEmulator) -> None:
    with pytest.raises(ClientError, match=r"ValidationError.*Endpoint nothing of account 123456789012 not found"):
        invoke(emulator, "nothing")


def test_a_model_that_refuses_is_a_model_error(emulator: RunningEmulator, endpoint: str) -> None:
    with pytest.raises(emulator.client("sagemaker-runtime").exceptions.ModelError) as raised:
        invoke(emulator, endpoint, b"refuse")
    assert raised.value.response["OriginalStatusCode"] == 400
    assert raised.value.response["OriginalMessage"] == "refused"


def test_a_server_that_dies_comes_back(emulator: RunningEmulator, endpoint: str) -> None:
    # WHEN
    with pytest.raises(emulator.client("sagemaker-runtime").exceptions.ModelError):
        invoke(emulator, endpoint, b"die")

    # THEN
    def answers() -> bool:
        try:
            return bool(invoke(emulator, endpoint)["weights"] == "old")
        except emulator.client("sagemaker-runtime").exceptions.ModelError:
            return False

    eventually(answers)


def test_an_update_drops_no_request(emulator: RunningEmulator, endpoint: str, configure: Callable[[str], str]) -> None:
    # GIVEN requests that do not stop
    answers: list[str] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            answers.append(invoke(emulator, endpoint)["weights"])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()

    # WHEN
    new = configure("new")
    emulator.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=new)
    try:
        described = settled(emulator, endpoint)
        eventually(lambda: answers[-1] == "new")
    finally:
        done.set()
        for thread in threads:
            thread.join()

    # THEN every request was answered (one that was not would have ended its thread), by one model or the other
    assert described["EndpointConfigName"] == new
    assert set(answers) == {"old", "new"}
    assert invoke(emulator, endpoint)["weights"] == "new"


def test_an_update_to_a_model_that_fails_is_rolled_back(
    emulator: RunningEmulator, endpoint: str, configure: Callable[[str], str]
) -> None:
    # GIVEN
    before = settled(emulator, endpoint)["EndpointConfigName"]

    # WHEN
    emulator.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=configure("broken"))
    described = settled(emulator, endpoint)

    # THEN
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", before)
    assert "these weights cannot be served" in described["FailureReason"]
    assert invoke(emulator, endpoint)["weights"] == "old"


def test_an_endpoint_whose_model_fails_has_its_reason(
    emulator: RunningEmulator, configure: Callable[[str], str]
) -> None:
    # WHEN
    name = f"endpoint-{uuid4().hex[:12]}"
    emulator.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=configure("broken"))
    described = settled(emulator, name)

    # THEN
    assert described["EndpointStatus"] == "Failed"
    assert "ping health check" in described["FailureReason"]
    emulator.client("sagemaker").delete_endpoint(EndpointName=name)


def test_what_is_asked_and_answered_is_captured(emulator: RunningEmulator, endpoint: str, bucket: str) -> None:
    # GIVEN
    s3 = emulator.client("s3")

    def captured() -> list[dict[str, Any]]:
        listing = s3.list_objects_v2(Bucket=bucket, Prefix=f"captured/{endpoint}/AllTraffic/").get("Contents", [])
        bodies = [s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in listing]
        return [json.loads(line) for body in bodies for line in body.splitlines()]

    # WHEN
    for body in (b"\x89one", b"\x89three"):
        invoke(emulator, endpoint, body)
    eventually(lambda: len(captured()) == 2)

    # THEN
    records = captured()
    inputs = {base64.b64decode(each["captureData"]["endpointInput"]["data"]) for each in records}
    assert inputs == {b"\x89one", b"\x89three"}
    assert {each["captureData"]["endpointOutput"]["encoding"] for each in records} == {"JSON"}


def test_a_model_may_come_from_its_package(emulator: RunningEmulator, configure: Callable[[str], str]) -> None:
    # GIVEN a package of the model that a configuration has
    sagemaker = emulator.client("sagemaker")
    config = configure("packed")
    container = sagemaker.describe_model(ModelName=config)["PrimaryContainer"]
    group = f"group-{uuid4().hex[:8]}"
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    package = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        InferenceSpecification={
            "Containers": [{"Image": container["Image"], "ModelDataUrl": container["ModelDataUrl"]}],
            "SupportedContentTypes": ["image/png"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
        CustomerMetadataProperties={"source": "tests"},
    )["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    name = f"endpoint-{uuid4().hex[:8]}"
    sagemaker.create_model(ModelName=name, PrimaryContainer={"ModelPackageName": package}, ExecutionRoleArn=ROLE)
    variant = {"VariantName": "one", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])

    # WHEN
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    settled(emulator, name)

    # THEN
    assert invoke(emulator, name)["weights"] == "packed"
    # an approval forgets nothing
    described = sagemaker.describe_model_package(ModelPackageName=package)
    assert described["CustomerMetadataProperties"] == {"source": "tests"}
    # a group goes only after its versions
    with pytest.raises(ClientError, match="contains model packages"):
        sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    sagemaker.delete_endpoint(EndpointName=name)
    sagemaker.delete_model_package(ModelPackageName=package)
    sagemaker.delete_model_package_group(ModelPackageGroupName=group)
