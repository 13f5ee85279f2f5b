"""A drift job on the emulator: a processing job that runs the drift code of the model's `model.tar.gz`."""

import base64
import io
import json
import shutil
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hcl2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from evaluation.data_drift import follow_job, read_drift, start_job
from evaluation.history import History
from tests.support.emulator import Emulator
from tests.support.project import ROOT, unique
from tests.support.sagemaker import SageMaker
from training.algorithms import CONTAINER
from training.container.classifier.baseline import describe, write_baseline

CAPTURES = "data_capture/v3/scones-test-vehicles/AllTraffic"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.6-cpu-py312"


def draw(count: int, brightness: float, seed: int) -> NDArray[np.uint8]:
    """Return random images, shape (count, 32, 32, 3); `brightness` is a factor for all pixel values."""
    generator = np.random.default_rng(seed)
    means = generator.uniform(80, 170, (count, 1, 1, 3))
    return np.clip((means + generator.normal(0, 20, (count, 32, 32, 3))) * brightness, 0, 255).astype(np.uint8)


def draw_probabilities(count: int, seed: int) -> NDArray[np.float64]:
    """Return random class probabilities, shape (count, 2)."""
    first = np.random.default_rng(seed).uniform(0, 1, count)
    return np.column_stack([first, 1 - first])


def make_model() -> onnx.ModelProto:
    """Return a model whose embedding is an image's mean colour, and which returns no probabilities."""
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["embedding"], axes=[1, 2], keepdims=0),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 32, 32, 3])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph(nodes, "model", [images], [embedding])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def pack_model(folder: Path) -> bytes:
    """Return a `model.tar.gz` with the files that a training job writes."""
    model = folder / "model"
    shutil.copytree(CONTAINER, model / "code", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CONTAINER / "serving-requirements.txt", model / "code" / "requirements.txt")
    onnx.save(make_model(), model / "model.onnx")
    (model / "model.json").write_text(json.dumps({"classes": ["bicycle", "motorcycle"]}))
    images = draw(100, 1.0, seed=1)
    write_baseline(describe(draw_probabilities(100, 2), images, images.mean((1, 2))), model)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        archive.add(model, arcname=".")
    return stream.getvalue()


def capture(images: NDArray[np.uint8], time: datetime) -> bytes:
    """Return a capture file with a line for each image, all of which have the same time."""
    lines = []
    for number, (pixels, predicted) in enumerate(zip(images, draw_probabilities(len(images), 3), strict=True)):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        sides = {
            "endpointInput": {"data": base64.b64encode(stream.getvalue()).decode(), "encoding": "BASE64"},
            "endpointOutput": {"data": json.dumps(predicted.tolist()), "encoding": "JSON"},
        }
        metadata = {"eventId": f"event-{number}", "inferenceTime": time.strftime("%Y-%m-%dT%H:%M:%SZ")}
        lines.append(json.dumps({"captureData": sides, "eventMetadata": metadata, "eventVersion": "0"}))
    return "\n".join(lines).encode()


def make_request(bucket: str, topic: str, role: str) -> str:
    """Return a CreateProcessingJob request with the script of the Terraform module."""
    (module,) = hcl2.loads((ROOT / "terraform/modules/data_drift/main.tf").read_text())["locals"]
    path = module["input_path"].strip('"')
    script = module["script"].strip('"').replace("${local.input_path}", path)
    source = {"S3Uri": f"s3://{bucket}/models/model.tar.gz", "LocalPath": path, "S3DataType": "S3Prefix"}
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 10}
    environment = {
        "ENVIRONMENT": "test",
        "REGION": "us-east-1",
        "BUCKET": bucket,
        "CAPTURES_PREFIX": CAPTURES,
        "HISTORY_PREFIX": "history",
        "REVIEW_PREFIX": "review",
        "MODEL": "v3",
        "NAMESPACE": bucket,
        "TOPIC_ARN": topic,
        "WINDOW_HOURS": "24",
        "CAPTURE_DELAY_MINUTES": "10",
        "WINDOW_END": "<aws.scheduler.scheduled-time>",
        "PIP_NO_INDEX": "1",
    }
    return json.dumps(
        {
            "ProcessingJobName": "scones-test-drift-<aws.scheduler.execution-id>",
            "RoleArn": role,
            "StoppingCondition": {"MaxRuntimeInSeconds": 300},
            "ProcessingInputs": [{"InputName": "model", "S3Input": {**source, "S3InputMode": "File"}}],
            "ProcessingResources": {"ClusterConfig": cluster},
            "AppSpecification": {
                "ImageUri": IMAGE,
                "ContainerEntrypoint": ["/bin/bash", "-c"],
                "ContainerArguments": [script],
            },
            "Environment": environment,
        }
    )


@pytest.fixture
def messages(emulator: Emulator) -> Any:
    """The ARN of an SNS topic, and the URL of a queue that receives the topic's messages."""
    sqs, sns = emulator.client("sqs"), emulator.client("sns")
    queue = sqs.create_queue(QueueName=unique("messages"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=unique("drift"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, queue


def test_job_finds_dark_images_and_reports_them(
    emulator: Emulator, sagemaker: SageMaker, sagemaker_role: str, messages: Any, tmp_path: Path
) -> None:
    # GIVEN a model with a baseline, and dark images that the endpoint captured
    topic, queue = messages
    now = datetime.now(UTC)
    time = now - timedelta(hours=3)
    sagemaker.s3.put_object(Bucket=sagemaker.bucket, Key="models/model.tar.gz", Body=pack_model(tmp_path))
    sagemaker.s3.put_object(
        Bucket=sagemaker.bucket, Key=f"{CAPTURES}/{time:%Y/%m/%d/%H}/a.jsonl", Body=capture(draw(150, 0.4, 4), time)
    )

    # WHEN
    request = make_request(sagemaker.bucket, topic, sagemaker_role)
    follow_job(start_job(request, environment="test", sagemaker=sagemaker.client, now=now), sagemaker=sagemaker.client)

    # THEN the result reports drift
    history = History(sagemaker.bucket, "history", "test", sagemaker.s3)
    (result,) = read_drift(history.read("drift"), environment="test")["results"]
    assert result["figures"]["outcome"] == "drift"
    assert result["figures"]["groups"] == {
        "confidence": False,
        "classes": False,
        "image_statistics": True,
        "embedding": True,
    }
    # THEN there are review entries for the dark images
    listed = sagemaker.s3.list_objects_v2(Bucket=sagemaker.bucket, Prefix="review/selected/")["Contents"]
    names = {each["Key"].removeprefix("review/selected/") for each in listed}
    assert names == {f"{each['id']}{end}" for each in result["figures"]["examples"] for end in ("", ".json")}
    # THEN the job has published metrics and a message
    metrics = emulator.client("cloudwatch").list_metrics(Namespace=sagemaker.bucket)["Metrics"]
    groups = {each["Dimensions"][0]["Value"] for each in metrics if each["MetricName"] == "Drift"}
    assert groups == set(result["figures"]["groups"])
    (message,) = emulator.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    assert "brightness (median" in json.loads(message["Body"])["Message"]
