"""Batch transform jobs: inputs, outputs, failures and stopping."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from ...waiting import eventually
from ..functions import unique
from .resources import SageMaker


def start_transform(sagemaker: SageMaker, model: str, uri: str, **more: Any) -> str:
    """Start a transform job, which sends the objects below `uri` to a model, and return the job's name.

    more : parameters of CreateTransformJob; TransformInput and TransformOutput override only the members that they have
    """
    name = unique("transform")
    source = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}, "ContentType": "text/plain"}
    sagemaker.client.create_transform_job(
        TransformJobName=name,
        ModelName=model,
        TransformInput={**source, **more.pop("TransformInput", {})},
        TransformOutput={"S3OutputPath": f"s3://{sagemaker.bucket}/out", **more.pop("TransformOutput", {})},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **more,
    )
    return name


def wait_for_transform(sagemaker: SageMaker, name: str) -> dict[str, Any]:
    """Wait until a transform job has ended and return its description."""

    def ended() -> dict[str, Any]:
        described: dict[str, Any] = sagemaker.client.describe_transform_job(TransformJobName=name)
        return described if described["TransformJobStatus"] not in ("InProgress", "Stopping") else {}

    return eventually(ended)


def transform(sagemaker: SageMaker, model: str, uri: str, **more: Any) -> dict[str, Any]:
    """Run a transform job to its end and return its description."""
    return wait_for_transform(sagemaker, start_transform(sagemaker, model, uri, **more))


def test_each_input_object_has_an_output_object(sagemaker: SageMaker) -> None:
    # GIVEN
    sagemaker.upload("in/a.txt", "1234")
    sagemaker.upload("in/deep/b.txt", "12")
    # WHEN
    job = transform(sagemaker, sagemaker.create_model(), f"s3://{sagemaker.bucket}/in")
    # THEN
    assert job["TransformJobStatus"] == "Completed", job["FailureReason"]
    assert sagemaker.list_keys("out/") == ["out/a.txt.out", "out/deep/b.txt.out"]
    assert b'"length": 4' in sagemaker.download(f"s3://{sagemaker.bucket}/out/a.txt.out")


@pytest.mark.parametrize(("strategy", "lengths"), [("SingleRecord", [3, 4]), ("MultiRecord", [7])])
def test_batch_strategy_sets_the_lines_per_request(sagemaker: SageMaker, strategy: str, lengths: list[int]) -> None:
    # GIVEN an object with two lines, of three and four bytes
    sagemaker.upload("in/a.txt", "12\n345\n")
    # WHEN the object is split at line ends
    transform(
        sagemaker,
        sagemaker.create_model(),
        f"s3://{sagemaker.bucket}/in/",
        BatchStrategy=strategy,
        TransformInput={"SplitType": "Line"},
        TransformOutput={"AssembleWith": "Line"},
    )
    # THEN the model receives requests with these numbers of bytes
    lines = sagemaker.download(f"s3://{sagemaker.bucket}/out/a.txt.out").splitlines()
    assert [f'"length": {length}'.encode() in line for length, line in zip(lengths, lines, strict=True)] == [
        True for _ in lengths
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"bad", "ClientError: See job logs for more information"),
        (b"broken", "AlgorithmError: See job logs for more information"),
        (None, "no input data"),
    ],
    ids=["client error", "model error", "no input"],
)
def test_failed_job_has_a_failure_reason(sagemaker: SageMaker, body: bytes | None, reason: str) -> None:
    # GIVEN
    if body:
        sagemaker.upload("in/a.txt", body)
    # WHEN
    job = transform(sagemaker, sagemaker.create_model(), f"s3://{sagemaker.bucket}/in/")
    # THEN
    assert job["TransformJobStatus"] == "Failed"
    assert reason in job["FailureReason"]


def test_valid_objects_are_processed_and_invalid_ones_are_logged(sagemaker: SageMaker) -> None:
    # GIVEN two valid objects, and two for which the model returns an error
    for name, body in (("a", "1"), ("b", "bad"), ("c", "1"), ("d", "broken")):
        sagemaker.upload(f"in/{name}.txt", body)
    # WHEN
    name = start_transform(sagemaker, sagemaker.create_model(), f"s3://{sagemaker.bucket}/in/")
    job = wait_for_transform(sagemaker, name)
    # THEN the job fails, the valid objects have outputs, and the data log contains the errors of the others
    assert job["TransformJobStatus"] == "Failed"
    assert sagemaker.list_keys("out/") == ["out/a.txt.out", "out/c.txt.out"]
    lines = sagemaker.read_log("/aws/sagemaker/TransformJobs", f"{name}/i-0/data-log")
    assert [line.partition(":[sagemaker logs]: ")[2].removeprefix(f"{sagemaker.bucket}/in/") for line in lines] == [
        "b.txt: ClientError: 400",
        "b.txt: ",
        "b.txt: Message:",
        "b.txt: unknown vehicle",
        "d.txt: Bad HTTP status received from algorithm: 500",
        "d.txt: ",
        "d.txt: Message:",
        "d.txt: the model is broken",
    ]


def test_stopped_job_processes_no_more_objects(sagemaker: SageMaker) -> None:
    # GIVEN a job with 30 objects, each of which takes one second
    for number in range(30):
        sagemaker.upload(f"in/{number:02}.txt", "slow")
    name = start_transform(sagemaker, sagemaker.create_model(), f"s3://{sagemaker.bucket}/in/")
    # WHEN
    sagemaker.client.stop_transform_job(TransformJobName=name)
    # THEN
    assert wait_for_transform(sagemaker, name)["TransformJobStatus"] == "Stopped"
    assert len(sagemaker.list_keys("out/")) < 30
    with pytest.raises(ClientError, match="is in status Stopped"):
        sagemaker.client.stop_transform_job(TransformJobName=name)
