"""The SageMaker SDK creates training jobs, and the emulator runs them."""

import io
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.stack import Network
from staging.recordio import Record, write_shards
from tests.support.project import unique
from tests.support.sagemaker import SageMaker
from tests.support.waiting import eventually
from tests.unit.container.jobs import draw_split
from tests.unit.training.wheels import write_wheels
from training import packages
from training.algorithms import ALGORITHMS, StagedData
from training.launch import LaunchError, TrainingJobConfig, launch

DATA = StagedData(
    classes=("bicycle", "motorcycle"),
    training_images=900,
    validation_images=100,
    data_format="recordio",
    shards=2,
    image_size=32,
    has_pretraining_data=False,
)


@pytest.fixture
def make_config(sagemaker: SageMaker, sagemaker_role: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A factory of job configurations, whose keyword arguments replace fields. AWS SDKs use the emulator."""
    sagemaker.emulator.select(monkeypatch)

    def make(image: str, **changes: Any) -> TrainingJobConfig:
        defaults: dict[str, Any] = {
            "image": f"account.dkr.ecr.us-east-1.amazonaws.com/{image}",
            "role_arn": sagemaker_role,
            "kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/some-key",
            "bucket": sagemaker.bucket,
            "models_prefix": "models",
            "checkpoints_prefix": "checkpoints",
            "packages_prefix": "packages",
            "bundle_packages": False,
            "region": "us-east-1",
            "instance_type": "ml.m5.xlarge",
            "instance_count": 1,
            "spot": False,
            "name": unique("launched"),
            "tags": {"Stack": "scones-local"},
        }
        return TrainingJobConfig(**{**defaults, **changes})

    return make


def test_pytorch_job_receives_code_channels_and_checkpoints(make_config: Any, sagemaker: SageMaker) -> None:
    # GIVEN
    config = make_config("pytorch-training:2.10", instance_count=2)

    # WHEN
    job = sagemaker.job(launch(ALGORITHMS["pytorch"], config, DATA, {"classes": "bicycle,motorcycle"}, "same"))

    # THEN
    inputs = {each["ChannelName"]: each["DataSource"]["S3DataSource"] for each in job["InputDataConfig"]}
    assert {"code", "sm_drivers", "train", "validation"} == set(inputs)
    assert inputs["train"]["S3DataDistributionType"] == "ShardedByS3Key"
    assert inputs["validation"]["S3DataDistributionType"] == "FullyReplicated"
    assert job["CheckpointConfig"]["S3Uri"] == f"s3://{sagemaker.bucket}/checkpoints/same"
    assert job["ResourceConfig"]["InstanceCount"] == 2
    assert job["OutputDataConfig"]["KmsKeyId"] == config.kms_key_arn
    assert job["Environment"]["SCONES_FINGERPRINT"] == "same"
    tags = sagemaker.client.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"]
    assert {"Key": "Stack", "Value": "scones-local"} in tags
    found = {each["Name"] for each in job["AlgorithmSpecification"]["MetricDefinitions"]}
    assert found == set(ALGORITHMS["pytorch"].metrics)
    driver = f"{inputs['sm_drivers']['S3Uri'].rstrip('/')}/sm_train.sh"
    assert "torchrun_driver" in sagemaker.get(driver).decode()


@pytest.mark.parametrize(
    ("tag", "driver"),
    [("2.10-cpu-py313", "basic_script_driver"), ("2.10-gpu-py313", "torchrun_driver")],
    ids=["CPU", "GPU"],
)
def test_torchrun_starts_the_training_processes_of_a_single_host_only_in_a_gpu_image(
    make_config: Any, sagemaker: SageMaker, tag: str, driver: str
) -> None:
    # WHEN
    name = launch(ALGORITHMS["pytorch"], make_config(f"pytorch-training:{tag}"), DATA, {"classes": "a,b"}, tag)

    # THEN
    inputs = {
        each["ChannelName"]: each["DataSource"]["S3DataSource"] for each in sagemaker.job(name)["InputDataConfig"]
    }
    assert driver in sagemaker.get(f"{inputs['sm_drivers']['S3Uri'].rstrip('/')}/sm_train.sh").decode()


def test_job_of_the_built_in_algorithm_has_only_data_channels(make_config: Any, sagemaker: SageMaker) -> None:
    # GIVEN
    config = make_config("image-classification:1", instance_type="ml.g4dn.xlarge")
    algorithm = ALGORITHMS["image-classification"]
    data = replace(DATA, shards=1)
    hyperparameters = algorithm.complete_hyperparameters({}, data)

    # WHEN
    job = sagemaker.job(launch(algorithm, config, data, hyperparameters, "same"))

    # THEN
    inputs = {each["ChannelName"]: each["ContentType"] for each in job["InputDataConfig"]}
    assert inputs == dict.fromkeys(("train", "validation"), "application/x-recordio")
    assert job["HyperParameters"] == hyperparameters
    assert job["CheckpointConfig"]["S3Uri"] == f"s3://{sagemaker.bucket}/checkpoints/same"


def test_error_for_a_job_that_sagemaker_refuses_is_one_line(make_config: Any) -> None:
    # GIVEN an invalid job name
    config = make_config("pytorch-training:2.10", name="an invalid name_")

    # WHEN / THEN
    with pytest.raises(LaunchError, match="SageMaker refused the job") as caught:
        launch(ALGORITHMS["pytorch"], config, DATA, {"classes": "a,b"}, "same")
    assert "\n" not in str(caught.value)


STAGED = replace(
    DATA, classes=("dark", "light"), training_images=24, validation_images=8, data_format="images", shards=0
)
SCRATCH = {"classes": "dark,light", "pretrained": "0", "batch_size": "8"}


@pytest.fixture
def _staged(sagemaker: SageMaker, tmp_path: Path) -> None:
    """Stage synthetic images of two classes, with the keys and lists that `make stage` writes."""
    for split, count in (("train", 24), ("validation", 8)):
        draw_split(tmp_path / split, count, seed=count)
        for path in (tmp_path / split).iterdir():
            sagemaker.put(f"{split}/{path.name}", path.read_bytes())
        sagemaker.put(f"{split}.lst", (tmp_path / f"{split}_lst" / f"{split}.lst").read_bytes())


def test_shards_are_distributed_between_two_hosts(make_config: Any, sagemaker: SageMaker, tmp_path: Path) -> None:
    # GIVEN 26 training examples in shards of 8, 9 and 9, and 26 validation examples
    draw_split(tmp_path / "drawn", 26, seed=1)
    records = [Record(row, row % 2, (tmp_path / "drawn" / f"image_{row}.png").read_bytes()) for row in range(26)]
    for split, shard_records in (("train", 9), ("validation", 26)):
        (tmp_path / split).mkdir()
        for path in write_shards(tmp_path / split, records, count=26, shard_records=shard_records):
            sagemaker.put(f"{split}/{path.name}", path.read_bytes())
    data = replace(STAGED, training_images=26, validation_images=26, data_format="recordio", shards=3)

    # WHEN
    config = make_config("pytorch-training:2.10", instance_count=2)
    name = launch(ALGORITHMS["pytorch"], config, data, {**SCRATCH, "epochs": "2"}, "shards")
    job = sagemaker.finished_job(name)

    # THEN one host receives 17 examples and the other host receives 9, so each host trains on 9 examples per epoch
    assert job["TrainingJobStatus"] == "Completed", sagemaker.training_log(name)
    started = '"training_images": 17, "validation_images": 26, "processes": 2'
    assert any(started in line for line in sagemaker.training_log(name))
    output = job["ModelArtifacts"]["S3ModelArtifacts"].replace("model.tar.gz", "output.tar.gz")
    measured = sagemaker.read(output, "metrics.json")
    assert measured["images_per_second"] * measured["seconds"] == pytest.approx(2 * 9 * 2)
    assert measured["validation"]["n"] == 26


@pytest.mark.usefixtures("_staged")
def test_new_job_resumes_from_the_checkpoint_of_a_stopped_job(make_config: Any, sagemaker: SageMaker) -> None:
    # GIVEN a job that is stopped before its last epoch
    config = make_config("pytorch-training:2.10")
    settings = {**SCRATCH, "epochs": "40"}
    first = launch(ALGORITHMS["pytorch"], config, STAGED, settings, "same model")
    eventually(lambda: any('"epoch": 3, "epochs": 40' in line for line in sagemaker.training_log(first)), seconds=60)
    sagemaker.client.stop_training_job(TrainingJobName=first)
    assert sagemaker.finished_job(first)["TrainingJobStatus"] == "Stopped"

    # WHEN
    second = launch(ALGORITHMS["pytorch"], config, STAGED, settings, "same model")

    # THEN the new job resumes from the checkpoint, and trains only the remaining epochs
    assert sagemaker.finished_job(second)["TrainingJobStatus"] == "Completed"
    log = sagemaker.training_log(second)
    assert any('"event": "resumed"' in line for line in log)
    assert not any('"epoch": 1, "epochs": 40' in line for line in log)
    assert any('"epoch": 40, "epochs": 40' in line for line in log)


@pytest.mark.usefixtures("_staged")
def test_job_in_a_vpc_installs_packages_from_s3_and_adds_them_to_the_model(
    make_config: Any, sagemaker: SageMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(write_wheels(tmp_path / "index")))
    packages.upload(tmp_path / "packages", sagemaker.bucket, "packages", s3=sagemaker.s3)
    config = make_config("pytorch-training:2.10", network=Network(("subnet-1",), ("sg-1",)), bundle_packages=True)

    # WHEN
    name = launch(ALGORITHMS["pytorch"], config, STAGED, {**SCRATCH, "epochs": "1"}, "isolated")
    job = sagemaker.finished_job(name)

    # THEN
    assert job["TrainingJobStatus"] == "Completed", sagemaker.training_log(name)
    assert job["EnableNetworkIsolation"] is True
    assert job["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert job["Environment"]["PIP_NO_INDEX"] == "1"
    model = sagemaker.get(job["ModelArtifacts"]["S3ModelArtifacts"])
    with tarfile.open(fileobj=io.BytesIO(model)) as archive:
        wheels = [name for name in archive.getnames() if name.endswith(".whl")]
    assert any("code/packages/onnxruntime-" in name for name in wheels)
    assert not any("onnxscript" in name for name in wheels)
