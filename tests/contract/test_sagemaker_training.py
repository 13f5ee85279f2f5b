"""Training jobs, by boto3 and a container that this repository's own code has never seen."""

import io
import json
import tarfile
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.contract.conftest import RunningEmulator
from tests.contract.waiting import eventually

IMAGE = "tests/echo:1"
ROLE = "arn:aws:iam::123456789012:role/training"


@pytest.fixture
def bucket(emulator: RunningEmulator) -> str:
    name = f"training-{uuid4().hex[:12]}"
    emulator.client("s3").create_bucket(Bucket=name)
    emulator.client("s3").put_object(Bucket=name, Key="train/folder/one.txt", Body=b"first")
    emulator.client("s3").put_object(Bucket=name, Key="train.lst", Body=b"listing")
    return name


def start(emulator: RunningEmulator, bucket: str, *, uri: str = "train/", **changes: Any) -> str:
    name = f"job-{uuid4().hex[:12]}"
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/{uri}"}
    request: dict[str, Any] = {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "loss", "Regex": r"loss=([0-9.]+)"}],
        },
        "RoleArn": ROLE,
        "HyperParameters": {"weights": "heavy"},
        "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **changes,
    }
    emulator.client("sagemaker").create_training_job(**request)
    return name


def describe(emulator: RunningEmulator, name: str) -> dict[str, Any]:
    found: dict[str, Any] = emulator.client("sagemaker").describe_training_job(TrainingJobName=name)
    return found


def ended(emulator: RunningEmulator, name: str) -> dict[str, Any]:
    eventually(lambda: describe(emulator, name)["TrainingJobStatus"] in ("Completed", "Failed", "Stopped"))
    return describe(emulator, name)


def members(emulator: RunningEmulator, uri: str) -> dict[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = emulator.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        streams = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        return {name: stream.read().decode() for name, stream in streams.items() if stream}


def logged(emulator: RunningEmulator, name: str) -> str:
    logs, group = emulator.client("logs"), "/aws/sagemaker/TrainingJobs"
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=name)["logStreams"]
    events = [
        logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"] for stream in streams
    ]
    return "\n".join(event["message"] for stream in events for event in stream)


def test_a_job_reads_its_channels_and_leaves_a_model(emulator: RunningEmulator, bucket: str) -> None:
    # WHEN
    job = ended(emulator, start(emulator, bucket))

    # THEN
    model = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert members(emulator, model) == {"weights.txt": "heavy"}
    seen = json.loads(members(emulator, model.replace("model.tar.gz", "output.tar.gz"))["seen.json"])
    assert seen == {"input/data/train/folder/one.txt": "first"}
    assert [each["Status"] for each in job["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert [(each["MetricName"], each["Value"]) for each in job["FinalMetricDataList"]] == [("loss", 0.25)]
    assert "loss=0.75" in logged(emulator, job["TrainingJobName"])


def test_metrics_are_in_cloudwatch(emulator: RunningEmulator, bucket: str) -> None:
    # WHEN
    job = ended(emulator, start(emulator, bucket))

    # THEN
    data = emulator.client("cloudwatch").get_metric_statistics(
        Namespace="/aws/sagemaker/TrainingJobs",
        MetricName="loss",
        Dimensions=[{"Name": "Host", "Value": f"{job['TrainingJobName']}/algo-1"}],
        StartTime=job["CreationTime"].replace(second=0, microsecond=0),
        EndTime=job["TrainingEndTime"].replace(year=job["TrainingEndTime"].year + 1),
        Period=60,
        Statistics=["Minimum", "Maximum"],
    )["Datapoints"]
    assert min(point["Minimum"] for point in data) == 0.25
    assert max(point["Maximum"] for point in data) == 0.75


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param(
            {"HyperParameters": {"fail": "bad data"}}, "AlgorithmError: bad data, exit code: 3", id="says why"
        ),
        pytest.param({"uri": "nothing/"}, "Data download failed", id="an empty channel"),
        pytest.param(
            {"AlgorithmSpecification": {"TrainingImage": "unknown:1", "TrainingInputMode": "File"}},
            "unknown:1",
            id="an image that nothing stands in for",
        ),
    ],
)
def test_a_job_that_fails_has_its_reason(
    emulator: RunningEmulator, bucket: str, changes: dict[str, Any], reason: str
) -> None:
    # WHEN
    job = ended(emulator, start(emulator, bucket, **changes))

    # THEN
    assert job["TrainingJobStatus"] == "Failed"
    assert reason in job["FailureReason"]
    assert "ModelArtifacts" not in job


def test_a_job_that_is_stopped_keeps_what_it_has(emulator: RunningEmulator, bucket: str) -> None:
    # GIVEN
    name = start(emulator, bucket, HyperParameters={"wait": "1", "weights": "half"})
    eventually(
        lambda: describe(emulator, name)["SecondaryStatus"] == "Training" and "waiting" in logged(emulator, name)
    )

    # WHEN
    emulator.client("sagemaker").stop_training_job(TrainingJobName=name)
    job = ended(emulator, name)

    # THEN
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Stopped"
    assert members(emulator, job["ModelArtifacts"]["S3ModelArtifacts"]) == {"weights.txt": "half"}


def test_a_job_that_takes_too_long_is_stopped(emulator: RunningEmulator, bucket: str) -> None:
    # WHEN
    name = start(emulator, bucket, HyperParameters={"wait": "1"}, StoppingCondition={"MaxRuntimeInSeconds": 1})
    job = ended(emulator, name)

    # THEN
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_an_entry_point_runs_without_an_image(emulator: RunningEmulator, bucket: str) -> None:
    # WHEN
    command = 'echo "$GREETING" > /opt/ml/model/said.txt && cat /opt/ml/input/data/train/folder/one.txt'
    specification = {
        "TrainingImage": "unknown:1",
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["/bin/bash", "-c"],
        "ContainerArguments": [command],
    }
    name = start(emulator, bucket, AlgorithmSpecification=specification, Environment={"GREETING": "hello"})
    job = ended(emulator, name)

    # THEN
    assert members(emulator, job["ModelArtifacts"]["S3ModelArtifacts"]) == {"said.txt": "hello\n"}
    assert "first" in logged(emulator, name)


def test_a_name_is_used_once(emulator: RunningEmulator, bucket: str) -> None:
    # GIVEN
    name = start(emulator, bucket)

    # WHEN / THEN
    with pytest.raises(ClientError, match="ResourceInUse"):
        start(emulator, bucket, TrainingJobName=name)
    ended(emulator, name)
