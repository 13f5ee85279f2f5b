"""A model's life in the registry, and a batch, by the commands' own code."""

import argparse
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sagelocal.core.environment import pointing_at

from common.errors import OperatorError
from emulator.tests.contract.functions import unique
from emulator.tests.contract.sagemaker_parts import (
    ROLE,
    SERVER,
    SageMaker,
    make_sagemaker,  # noqa: F401 (the fixture `sagemaker`)
)
from registry.batch_transform import TransformConfig, prepare_job, run_job
from registry.comparison import Score
from registry.model_registry import RegistrationRequest
from scripts.approval import approve, reject, rollback
from scripts.command import Environment
from tests.unit.stacks import make_stack
from training.follow import TrainingJob


@pytest.fixture
def stack(sagemaker: SageMaker, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stack with an empty registry, to which boto3 points."""
    for name, value in pointing_at(sagemaker.emulator.url).items():
        monkeypatch.setenv(name, value)
    group = unique("group")
    sagemaker.client.create_model_package_group(ModelPackageGroupName=group)
    return make_stack(
        bucket=sagemaker.bucket,
        model_package_group=group,
        approved_model_path=f"/scones/{group}/approved-model",
        endpoint_config_name=None,
    )


def add(sagemaker: SageMaker, stack: Any, url: str | None = None) -> str:
    url = url or sagemaker.put_model_data("[0.75, 0.25]")
    request = RegistrationRequest(
        job=TrainingJob("job", "arn", url, 1, {}),
        score=Score(9, 10, "images"),
        image=SERVER,
        scripted=True,
        brings_packages=False,
        status="PendingManualApproval",
        reason="good enough",
        manifest={"objects": {}},
        properties={"source": "drawn"},
    )
    return say(stack).model_registry.register(request, s3=sagemaker.s3)


def say(stack: Any, model: str = "", reason: str = "") -> Environment:
    environment = Environment("local", argparse.Namespace(model=model, reason=reason))
    environment.__dict__["stack"] = stack  # what Terraform would be asked for
    return environment


def test_a_model_comes_into_use_and_goes(sagemaker: SageMaker, stack: Any) -> None:
    # GIVEN
    registry = say(stack).model_registry
    with pytest.raises(OperatorError, match="no model is in use"):
        rollback(say(stack))
    first, second, third = (add(sagemaker, stack) for _ in range(3))

    # WHEN / THEN the newest that waits, or the one that is named
    approve(say(stack))
    assert registry.arn_in_use() == third
    approve(say(stack, "1"))
    assert registry.arn_in_use() == first

    # WHEN / THEN back to what was in use before, though its number is higher, and no further than that
    rollback(say(stack))
    assert registry.arn_in_use() == third
    with pytest.raises(OperatorError, match="was in use before"):
        rollback(say(stack))

    # WHEN / THEN back, past what was rejected
    approve(say(stack, "1"))
    approve(say(stack, "2"))
    approve(say(stack, third))
    reject(say(stack, "v2", "it's worse at night"))
    with pytest.raises(OperatorError, match="v3 is in use"):
        reject(say(stack, "v3", "so is this"))
    rollback(say(stack))
    assert registry.arn_in_use() == first
    reject(say(stack, "v3", "so is this"))

    # THEN the registry has it all
    newest, middle, oldest = registry.versions()
    assert [each.status for each in (newest, middle, oldest)] == ["Rejected", "Rejected", "Approved"]
    assert middle.arn == second
    assert middle.approval_reason.startswith("it's worse at night (by arn:aws:")
    assert oldest.gate_reason == "good enough"
    assert (oldest.score.correct, oldest.score.n) == (9, 10)
    assert sagemaker.get(oldest.properties["manifest"]) == b'{"objects": {}}'


def test_the_address_of_a_manifest_is_kept_to_the_letter_or_refused(sagemaker: SageMaker, stack: Any) -> None:
    # GIVEN a bucket and a job of the longest names that AWS allows
    bucket = unique("bucket").ljust(63, "x")
    sagemaker.s3.create_bucket(Bucket=bucket)
    place = f"s3://{bucket}/models/{'j' * 63}/output"

    # WHEN
    add(sagemaker, stack, f"{place}/model.tar.gz")

    # THEN
    (version,) = say(stack).model_registry.versions()
    assert version.properties["manifest"] == f"{place}/manifest.json"

    # WHEN / THEN an address that no job has
    with pytest.raises(ClientError, match="customerMetadataProperties"):
        add(sagemaker, stack, f"s3://{bucket}/{'x' * 200}/model.tar.gz")


def test_a_batch_is_answered_by_the_registered_model(sagemaker: SageMaker, stack: Any) -> None:
    # GIVEN
    package = add(sagemaker, stack)
    for key, body in (("in/a.png", "x"), ("in/deep/a.png", "x"), ("in/b.png", "bad"), ("in.lst", "x")):
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
    predictions = run_job(job, package, class_count=2, sagemaker=sagemaker.client, s3=sagemaker.s3)

    # THEN
    assert predictions.probabilities == {"in/a.png": [0.75, 0.25], "in/deep/a.png": [0.75, 0.25]}
    assert list(predictions.errors) == ["in/b.png"]
    assert "there is no such vehicle" in predictions.errors["in/b.png"]
    assert job.name not in {model["ModelName"] for model in sagemaker.client.list_models()["Models"]}
