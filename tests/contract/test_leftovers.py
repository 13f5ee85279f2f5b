"""Tear-down: what was made outside Terraform is found by name, and strangers of like names stay."""

from collections.abc import Iterator
from typing import Any

import pytest

from deployment.unmanaged_resources import UnmanagedResources, remove_all
from emulator.tests.contract.sagemaker_parts import (
    ROLE,
    SERVER,
    SageMaker,
    make_sagemaker,  # noqa: F401 (the fixture `sagemaker`)
)
from tests.contract.conftest import RunningEmulator, start_emulator

OURS, THEIRS = "scones-dev-", ("scones-dev2-", "my-scones-dev-", "scones-prod-")
STREAMS = "/aws/sagemaker/TrainingJobs"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """An account in which nobody else makes anything meanwhile."""
    running = start_emulator(tmp_path_factory.mktemp("emulator"))
    yield running
    running.stop()


@pytest.fixture
def leftovers(emulator: Any) -> UnmanagedResources:
    """Of `dev`."""
    return UnmanagedResources("dev", emulator.client)


def make_hosting(sagemaker: SageMaker, prefix: str) -> None:
    """A model, a configuration and an endpoint."""
    name = f"{prefix}stray"
    url = sagemaker.put(f"{name}.tar.gz", b"")
    container = {"Image": SERVER, "ModelDataUrl": url}
    sagemaker.client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    variant = {"VariantName": "v1", "ModelName": name, "InstanceType": "ml.m5.xlarge", "InitialInstanceCount": 1}
    sagemaker.client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.settled(name)  # by then it has a log


def make_records(emulator: Any, prefix: str) -> None:
    """An approval, a group with a package, log groups, and a stream in the account's own group."""
    environment = prefix.removeprefix("scones-").removesuffix("-")
    ssm, logs, sagemaker = (emulator.client(service) for service in ("ssm", "logs", "sagemaker"))
    ssm.put_parameter(Name=f"/scones/{environment}/approved-model/model-package-arn", Value="x", Type="String")
    sagemaker.create_model_package_group(ModelPackageGroupName=f"{prefix}vehicles")
    sagemaker.create_model_package(
        ModelPackageGroupName=f"{prefix}vehicles",
        InferenceSpecification={
            "Containers": [{"Image": SERVER, "ModelDataUrl": "s3://bucket/model.tar.gz"}],
            "SupportedContentTypes": ["image/png"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    )
    for place in ("/aws/sagemaker/Endpoints/", "/aws/lambda/"):
        logs.create_log_group(logGroupName=f"{place}{prefix}vehicles")
    logs.create_log_stream(logGroupName=STREAMS, logStreamName=f"{prefix}train/algo-1")


def everything(emulator: Any) -> set[str]:
    """All that the account has of these kinds, by name."""
    sagemaker, logs, ssm = (emulator.client(service) for service in ("sagemaker", "logs", "ssm"))
    groups = [
        group["ModelPackageGroupName"]
        for group in sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    ]
    return {
        *(f"endpoint {each['EndpointName']}" for each in sagemaker.list_endpoints()["Endpoints"]),
        *(f"config {each['EndpointConfigName']}" for each in sagemaker.list_endpoint_configs()["EndpointConfigs"]),
        *(f"model {each['ModelName']}" for each in sagemaker.list_models()["Models"]),
        *(
            f"package {each['ModelPackageArn']}"
            for group in groups
            for each in sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
        ),
        *(f"group {each['logGroupName']}" for each in logs.describe_log_groups()["logGroups"]),
        *(f"stream {each['logStreamName']}" for each in logs.describe_log_streams(logGroupName=STREAMS)["logStreams"]),
        *(f"parameter {each['Name']}" for each in ssm.describe_parameters()["Parameters"]),
    }


def test_all_that_is_ours_goes_and_nothing_else(
    emulator: Any, sagemaker: SageMaker, leftovers: UnmanagedResources, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN things of strangers, some of them called nearly as ours
    emulator.client("logs").create_log_group(logGroupName=STREAMS)
    for prefix in THEIRS:
        make_hosting(sagemaker, prefix)
        make_records(emulator, prefix)
    theirs = everything(emulator)

    # AND ours
    make_hosting(sagemaker, OURS)
    make_records(emulator, OURS)
    ours = everything(emulator) - theirs
    assert len(ours) == 9

    # WHEN
    remove_all(leftovers.before_destroy())
    remove_all(leftovers.after_destroy())

    # THEN
    assert everything(emulator) == theirs
    shown = capsys.readouterr().out
    assert all(name.split(" ", 1)[1] in shown for name in ours)

    # AND what is gone is not found again
    assert [*leftovers.before_destroy(), *leftovers.after_destroy()] == []


def test_what_still_bears_the_tag_is_told_but_a_key_in_its_days_of_grace(
    emulator: Any, leftovers: UnmanagedResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    monkeypatch.setattr("deployment.unmanaged_resources.TAG_TIMEOUT", 0)

    def make_topic(stack: str) -> str:
        tags = [{"Key": "Stack", "Value": stack}]
        return str(emulator.client("sns").create_topic(Name=f"topic-of-{stack}", Tags=tags)["TopicArn"])

    mine, _ = make_topic("scones-dev"), make_topic("scones-dev2")
    tag = {"TagKey": "Stack", "TagValue": "scones-dev"}
    key = emulator.client("kms").create_key(Tags=[tag])["KeyMetadata"]["KeyId"]
    emulator.client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)

    # WHEN / THEN
    assert leftovers.remaining_arns(set()) == [mine]
    assert leftovers.remaining_arns({mine}) == []
    emulator.client("sns").delete_topic(TopicArn=mine)
