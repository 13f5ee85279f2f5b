"""Endpoints: creation, invocation, errors and deletion."""

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from sagelocal.core.process import start_time

from ...waiting import eventually
from ..functions import unique
from .resources import ROLE, SERVER, SageMaker


def is_running(pid: int) -> bool:
    """Return whether a process with this ID exists."""
    return start_time(pid) is not None


def test_endpoint_is_created_invoked_and_deleted(sagemaker: SageMaker) -> None:
    # GIVEN
    config = sagemaker.create_endpoint_config(
        {"AllTraffic": (sagemaker.create_model("first", Environment={"MINE": "yes"}), 1)}
    )
    endpoint = unique("endpoint")
    # WHEN
    sagemaker.client.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    creating = sagemaker.client.describe_endpoint(EndpointName=endpoint)
    described = sagemaker.wait_for_endpoint(endpoint)
    response = sagemaker.invoke_json(endpoint, b"12345", ContentType="image/png", Accept="application/json")
    sagemaker.delete_endpoint(endpoint)
    # THEN
    assert (creating["EndpointStatus"], described["EndpointStatus"]) == ("Creating", "InService")
    pid = response.pop("pid")
    assert response == {
        "model": "first",
        "length": 5,
        "content_type": "image/png",
        "accept": "application/json",
        "environment": "yes",
    }
    assert not is_running(pid)
    with pytest.raises(ClientError, match="Could not find"):
        sagemaker.client.describe_endpoint(EndpointName=endpoint)


def test_deletion_of_an_endpoint_deregisters_its_scalable_targets(sagemaker: SageMaker) -> None:
    # GIVEN two endpoints that scale, of which one's name begins with the other's name
    scaling = sagemaker.emulator.client("application-autoscaling")
    config = sagemaker.create_endpoint_config({"AllTraffic": (sagemaker.create_model("first"), 1)})
    endpoint = sagemaker.create_endpoint(config)
    resources = [f"endpoint/{name}/variant/AllTraffic" for name in (endpoint, f"{endpoint}-2")]
    for resource in resources:
        target = {
            "ServiceNamespace": "sagemaker",
            "ResourceId": resource,
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        }
        scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
        scaling.put_scaling_policy(**target, PolicyName="some-policy", PolicyType="TargetTrackingScaling")

    def remaining() -> list[tuple[str, str]]:
        """Return kind and resource ID of the scalable targets and scaling policies of both endpoints."""
        targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
        policies = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
        found = [("target", each) for each in targets] + [("policy", each) for each in policies]
        return [(kind, each["ResourceId"]) for kind, each in found if each["ResourceId"] in resources]

    assert len(remaining()) == 4
    # WHEN
    sagemaker.delete_endpoint(endpoint)
    # THEN
    assert remaining() == [("target", resources[1]), ("policy", resources[1])]


def refusals(sagemaker: SageMaker, endpoint: str, config: str) -> list[str]:
    """Try to update, scale, delete and create an endpoint, all of which must fail, and return the error messages."""
    scaling = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 2}]
    operations: list[Callable[[], object]] = [
        lambda: sagemaker.client.update_endpoint(EndpointName=endpoint, EndpointConfigName=config),
        lambda: sagemaker.client.update_endpoint_weights_and_capacities(
            EndpointName=endpoint, DesiredWeightsAndCapacities=scaling
        ),
        lambda: sagemaker.client.delete_endpoint(EndpointName=endpoint),
        lambda: sagemaker.client.create_endpoint(EndpointName=endpoint, EndpointConfigName=config),
    ]
    messages = []
    for operation in operations:
        with pytest.raises(ClientError) as caught:
            operation()
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        messages.append(caught.value.response["Error"]["Message"])
    return messages


def test_endpoint_in_progress_cannot_be_changed(sagemaker: SageMaker) -> None:
    # GIVEN
    config = sagemaker.create_endpoint_config({"AllTraffic": (sagemaker.create_model("slow"), 1)})
    endpoint = unique("endpoint")
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:endpoint/{endpoint}"
    expected = [f'Cannot update in-progress endpoint "{arn}".'] * 3
    expected.append(f'Cannot create already existing endpoint "{arn}".')
    # WHEN the endpoint is changed during its creation
    sagemaker.client.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    while_creating = refusals(sagemaker, endpoint, config)
    status_while_creating = sagemaker.client.describe_endpoint(EndpointName=endpoint)["EndpointStatus"]
    sagemaker.wait_for_endpoint(endpoint)
    # AND during its deletion, which waits for a pending request
    client = threading.Thread(target=lambda: sagemaker.invoke(endpoint, b"slow"))
    client.start()
    eventually(lambda: "slowly" in sagemaker.read_log(f"/aws/sagemaker/Endpoints/{endpoint}", "AllTraffic/"))
    sagemaker.client.delete_endpoint(EndpointName=endpoint)
    while_deleting = refusals(sagemaker, endpoint, config)
    status_while_deleting = sagemaker.client.describe_endpoint(EndpointName=endpoint)["EndpointStatus"]
    client.join()
    # THEN all changes are refused
    assert (status_while_creating, while_creating) == ("Creating", expected)
    assert (status_while_deleting, while_deleting) == ("Deleting", expected)
    # AND the name can be used again after the deletion
    eventually(lambda: not sagemaker.client.list_endpoints(NameContains=endpoint)["Endpoints"])
    sagemaker.client.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    sagemaker.wait_for_endpoint(endpoint)


def test_description_of_the_endpoint_contains_its_variants(sagemaker: SageMaker) -> None:
    # WHEN
    endpoint = sagemaker.deploy()
    # THEN
    (variant,) = sagemaker.client.describe_endpoint(EndpointName=endpoint)["ProductionVariants"]
    assert variant["VariantName"] == "AllTraffic"
    assert (variant["CurrentWeight"], variant["CurrentInstanceCount"]) == (1.0, 1)
    assert variant["DeployedImages"][0]["SpecifiedImage"] == SERVER


@pytest.mark.parametrize("state", ["missing", "deleted"])
def test_invocation_of_a_missing_endpoint_fails_with_aws_error(sagemaker: SageMaker, state: str) -> None:
    # GIVEN
    name = unique("endpoint")
    if state == "deleted":
        name = sagemaker.deploy()
        sagemaker.delete_endpoint(name)
    # WHEN / THEN
    with pytest.raises(ClientError) as caught:
        sagemaker.invoke(name)
    assert caught.value.response["Error"] == {
        "Code": "ValidationError",
        "Message": f"Endpoint {name} of account 123456789012 not found.",
    }


@pytest.mark.parametrize(
    ("body", "status", "kind", "message"),
    [(b"bad", 400, "client", "unknown vehicle"), (b"broken", 500, "server", "the model is broken")],
    ids=["client", "server"],
)
def test_model_error_has_the_format_of_aws(
    sagemaker: SageMaker, body: bytes, status: int, kind: str, message: str
) -> None:
    # GIVEN
    endpoint = sagemaker.deploy()
    # WHEN the model responds with an error
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


def test_request_body_is_limited_to_6_mib(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint, limit = sagemaker.deploy(), 6 * 2**20
    # WHEN a request has exactly 6 MiB
    response = sagemaker.invoke_json(endpoint, bytes(limit))
    # THEN it succeeds, and a request with one more byte is refused
    assert response["length"] == limit
    with pytest.raises(ClientError, match=f"ValidationError.*less than or equal to {limit}"):
        sagemaker.invoke(endpoint, bytes(limit + 1))


def test_response_contains_custom_attributes_and_variant_name(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.deploy()
    # WHEN
    response = sagemaker.invoke(endpoint, CustomAttributes="trace=1", InferenceId="seven")
    # THEN
    assert response["CustomAttributes"] == "trace=1,seen"
    assert response["InvokedProductionVariant"] == "AllTraffic"
    assert response["ContentType"] == "application/json"


def test_variant_is_chosen_by_weight_or_by_the_request(sagemaker: SageMaker) -> None:
    # GIVEN an endpoint with two variants, which have the weights 9 and 1
    models = {"Much": (sagemaker.create_model("much"), 9), "Little": (sagemaker.create_model("little"), 1)}
    endpoint = sagemaker.create_endpoint(sagemaker.create_endpoint_config(models))
    # WHEN requests are sent without a variant, with a variant, and after a change of the weights
    counts = Counter(sagemaker.invoke_json(endpoint)["model"] for _ in range(200))
    targeted = {sagemaker.invoke_json(endpoint, TargetVariant="Little")["model"] for _ in range(5)}
    sagemaker.client.update_endpoint_weights_and_capacities(
        EndpointName=endpoint,
        DesiredWeightsAndCapacities=[
            {"VariantName": "Much", "DesiredWeight": 0},
            {"VariantName": "Little", "DesiredWeight": 1},
        ],
    )
    after_update = {sagemaker.invoke_json(endpoint)["model"] for _ in range(20)}
    # THEN
    assert 150 < counts["much"] < 199
    assert targeted == {"little"}
    assert after_update == {"little"}
    with pytest.raises(ClientError, match=r"ValidationError.*Other not found"):
        sagemaker.invoke(endpoint, TargetVariant="Other")


def test_endpoint_serves_a_model_package(sagemaker: SageMaker) -> None:
    # GIVEN a model package with a container
    group, name = unique("group"), unique("model")
    sagemaker.client.create_model_package_group(ModelPackageGroupName=group)
    container = {
        "Image": SERVER,
        "ModelDataUrl": sagemaker.upload_model("registered"),
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
    # WHEN a model of this package is deployed
    sagemaker.client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"ModelPackageName": package})
    endpoint = sagemaker.create_endpoint(sagemaker.create_endpoint_config({"AllTraffic": (name, 1)}))
    # THEN
    response = sagemaker.invoke_json(endpoint)
    assert (response["model"], response["environment"]) == ("registered", "packaged")


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        ({"Image": "unknown:7"}, "images file has no `serve` command for the image unknown:7"),
        ({"ModelDataUrl": "s3://missing-bucket/model.tar.gz"}, "Could not find model data at s3://missing-bucket"),
        ({"ModelPackageName": "missing", "Image": "", "ModelDataUrl": ""}, "missing"),
    ],
    ids=["image", "data", "package"],
)
def test_invalid_container_fails_the_endpoint(sagemaker: SageMaker, container: dict[str, str], reason: str) -> None:
    # GIVEN
    request = {"Image": SERVER, **container}
    name, endpoint = unique("model"), unique("endpoint")
    sagemaker.client.create_model(
        ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={key: value for key, value in request.items() if value}
    )
    # WHEN
    config = sagemaker.create_endpoint_config({"AllTraffic": (name, 1)})
    sagemaker.client.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    described = sagemaker.wait_for_endpoint(endpoint)
    # THEN
    assert described["EndpointStatus"] == "Failed"
    assert reason in described["FailureReason"]


def test_invalid_model_archive_fails_the_endpoint(sagemaker: SageMaker) -> None:
    # GIVEN
    model = sagemaker.create_model(ModelDataUrl=sagemaker.upload("model.tar.gz", b"no archive"))
    endpoint = unique("endpoint")
    # WHEN
    config = sagemaker.create_endpoint_config({"AllTraffic": (model, 1)})
    sagemaker.client.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    # THEN
    assert sagemaker.wait_for_endpoint(endpoint)["FailureReason"].startswith(
        "Failed to download model data from URL: s3://"
    )


def test_failure_reason_quotes_the_log_of_a_server_that_does_not_start(sagemaker: SageMaker) -> None:
    # GIVEN
    config = sagemaker.create_endpoint_config({"AllTraffic": (sagemaker.create_model("broken"), 1)})
    endpoint = unique("endpoint")
    # WHEN
    sagemaker.client.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    described = sagemaker.wait_for_endpoint(endpoint)
    # THEN
    assert described["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in described["FailureReason"]
    assert "this model cannot be loaded" in described["FailureReason"]
    assert eventually(lambda: sagemaker.read_log(f"/aws/sagemaker/Endpoints/{endpoint}", "AllTraffic/"))


def test_endpoint_log_contains_the_server_output(sagemaker: SageMaker) -> None:
    # GIVEN
    endpoint = sagemaker.deploy()
    # WHEN
    sagemaker.invoke(endpoint)
    # THEN
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    eventually(lambda: any("POST /invocations" in line for line in sagemaker.read_log(group, "AllTraffic/")))


@pytest.mark.parametrize("kind", ["endpoint", "config", "model"])
def test_resource_with_an_existing_name_is_refused(sagemaker: SageMaker, kind: str) -> None:
    # GIVEN for each kind of resource, a request that creates one with an existing name
    model = sagemaker.create_model()
    config = sagemaker.create_endpoint_config({"AllTraffic": (model, 1)})
    variants = sagemaker.client.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    create_again: dict[str, Callable[[], object]] = {
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
        create_again[kind]()
