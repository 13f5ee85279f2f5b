"""The substitute for AWS's built-in image classification algorithm: training, inference and refused jobs."""

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image, ImageDraw

from ..functions import unique
from .resources import ROLE, SageMaker

IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1"
CHANNELS = ("train", "validation", "train_lst", "validation_lst")
HYPERPARAMETERS = {
    "num_classes": "2",
    "num_training_samples": "32",
    "num_layers": "20",
    "image_shape": "3,16,16",
    "mini_batch_size": "16",
    "epochs": "2",
    "learning_rate": "0.01",
    "augmentation_type": "crop",
}


def draw(index: int) -> bytes:
    """Return a PNG image of 32 x 32 pixels: a blue ellipse if `index` is even, a red rectangle otherwise."""
    image = Image.new("RGB", (32, 32), "white")
    pen = ImageDraw.Draw(image)
    box = (4 + index % 5, 4 + index % 7, 24, 24)
    if index % 2:
        pen.rectangle(box, fill="red")
    else:
        pen.ellipse(box, fill="blue")
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def upload_data_set(sagemaker: SageMaker, *, training: int = 1, validation: int = 1) -> None:
    """Upload training and validation images, and the lists with their labels.

    training, validation : numbers of images
    """
    for split, count in (("train", training), ("validation", validation)):
        for index in range(count):
            sagemaker.upload(f"{split}/{index}.png", draw(index))
        lines = "".join(f"{index}\t{index % 2}\t{index}.png\n" for index in range(count))
        sagemaker.upload(f"{split}_lst/{split}.lst", lines)


def channel(sagemaker: SageMaker, name: str) -> dict[str, Any]:
    """Return the input channel `name`, whose data are below the key prefix `name` of the bucket."""
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{sagemaker.bucket}/{name}/"}
    return {"ChannelName": name, "ContentType": "application/x-image", "DataSource": {"S3DataSource": source}}


def launch(
    sagemaker: SageMaker,
    *,
    instance_type: str = "ml.g4dn.xlarge",
    changed: Mapping[str, str] | None = None,
    **specification: Any,
) -> str:
    """Start a training job with the algorithm and return the job's name.

    changed       : hyperparameters that differ from HYPERPARAMETERS
    specification : more members of AlgorithmSpecification
    """
    return sagemaker.start_training(
        AlgorithmSpecification={"TrainingImage": IMAGE, **specification},
        HyperParameters={**HYPERPARAMETERS, **(changed or {})},
        InputDataConfig=[channel(sagemaker, name) for name in CHANNELS],
        ResourceConfig={"InstanceType": instance_type, "InstanceCount": 1, "VolumeSizeInGB": 1},
    )


def test_model_is_trained_and_served(sagemaker: SageMaker) -> None:
    # GIVEN
    upload_data_set(sagemaker, training=32, validation=8)
    # WHEN
    job = sagemaker.wait_for_training(launch(sagemaker))
    # THEN
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    final = {each["MetricName"]: each["Value"] for each in job["FinalMetricDataList"]}
    assert set(final) == {"train:accuracy", "validation:accuracy"}
    assert all(0 <= value <= 1 for value in final.values())
    assert [each["Name"] for each in job["AlgorithmSpecification"]["MetricDefinitions"]] == list(final)
    artifacts = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert sagemaker.read_json(artifacts, "model-shapes.json") == [{"name": "data", "shape": [16, 3, 16, 16]}]

    # WHEN the trained model is deployed
    model = unique("model")
    sagemaker.client.create_model(
        ModelName=model, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE, "ModelDataUrl": artifacts}
    )
    endpoint = sagemaker.create_endpoint(sagemaker.create_endpoint_config({"AllTraffic": (model, 1)}))
    # THEN the endpoint returns probabilities for images, and refuses other data
    for content_type in ("image/png", "application/x-image"):
        response = sagemaker.invoke(endpoint, draw(0), ContentType=content_type)
        probabilities = json.loads(response["Body"].read())
        assert response["ContentType"] == "application/json"
        assert len(probabilities) == 2
        assert sum(probabilities) == pytest.approx(1)
    with pytest.raises(
        ClientError, match=r'client error \(400\) .*"Unable to evaluate payload provided: not a PNG or JPEG"'
    ):
        sagemaker.invoke(endpoint, b"no image", ContentType="image/png")
    sagemaker.delete_endpoint(endpoint)


def test_job_on_an_instance_without_a_gpu_fails(sagemaker: SageMaker) -> None:
    # GIVEN
    upload_data_set(sagemaker)
    # WHEN
    job = sagemaker.wait_for_training(launch(sagemaker, instance_type="ml.m5.large"))
    # THEN
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == (
        "ClientError: Instance type ml.m5.large is not supported by algorithm image-classification; only GPU "
        "instances are supported (ml.p2, ml.p3, ml.g4dn, ml.g5)., exit code: 2"
    )


def test_job_with_an_unsupported_hyperparameter_fails_with_an_algorithm_error(sagemaker: SageMaker) -> None:
    # GIVEN
    upload_data_set(sagemaker)
    # WHEN
    job = sagemaker.wait_for_training(launch(sagemaker, changed={"multi_label": "1"}))
    # THEN
    assert job["FailureReason"] == (
        "AlgorithmError: the emulator's image-classification does not support multi_label=1; AWS's image does, "
        "exit code: 1"
    )


def test_job_with_its_own_metric_definitions_is_refused(sagemaker: SageMaker) -> None:
    with pytest.raises(ClientError, match="You can't override the metric definitions for Amazon SageMaker algorithms"):
        launch(sagemaker, MetricDefinitions=[{"Name": "mine", "Regex": "(.*)"}])
