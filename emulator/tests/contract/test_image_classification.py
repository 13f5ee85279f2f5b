"""AWS's built-in image classification: trained, deployed, asked; and refused where AWS refuses it."""

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image, ImageDraw

from .functions import unique
from .sagemaker_parts import (
    ROLE,
    SageMaker,
    make_sagemaker,  # noqa: F401 (the fixture `sagemaker`)
)

IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1"
CHANNELS = ("train", "validation", "train_lst", "validation_lst")
HYPERPARAMETERS = {
    "num_classes": "2",
    "num_training_samples": "64",
    "num_layers": "20",
    "image_shape": "3,32,32",
    "mini_batch_size": "16",
    "epochs": "2",
    "learning_rate": "0.01",
    "augmentation_type": "crop",
}


def draw(row: int) -> bytes:
    """A circle or a square, 32 x 32, PNG."""
    image = Image.new("RGB", (32, 32), "white")
    pen = ImageDraw.Draw(image)
    box = (4 + row % 5, 4 + row % 7, 24, 24)
    if row % 2:
        pen.rectangle(box, fill="red")
    else:
        pen.ellipse(box, fill="blue")
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def stage(sagemaker: SageMaker) -> None:
    """64 images to train on, 16 to validate with, and their lists."""
    for split, count in (("train", 64), ("validation", 16)):
        for row in range(count):
            sagemaker.put(f"{split}/{row}.png", draw(row))
        lines = "".join(f"{row}\t{row % 2}\t{row}.png\n" for row in range(count))
        sagemaker.put(f"{split}_lst/{split}.lst", lines)


def channel(sagemaker: SageMaker, name: str) -> dict[str, Any]:
    """One of the four channels."""
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{sagemaker.bucket}/{name}/"}
    return {"ChannelName": name, "ContentType": "application/x-image", "DataSource": {"S3DataSource": source}}


def launch(
    sagemaker: SageMaker,
    *,
    instance_type: str = "ml.g4dn.xlarge",
    changed: Mapping[str, str] | None = None,
    **specification: Any,
) -> str:
    """Start a job of the algorithm; its name."""
    return sagemaker.train(
        AlgorithmSpecification={"TrainingImage": IMAGE, **specification},
        HyperParameters={**HYPERPARAMETERS, **(changed or {})},
        InputDataConfig=[channel(sagemaker, name) for name in CHANNELS],
        ResourceConfig={"InstanceType": instance_type, "InstanceCount": 1, "VolumeSizeInGB": 1},
    )


def test_a_model_is_trained_and_answers_behind_an_endpoint(sagemaker: SageMaker) -> None:
    # GIVEN
    stage(sagemaker)
    # WHEN
    job = sagemaker.trained(launch(sagemaker))
    # THEN
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    final = {each["MetricName"]: each["Value"] for each in job["FinalMetricDataList"]}
    assert set(final) == {"train:accuracy", "validation:accuracy"}
    assert all(0 <= value <= 1 for value in final.values())
    assert [each["Name"] for each in job["AlgorithmSpecification"]["MetricDefinitions"]] == list(final)
    artifacts = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert sagemaker.read(artifacts, "model-shapes.json") == [{"name": "data", "shape": [16, 3, 32, 32]}]

    # WHEN
    model = unique("model")
    sagemaker.client.create_model(
        ModelName=model, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE, "ModelDataUrl": artifacts}
    )
    endpoint = sagemaker.make_endpoint(sagemaker.make_config({"AllTraffic": (model, 1)}))
    # THEN
    for content_type in ("image/png", "application/x-image"):
        answer = sagemaker.invoke(endpoint, draw(0), ContentType=content_type)
        probabilities = json.loads(answer["Body"].read())
        assert answer["ContentType"] == "application/json"
        assert len(probabilities) == 2
        assert sum(probabilities) == pytest.approx(1)
    with pytest.raises(
        ClientError, match=r'client error \(400\) .*"Unable to evaluate payload provided: no PNG or JPEG"'
    ):
        sagemaker.invoke(endpoint, b"no image", ContentType="image/png")
    sagemaker.client.delete_endpoint(EndpointName=endpoint)


def test_an_instance_without_a_gpu_fails_the_job(sagemaker: SageMaker) -> None:
    # GIVEN
    stage(sagemaker)
    # WHEN
    job = sagemaker.trained(launch(sagemaker, instance_type="ml.m5.large"))
    # THEN
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == (
        "ClientError: Instance type ml.m5.large is not supported by algorithm image-classification; only GPU "
        "instances are supported (ml.p2, ml.p3, ml.g4dn, ml.g5)., exit code: 2"
    )


def test_what_the_emulator_lacks_is_not_the_client_s_error(sagemaker: SageMaker) -> None:
    # GIVEN
    stage(sagemaker)
    # WHEN
    job = sagemaker.trained(launch(sagemaker, changed={"multi_label": "1"}))
    # THEN
    assert job["FailureReason"] == (
        "AlgorithmError: the emulator's stand-in for image-classification has no multi_label=1; AWS's image has, "
        "exit code: 1"
    )


def test_nobody_else_defines_its_metrics(sagemaker: SageMaker) -> None:
    with pytest.raises(ClientError, match="You can't override the metric definitions for Amazon SageMaker algorithms"):
        launch(sagemaker, MetricDefinitions=[{"Name": "mine", "Regex": "(.*)"}])
