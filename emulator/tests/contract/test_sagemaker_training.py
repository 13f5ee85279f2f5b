"""Training jobs: the container's contract and what they leave."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .sagemaker_parts import (
    SageMaker,
    make_sagemaker,  # noqa: F401 (the fixture `sagemaker`)
)
from .waiting import eventually

GROUP = "/aws/sagemaker/TrainingJobs"


def channel(name: str, uri: str, **source: Any) -> dict[str, Any]:
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, **source}}}


def test_an_image_is_given_its_data_and_leaves_a_model(sagemaker: SageMaker) -> None:
    # GIVEN
    sagemaker.put("train/a.txt", "a")
    sagemaker.put("train/deep/b.txt", "b")
    sagemaker.put("train.lst", "list")
    # WHEN
    name = sagemaker.train(
        HyperParameters={"epochs": "3"},
        InputDataConfig=[
            {**channel("train", f"s3://{sagemaker.bucket}/train/"), "ContentType": "application/x-image"},
            channel("train_lst", f"s3://{sagemaker.bucket}/train.lst"),
        ],
        Environment={"MINE": "yes"},
    )
    job = sagemaker.trained(name)
    # THEN
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    artifacts = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert artifacts == f"s3://{sagemaker.bucket}/models/{name}/output/model.tar.gz"
    assert sagemaker.read(artifacts, "model.json") == {"hyperparameters": {"epochs": "3"}}
    seen = sagemaker.read(artifacts.replace("model.tar.gz", "output.tar.gz"), "seen.json")
    assert seen["files"] == {"train": ["a.txt", "deep/b.txt"], "train_lst": ["train.lst"]}
    assert seen["channels"]["train"] == {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
        "ContentType": "application/x-image",
    }
    assert seen["mine"] == "yes"


def test_a_job_goes_through_aws_s_statuses_in_their_order(sagemaker: SageMaker) -> None:
    # WHEN
    job = sagemaker.trained(sagemaker.train(program="pass"))
    # THEN
    transitions = job["SecondaryStatusTransitions"]
    assert [each["Status"] for each in transitions] == [
        *("Starting", "Downloading", "Training", "Uploading"),
        "Completed",
    ]
    assert all(each["StartTime"] <= each["EndTime"] for each in transitions)
    assert job["SecondaryStatus"] == "Completed"
    assert job["TrainingTimeInSeconds"] >= 1
    assert job["CreationTime"] <= job["TrainingStartTime"] <= job["TrainingEndTime"]


def test_a_manifest_names_a_channel_s_files(sagemaker: SageMaker) -> None:
    # GIVEN
    for name in ("a", "b", "c"):
        sagemaker.put(f"data/{name}.txt", name)
    manifest = sagemaker.put("manifest", json.dumps([{"prefix": f"s3://{sagemaker.bucket}/data/"}, "a.txt", "c.txt"]))
    # WHEN
    name = sagemaker.train(InputDataConfig=[channel("train", manifest, S3DataType="ManifestFile")])
    # THEN
    assert sagemaker.trained(name)["TrainingJobStatus"] == "Completed"
    seen = sagemaker.read(f"s3://{sagemaker.bucket}/models/{name}/output/output.tar.gz", "seen.json")
    assert seen["files"]["train"] == ["a.txt", "c.txt"]


def test_metrics_are_found_in_the_log(sagemaker: SageMaker) -> None:
    # GIVEN
    definitions = [
        {"Name": "loss", "Regex": r"loss=([0-9.]+);"},
        {"Name": "accuracy", "Regex": r"accuracy=([0-9.]+);"},
        {"Name": "other", "Regex": r"other=(\w+)"},
    ]
    # WHEN
    name = sagemaker.train(AlgorithmSpecification={"MetricDefinitions": definitions})
    job = sagemaker.trained(name)
    # THEN
    final = {each["MetricName"]: each["Value"] for each in job["FinalMetricDataList"]}
    assert final == {"loss": pytest.approx(0.33), "accuracy": pytest.approx(0.5)}
    (metric,) = sagemaker.emulator.client("cloudwatch").list_metrics(
        Namespace=GROUP, MetricName="loss", Dimensions=[{"Name": "Host", "Value": f"{name}/algo-1"}]
    )["Metrics"]
    assert metric["MetricName"] == "loss"


def test_the_log_can_be_read_while_the_job_runs(sagemaker: SageMaker) -> None:
    # GIVEN
    name = sagemaker.train(program="import time; print('first'); time.sleep(60)")
    # WHEN
    lines = eventually(lambda: sagemaker.log(GROUP, f"{name}/algo-1-"))
    # THEN
    assert lines == ["first"]
    assert sagemaker.job(name)["TrainingJobStatus"] == "InProgress"
    sagemaker.client.stop_training_job(TrainingJobName=name)


def test_output_and_errors_are_in_the_log(sagemaker: SageMaker) -> None:
    # GIVEN
    name = sagemaker.train()
    # WHEN
    sagemaker.trained(name)
    # THEN
    lines = sagemaker.log(GROUP, f"{name}/algo-1-")
    assert "epoch=2 loss=0.33; accuracy=0.5;" in lines
    assert "a warning" in lines


def test_a_job_s_name_is_taken_once(sagemaker: SageMaker) -> None:
    # GIVEN
    name = sagemaker.train(program="pass")
    # WHEN / THEN
    with pytest.raises(sagemaker.client.exceptions.ResourceInUse, match="must be unique"):
        sagemaker.train(program="pass", TrainingJobName=name)


def test_two_regions_may_have_jobs_of_one_name(sagemaker: SageMaker) -> None:
    # GIVEN
    name = sagemaker.train(program="import time; time.sleep(1)")
    other = sagemaker.emulator.client("sagemaker", "eu-west-1")
    # WHEN
    request = {
        "TrainingJobName": name,
        "RoleArn": "arn:aws:iam::123456789012:role/sagemaker",
        "AlgorithmSpecification": {
            "TrainingImage": "any",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python3", "-c", "pass"],
        },
        "OutputDataConfig": {"S3OutputPath": f"s3://{sagemaker.bucket}/elsewhere"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    other.create_training_job(**request)
    # THEN
    eventually(lambda: other.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "Completed")
    assert sagemaker.trained(name)["TrainingJobStatus"] == "Completed"


@pytest.mark.parametrize("regex", ["loss=(", "loss"], ids=["no expression", "no group"])
def test_a_metric_that_cannot_be_found_is_refused(sagemaker: SageMaker, regex: str) -> None:
    # WHEN / THEN
    with pytest.raises(ClientError, match="ValidationException"):
        sagemaker.train(AlgorithmSpecification={"MetricDefinitions": [{"Name": "loss", "Regex": regex}]})


def test_checkpoints_are_there_for_the_next_job(sagemaker: SageMaker) -> None:
    # GIVEN
    config: dict[str, Any] = {"CheckpointConfig": {"S3Uri": f"s3://{sagemaker.bucket}/checkpoints"}}
    sagemaker.trained(sagemaker.train(**config))
    # WHEN
    name = sagemaker.train(**config)
    sagemaker.trained(name)
    # THEN
    seen = sagemaker.read(f"s3://{sagemaker.bucket}/models/{name}/output/output.tar.gz", "seen.json")
    assert seen["step"] == 1
    assert sagemaker.get(f"s3://{sagemaker.bucket}/checkpoints/step.txt") == b"2"


def test_opt_ml_is_the_job_s_own_in_commands_and_drivers(sagemaker: SageMaker) -> None:
    # GIVEN
    sagemaker.put("drivers/run.sh", "#!/bin/bash\necho told > /opt/ml/model/$1\n")
    # WHEN
    name = sagemaker.train(
        AlgorithmSpecification={
            "ContainerEntrypoint": ["/bin/bash"],
            "ContainerArguments": ["-c", "bash /opt/ml/input/data/sm_drivers/run.sh word.txt"],
        },
        InputDataConfig=[channel("sm_drivers", f"s3://{sagemaker.bucket}/drivers/")],
    )
    job = sagemaker.trained(name)
    # THEN
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert not Path("/opt/ml/model/word.txt").exists()


def make_wheel(folder: Path) -> Path:
    """A package of one module that nobody has."""
    path = folder / "nobody_has_this-1.0-py3-none-any.whl"
    info = "nobody_has_this-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("nobody_has_this.py", "NUMBER = 7\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: nobody-has-this\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return path


def test_what_a_job_installs_stays_its_own(sagemaker: SageMaker, tmp_path: Path) -> None:
    # GIVEN
    wheel = make_wheel(tmp_path)
    check = "import nobody_has_this, boto3; print('number', nobody_has_this.NUMBER)"
    # WHEN
    name = sagemaker.train(
        AlgorithmSpecification={
            "ContainerEntrypoint": ["/bin/bash"],
            "ContainerArguments": ["-c", f'pip install --no-index {wheel} && python3 -c "{check}"'],
        }
    )
    job = sagemaker.trained(name)
    after = sagemaker.trained(sagemaker.train(program="import nobody_has_this"))
    # THEN
    assert job["TrainingJobStatus"] == "Completed", sagemaker.log(GROUP, name)
    assert "number 7" in sagemaker.log(GROUP, name)
    assert after["TrainingJobStatus"] == "Failed"
