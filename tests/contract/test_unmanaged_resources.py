"""`make down` removes the environment's resources that Terraform does not manage, but no resources of others."""

from collections.abc import Iterator

import pytest

from deployment.unmanaged_resources import UnmanagedResources, remove_all
from tests.support.emulator import MODEL_SERVER, Emulator, start_emulator
from tests.support.sagemaker import ROLE, SageMaker
from tests.support.waiting import eventually

PREFIX, OTHER_PREFIXES = "scones-dev-", ("scones-dev2-", "my-scones-dev-", "scones-prod-")
JOB_LOGS = "/aws/sagemaker/TrainingJobs"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A separate emulator for this module, because the tests list all resources in its account."""
    running = start_emulator(tmp_path_factory.mktemp("emulator"))
    yield running
    running.stop()


@pytest.fixture
def unmanaged(emulator: Emulator) -> UnmanagedResources:
    """The `UnmanagedResources` of the environment `dev`."""
    return UnmanagedResources("dev", emulator.client)


def create_endpoint(sagemaker: SageMaker, prefix: str) -> None:
    """Create a model, an endpoint configuration and an endpoint, and wait until the endpoint has been created."""
    name = start_endpoint(sagemaker, prefix)
    # the endpoint's log group exists only after the endpoint has been created
    eventually(lambda: endpoint_status(sagemaker, name) in ("InService", "Failed"))


def start_endpoint(sagemaker: SageMaker, prefix: str, model: str = "[1.0]") -> str:
    """Create a model, an endpoint configuration and an endpoint with the same name, and return this name.

    Parameters
    ----------
    prefix : prefix of the environment's resource names
    model : response of the model, or `slow`, see tests/support/model_server.py
    """
    name, tags = f"{prefix}stray", make_tags(prefix)
    container = {"Image": MODEL_SERVER, "ModelDataUrl": sagemaker.put_model_data(model)}
    sagemaker.client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container, Tags=tags)
    variant = {"VariantName": "v1", "ModelName": name, "InstanceType": "ml.m5.xlarge", "InitialInstanceCount": 1}
    sagemaker.client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], Tags=tags)
    sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=tags)
    return name


def make_tags(prefix: str) -> list[dict[str, str]]:
    """Return the tag `Stack` of the environment whose resource names have this prefix."""
    return [{"Key": "Stack", "Value": prefix.removesuffix("-")}]


def endpoint_status(sagemaker: SageMaker, name: str) -> str:
    """Return an endpoint's status."""
    status: str = sagemaker.client.describe_endpoint(EndpointName=name)["EndpointStatus"]
    return status


def create_records(emulator: Emulator, prefix: str) -> None:
    """Create a parameter, a model package in a group, log groups, and a stream in the training jobs' log group."""
    environment = prefix.removeprefix("scones-").removesuffix("-")
    ssm, logs, sagemaker = (emulator.client(service) for service in ("ssm", "logs", "sagemaker"))
    ssm.put_parameter(Name=f"/scones/{environment}/approved-model/model-package-arn", Value="x", Type="String")
    sagemaker.create_model_package_group(ModelPackageGroupName=f"{prefix}vehicles", Tags=make_tags(prefix))
    sagemaker.create_model_package(
        ModelPackageGroupName=f"{prefix}vehicles",
        InferenceSpecification={
            "Containers": [{"Image": MODEL_SERVER, "ModelDataUrl": "s3://bucket/model.tar.gz"}],
            "SupportedContentTypes": ["image/png"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    )
    for parent in ("/aws/sagemaker/Endpoints/", "/aws/lambda/"):
        logs.create_log_group(logGroupName=f"{parent}{prefix}vehicles")
    logs.create_log_stream(logGroupName=JOB_LOGS, logStreamName=f"{prefix}train/algo-1")


def list_resources(emulator: Emulator) -> set[str]:
    """Return the kind and name of each resource in the account, such as `model scones-dev-stray`."""
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
        *(f"stream {each['logStreamName']}" for each in logs.describe_log_streams(logGroupName=JOB_LOGS)["logStreams"]),
        *(f"parameter {each['Name']}" for each in ssm.describe_parameters()["Parameters"]),
    }


def test_only_the_environments_resources_are_removed(
    emulator: Emulator, sagemaker: SageMaker, unmanaged: UnmanagedResources, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN resources of other environments, some with similar names
    emulator.client("logs").create_log_group(logGroupName=JOB_LOGS)
    for prefix in OTHER_PREFIXES:
        create_endpoint(sagemaker, prefix)
        create_records(emulator, prefix)

    # AND an untagged model whose name has the environment's prefix
    container = {"Image": MODEL_SERVER, "ModelDataUrl": sagemaker.put("untagged.tar.gz", b"")}
    sagemaker.client.create_model(ModelName=f"{PREFIX}other", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    others = list_resources(emulator)

    # AND resources of the same types that belong to the environment
    create_endpoint(sagemaker, PREFIX)
    create_records(emulator, PREFIX)
    own = list_resources(emulator) - others
    assert len(own) == 9

    # WHEN
    remove_all(unmanaged.before_destroy())
    after_first_step = list_resources(emulator)
    remove_all(unmanaged.after_destroy())

    # THEN the endpoint is deleted before Terraform destroys the endpoint's role
    assert f"endpoint {PREFIX}stray" in own - after_first_step
    assert list_resources(emulator) == others
    output = capsys.readouterr().out
    assert all(name.split(" ", 1)[1] in output for name in own)

    # AND a second search finds nothing to remove
    assert [*unmanaged.before_destroy(), *unmanaged.after_destroy()] == []

    # the group remains, because Terraform manages it; the other tests need an account without it
    sagemaker.client.delete_model_package_group(ModelPackageGroupName=f"{PREFIX}vehicles")


def test_kms_key_without_an_alias_is_deleted(emulator: Emulator, unmanaged: UnmanagedResources) -> None:
    # GIVEN a tagged key of the environment, and a key of another environment
    kms = emulator.client("kms")
    own, other = (
        kms.create_key(Tags=[{"TagKey": "Stack", "TagValue": stack}])["KeyMetadata"]["KeyId"]
        for stack in ("scones-dev", "scones-dev2")
    )

    # WHEN
    remove_all(unmanaged.after_destroy())

    # THEN
    states = [kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] for key in (own, other)]
    assert states == ["PendingDeletion", "Enabled"]
    assert list(unmanaged.after_destroy()) == []


def test_endpoint_that_is_being_created_is_deleted(
    emulator: Emulator, sagemaker: SageMaker, unmanaged: UnmanagedResources, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    name = start_endpoint(sagemaker, PREFIX, "slow")

    # WHEN
    remove_all(unmanaged.before_destroy())
    remove_all(unmanaged.after_destroy())

    # THEN
    assert f"endpoint {name} is Creating" in capsys.readouterr().out
    assert not {f"{kind} {name}" for kind in ("endpoint", "config", "model")} & list_resources(emulator)


def test_deleted_resource_that_the_tagging_api_still_lists_is_not_reported_as_remaining(
    emulator: Emulator, unmanaged: UnmanagedResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a Tagging API that lists a topic that was deleted, and an endpoint and a table that never existed
    monkeypatch.setattr("deployment.unmanaged_resources.TAG_TIMEOUT", 0)
    topic = str(emulator.client("sns").create_topic(Name="deleted")["TopicArn"])
    emulator.client("sns").delete_topic(TopicArn=topic)
    listed = [
        topic,
        "arn:aws:sagemaker:us-east-1:123456789012:endpoint/scones-dev-deleted",
        "arn:aws:dynamodb:us-east-1:123456789012:table/scones-dev-deleted",
    ]
    monkeypatch.setattr(unmanaged, "_tagged", lambda: listed)

    # WHEN / THEN
    assert unmanaged.remaining_arns(set()) == []


def test_remaining_tagged_resources_are_reported_except_keys_pending_deletion(
    emulator: Emulator, unmanaged: UnmanagedResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a topic of the environment, a topic of another environment, and a KMS key whose deletion is scheduled
    monkeypatch.setattr("deployment.unmanaged_resources.TAG_TIMEOUT", 0)

    def create_topic(stack: str) -> str:
        tags = [{"Key": "Stack", "Value": stack}]
        return str(emulator.client("sns").create_topic(Name=f"topic-of-{stack}", Tags=tags)["TopicArn"])

    own, _ = create_topic("scones-dev"), create_topic("scones-dev2")
    tag = {"TagKey": "Stack", "TagValue": "scones-dev"}
    key = emulator.client("kms").create_key(Tags=[tag])["KeyMetadata"]["KeyId"]
    emulator.client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)

    # WHEN / THEN
    assert unmanaged.remaining_arns(set()) == [own]
    assert unmanaged.remaining_arns({own}) == []
    emulator.client("sns").delete_topic(TopicArn=own)
