"""Approval, rejection and rollback of registered models, and batch transform, on the emulator."""

import argparse
from typing import Any

import pytest
from botocore.exceptions import ClientError

from common.errors import OperatorError
from registry.batch_transform import TransformConfig, prepare_job, run_job
from registry.comparison import Score
from registry.model_registry import RegistrationRequest
from registry.trained_classes import ClassesDifferError
from scripts import transform
from scripts.approval import approve, reject, rollback
from scripts.command.environment import Environment
from staging.manifest import digest_classes
from tests.support.emulator import MODEL_SERVER
from tests.support.project import unique
from tests.support.sagemaker import ROLE, SageMaker
from tests.unit.stacks import make_stack
from training.follow import TrainingJob


@pytest.fixture
def stack(sagemaker: SageMaker, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stack with an empty model package group. AWS SDKs use the stack's account."""
    sagemaker.emulator.select(monkeypatch)
    group = unique("group")
    sagemaker.client.create_model_package_group(ModelPackageGroupName=group)
    return make_stack(
        bucket=sagemaker.bucket,
        model_package_group=group,
        approved_model_path=f"/scones/{group}/approved-model",
        endpoint_config_name=None,
    )


def register_model(sagemaker: SageMaker, stack: Any, url: str | None = None, **properties: str) -> str:
    """Register a model that is pending manual approval, and return the ARN of its model package.

    Parameters
    ----------
    url : S3 URI of the model's archive; by default, that of a new archive
    properties : metadata of the model package
    """
    url = url or sagemaker.put_model_data("[0.75, 0.25]")
    request = RegistrationRequest(
        job=TrainingJob("job", "arn", url, 1, {}),
        score=Score(9, 10, "images"),
        image=MODEL_SERVER,
        scripted=True,
        brings_packages=False,
        status="PendingManualApproval",
        reason="good enough",
        manifest={"objects": {}},
        properties={"source": "synthetic", **properties},
        model_card={"model_overview": {"model_creator": "make train"}},
    )
    return command(stack).model_registry.register(request, s3=sagemaker.s3)


def command(stack: Any, model: str = "", reason: str = "") -> Environment:
    """Return the environment of a command with the given options."""
    environment = Environment("local", argparse.Namespace(model=model, reason=reason))
    environment.__dict__["stack"] = stack  # otherwise, the stack would be read from Terraform's outputs
    return environment


def test_models_are_approved_rejected_and_rolled_back(sagemaker: SageMaker, stack: Any) -> None:
    # GIVEN
    registry = command(stack).model_registry
    with pytest.raises(OperatorError, match="no model is in use"):
        rollback(command(stack))
    first, second, third = (register_model(sagemaker, stack) for _ in range(3))

    # WHEN / THEN the newest pending version or the given version is approved
    approve(command(stack))
    assert registry.arn_in_use() == third
    approve(command(stack, "1"))
    assert registry.arn_in_use() == first

    # WHEN / THEN a rollback selects the version that was in use before, even if its number is higher. A second rollback
    # fails, because no version was in use before that version.
    rollback(command(stack))
    assert registry.arn_in_use() == third
    with pytest.raises(OperatorError, match="was in use before"):
        rollback(command(stack))

    # WHEN / THEN a rollback skips rejected versions
    approve(command(stack, "1"))
    approve(command(stack, "2"))
    approve(command(stack, third))
    reject(command(stack, "v2", "it's worse at night"))
    with pytest.raises(OperatorError, match="v3 is in use"):
        reject(command(stack, "v3", "so is this"))
    rollback(command(stack))
    assert registry.arn_in_use() == first
    reject(command(stack, "v3", "so is this"))

    # THEN the registry contains the statuses, reasons and metadata of all versions
    newest, middle, oldest = registry.versions()
    assert [each.status for each in (newest, middle, oldest)] == ["Rejected", "Rejected", "Approved"]
    assert middle.arn == second
    assert middle.approval_reason.startswith("it's worse at night (by arn:aws:")
    assert oldest.gate_reason == "good enough"
    assert (oldest.score.correct, oldest.score.n) == (9, 10)
    assert sagemaker.get(oldest.properties["manifest"]) == b'{"objects": {}}'


def test_longest_possible_manifest_uri_is_stored_and_a_longer_uri_is_refused(sagemaker: SageMaker, stack: Any) -> None:
    # GIVEN a bucket and a job whose names are as long as AWS allows
    bucket = unique("bucket").ljust(63, "x")
    sagemaker.s3.create_bucket(Bucket=bucket)
    output = f"s3://{bucket}/models/{'j' * 63}/output"

    # WHEN
    register_model(sagemaker, stack, f"{output}/model.tar.gz")

    # THEN
    (version,) = command(stack).model_registry.versions()
    assert version.properties["manifest"] == f"{output}/manifest.json"

    # WHEN / THEN a manifest URI that is longer than that of any job is refused
    with pytest.raises(ClientError, match="customerMetadataProperties"):
        register_model(sagemaker, stack, f"s3://{bucket}/{'x' * 200}/model.tar.gz")


def test_batch_transform_returns_predictions_and_errors_of_the_registered_model(
    sagemaker: SageMaker, stack: Any
) -> None:
    # GIVEN two images that the model classifies, images that the model rejects, and an object outside the input prefix
    package = register_model(sagemaker, stack)
    failing = [f"in/{name}.png" for name in ("b", "b+c", "100%", "a: b", "é")]
    for key, body in (("in/a.png", "x"), ("in/deep/a.png", "x"), *((key, "bad") for key in failing), ("in.lst", "x")):
        sagemaker.put(key, body)
    config = TransformConfig(
        name_prefix=unique("transform"),
        bucket=sagemaker.bucket,
        output_prefix="transform",
        role_arn=ROLE,
        kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/some-key",
        instance_type="ml.m5.large",
        tags={"Stack": "scones-local"},
        network={},
    )
    job = prepare_job(config, "in", s3=sagemaker.s3)

    # WHEN
    logs = sagemaker.emulator.client("logs")
    predictions = run_job(job, package, class_count=2, sagemaker=sagemaker.client, s3=sagemaker.s3, logs=logs)

    # THEN
    assert predictions.probabilities == {"in/a.png": [0.75, 0.25], "in/deep/a.png": [0.75, 0.25]}
    assert predictions.errors == dict.fromkeys(sorted(failing), "the image is invalid")
    assert job.name not in {model["ModelName"] for model in sagemaker.client.list_models()["Models"]}


def test_batch_transform_refuses_a_model_that_was_trained_on_other_classes(sagemaker: SageMaker, stack: Any) -> None:
    # GIVEN
    trained = ("bus", "tractor")
    register_model(sagemaker, stack, classes=" ".join(trained), classes_md5=digest_classes(trained))
    approve(command(stack))
    environment = Environment("local", argparse.Namespace(input="test"))
    environment.__dict__["stack"] = stack

    # WHEN / THEN
    expected = "v1 was trained on the classes bus, tractor, but the deployed stack has bicycle, motorcycle: run `make"
    with pytest.raises(ClassesDifferError, match=expected):
        transform.main(environment)
