"""Training jobs: input data, results, logs, metrics, checkpoints, names and lists."""

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ...waiting import eventually
from .resources import TRAINING_LOGS, SageMaker, channel


def test_container_receives_its_channels_and_the_model_is_uploaded(sagemaker: SageMaker) -> None:
    # GIVEN
    sagemaker.upload("train/a.txt", "a")
    sagemaker.upload("train/deep/b.txt", "b")
    sagemaker.upload("train.lst", "list")
    # WHEN
    name = sagemaker.start_training(
        HyperParameters={"epochs": "3"},
        InputDataConfig=[
            {**channel("train", f"s3://{sagemaker.bucket}/train/"), "ContentType": "application/x-image"},
            channel("train_lst", f"s3://{sagemaker.bucket}/train.lst"),
        ],
        Environment={"MINE": "yes"},
    )
    job = sagemaker.wait_for_training(name)
    # THEN
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    artifacts = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert artifacts == f"s3://{sagemaker.bucket}/models/{name}/output/model.tar.gz"
    assert sagemaker.read_json(artifacts, "model.json") == {"hyperparameters": {"epochs": "3"}}
    seen = sagemaker.read_json(artifacts.replace("model.tar.gz", "output.tar.gz"), "seen.json")
    assert seen["files"] == {"train": ["a.txt", "deep/b.txt"], "train_lst": ["train.lst"]}
    assert seen["channels"]["train"] == {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
        "ContentType": "application/x-image",
    }
    assert seen["mine"] == "yes"


def test_job_passes_through_the_secondary_statuses_of_aws(sagemaker: SageMaker) -> None:
    # WHEN
    job = sagemaker.wait_for_training(sagemaker.start_training(program="pass"))
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


def test_manifest_selects_the_files_of_a_channel(sagemaker: SageMaker) -> None:
    # GIVEN a manifest that lists two of three objects
    for name in ("a", "b", "c"):
        sagemaker.upload(f"data/{name}.txt", name)
    manifest = sagemaker.upload(
        "manifest", json.dumps([{"prefix": f"s3://{sagemaker.bucket}/data/"}, "a.txt", "c.txt"])
    )
    # WHEN
    name = sagemaker.start_training(InputDataConfig=[channel("train", manifest, S3DataType="ManifestFile")])
    # THEN
    assert sagemaker.wait_for_training(name)["TrainingJobStatus"] == "Completed"
    seen = sagemaker.read_json(f"s3://{sagemaker.bucket}/models/{name}/output/output.tar.gz", "seen.json")
    assert seen["files"]["train"] == ["a.txt", "c.txt"]


def test_metrics_are_extracted_from_the_log(sagemaker: SageMaker) -> None:
    # GIVEN metric definitions, of which the last does not match the log
    definitions = [
        {"Name": "loss", "Regex": r"loss=([0-9.]+);"},
        {"Name": "accuracy", "Regex": r"accuracy=([0-9.]+);"},
        {"Name": "other", "Regex": r"other=(\w+)"},
    ]
    # WHEN
    name = sagemaker.start_training(AlgorithmSpecification={"MetricDefinitions": definitions})
    job = sagemaker.wait_for_training(name)
    # THEN
    final = {each["MetricName"]: each["Value"] for each in job["FinalMetricDataList"]}
    assert final == {"loss": pytest.approx(0.33), "accuracy": pytest.approx(0.5)}
    (metric,) = sagemaker.emulator.client("cloudwatch").list_metrics(
        Namespace=TRAINING_LOGS, MetricName="loss", Dimensions=[{"Name": "Host", "Value": f"{name}/algo-1"}]
    )["Metrics"]
    assert metric["MetricName"] == "loss"


def test_log_can_be_read_while_the_job_runs(sagemaker: SageMaker) -> None:
    # GIVEN
    name = sagemaker.start_training(program="import time; print('first'); time.sleep(60)")
    # WHEN
    lines = eventually(lambda: sagemaker.read_log(TRAINING_LOGS, f"{name}/algo-1-"))
    # THEN
    assert lines == ["first"]
    assert sagemaker.describe_training(name)["TrainingJobStatus"] == "InProgress"
    sagemaker.client.stop_training_job(TrainingJobName=name)


def test_log_contains_stdout_and_stderr(sagemaker: SageMaker) -> None:
    # GIVEN
    name = sagemaker.start_training()
    # WHEN
    sagemaker.wait_for_training(name)
    # THEN
    lines = sagemaker.read_log(TRAINING_LOGS, f"{name}/algo-1-")
    assert "epoch=2 loss=0.33; accuracy=0.5;" in lines
    assert "a warning" in lines


def test_existing_job_name_is_refused(sagemaker: SageMaker) -> None:
    # GIVEN
    name = sagemaker.start_training(program="pass")
    # WHEN / THEN
    with pytest.raises(sagemaker.client.exceptions.ResourceInUse, match="must be unique"):
        sagemaker.start_training(program="pass", TrainingJobName=name)


def test_list_of_jobs_is_filtered_by_the_time_of_the_last_change(sagemaker: SageMaker) -> None:
    # GIVEN
    name = sagemaker.start_training(program="pass")
    sagemaker.wait_for_training(name)
    # WHEN
    request = {"NameContains": name, "LastModifiedTimeAfter": datetime.now(UTC) - timedelta(minutes=5)}
    # THEN
    assert len(sagemaker.client.list_training_jobs(**request)["TrainingJobSummaries"]) == 1


def test_jobs_in_two_regions_can_have_the_same_name(sagemaker: SageMaker) -> None:
    # GIVEN
    name = sagemaker.start_training(program="import time; time.sleep(0.5)")
    in_ireland = sagemaker.emulator.client("sagemaker", "eu-west-1")
    # WHEN a job with the same name is created in another region
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
    in_ireland.create_training_job(**request)
    # THEN
    eventually(lambda: in_ireland.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "Completed")
    assert sagemaker.wait_for_training(name)["TrainingJobStatus"] == "Completed"


@pytest.mark.parametrize("regex", ["loss=(", "loss"], ids=["no expression", "no group"])
def test_invalid_metric_definition_is_refused(sagemaker: SageMaker, regex: str) -> None:
    # WHEN / THEN
    with pytest.raises(ClientError, match="ValidationException"):
        sagemaker.start_training(AlgorithmSpecification={"MetricDefinitions": [{"Name": "loss", "Regex": regex}]})


@pytest.mark.parametrize(
    ("hyperparameters", "constraint"),
    [
        (
            {"classes": "x" * 2501},
            "Map value must satisfy constraint: Member must have length less than or equal to 2500",
        ),
        ({"x" * 257: "1"}, "Map keys must satisfy constraint: Member must have length less than or equal to 256"),
        ({f"h{number}": "1" for number in range(101)}, "Member must have length less than or equal to 100"),
    ],
    ids=["long value", "long name", "too many"],
)
def test_hyperparameters_beyond_the_limits_are_refused(
    sagemaker: SageMaker, hyperparameters: dict[str, str], constraint: str
) -> None:
    with pytest.raises(ClientError, match=f"'hyperParameters' failed to satisfy constraint: {constraint}"):
        sagemaker.start_training(HyperParameters=hyperparameters)


def test_next_job_continues_from_the_checkpoint(sagemaker: SageMaker) -> None:
    # GIVEN a completed job with a checkpoint in S3
    config: dict[str, Any] = {"CheckpointConfig": {"S3Uri": f"s3://{sagemaker.bucket}/checkpoints"}}
    sagemaker.wait_for_training(sagemaker.start_training(**config))
    # WHEN a second job has the same checkpoint configuration
    name = sagemaker.start_training(**config)
    sagemaker.wait_for_training(name)
    # THEN
    seen = sagemaker.read_json(f"s3://{sagemaker.bucket}/models/{name}/output/output.tar.gz", "seen.json")
    assert seen["step"] == 1
    assert sagemaker.download(f"s3://{sagemaker.bucket}/checkpoints/step.txt") == b"2"


def test_commands_and_scripts_can_use_paths_below_opt_ml(sagemaker: SageMaker) -> None:
    # GIVEN a script that writes to /opt/ml/model
    sagemaker.upload("drivers/run.sh", "#!/bin/bash\necho text > /opt/ml/model/$1\n")
    # WHEN the script, which is in the channel `sm_drivers`, is started by a path below /opt/ml
    name = sagemaker.start_training(
        AlgorithmSpecification={
            "ContainerEntrypoint": ["/bin/bash"],
            "ContainerArguments": ["-c", "bash /opt/ml/input/data/sm_drivers/run.sh word.txt"],
        },
        InputDataConfig=[channel("sm_drivers", f"s3://{sagemaker.bucket}/drivers/")],
    )
    job = sagemaker.wait_for_training(name)
    # THEN the job completes, and writes nothing to the machine's own /opt/ml
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert not Path("/opt/ml/model/word.txt").exists()


def make_wheel(folder: Path) -> Path:
    """Write a wheel with one module into a folder, and return the wheel's path. No published package has this name."""
    path = folder / "only_for_this_test-1.0-py3-none-any.whl"
    info = "only_for_this_test-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("only_for_this_test.py", "NUMBER = 7\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: only-for-this-test\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return path


def test_packages_that_a_job_installs_are_not_visible_to_the_next_job(sagemaker: SageMaker, tmp_path: Path) -> None:
    # GIVEN
    wheel = make_wheel(tmp_path)
    check = "import only_for_this_test, boto3; print('number', only_for_this_test.NUMBER)"
    # WHEN a job installs and imports the wheel, and the next job only imports it
    name = sagemaker.start_training(
        AlgorithmSpecification={
            "ContainerEntrypoint": ["/bin/bash"],
            "ContainerArguments": ["-c", f'pip install --no-index {wheel} && python3 -c "{check}"'],
        }
    )
    job = sagemaker.wait_for_training(name)
    after = sagemaker.wait_for_training(sagemaker.start_training(program="import only_for_this_test"))
    # THEN
    assert job["TrainingJobStatus"] == "Completed", sagemaker.read_log(TRAINING_LOGS, name)
    assert "number 7" in sagemaker.read_log(TRAINING_LOGS, name)
    assert after["TrainingJobStatus"] == "Failed"
