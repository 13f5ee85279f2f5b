"""Endpoints: their life and what they answer."""

from collections import Counter
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError
from sagelocal.core.process import start_time

from .functions import unique
from .sagemaker_parts import (
    ROLE,
    SERVER,
    SageMaker,
    make_sagemaker,  # noqa: F401 (the fixture `sagemaker`)
)
from .waiting import eventually


def is_running(pid: int) -> bool:
    return start_time(pid) is not None


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
