"""A launch as the SDK sends it and the emulator carries it out: what arrives there, several hosts, a job taken up."""

import io
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.stack import Network
from emulator.tests.contract.functions import unique
from emulator.tests.contract.sagemaker_parts import (
    SageMaker,
    make_sagemaker,  # noqa: F401 (the fixture `sagemaker`)
)
from emulator.tests.contract.waiting import eventually
from staging.recordio import Record, write_shards
from tests.contract.test_sagemaker_sdk import role, sdk  # noqa: F401 (fixtures)
from tests.unit.container.jobs import draw_split
from tests.unit.training.wheels import write_wheels
from training import packages
from training.algorithms import ALGORITHMS, StagedData
from training.launch import LaunchError, TrainingJobConfig, launch

GROUP = "/aws/sagemaker/TrainingJobs"
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
def make_ground(sdk: Any, role: str, sagemaker: SageMaker) -> Any:  # noqa: F811
    """A maker of grounds on the emulator."""

    def make(image: str, **changes: Any) -> TrainingJobConfig:
        known: dict[str, Any] = {
            "image": f"account.dkr.ecr.us-east-1.amazonaws.com/{image}",
            "role_arn": role,
            "kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/some-key",
            "bucket": sagemaker.bucket,
            "models_prefix": "models",
            "checkpoints_prefix": "checkpoints",
            "packages_prefix": "packages",
            "region": "us-east-1",
            "instance_type": "ml.m5.xlarge",
            "instance_count": 1,
            "spot": False,
            "name": unique("launched"),
            "tags": {"Stack": "scones-local"},
        }
        return TrainingJobConfig(**{**known, **changes})

    return make


def test_our_own_code_goes_with_the_job_to_every_host(make_ground: Any, sagemaker: SageMaker) -> None:
    # GIVEN
    config = make_ground("pytorch-training:2.6", instance_count=2)

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
    [("2.6-cpu-py312", "basic_script_driver"), ("2.6-gpu-py312", "torchrun_driver")],
    ids=["processors", "a process for each GPU"],
)
def test_a_host_s_processes_are_started_by_torchrun_where_it_may_have_several(
    make_ground: Any, sagemaker: SageMaker, tag: str, driver: str
) -> None:
    # WHEN
    name = launch(ALGORITHMS["pytorch"], make_ground(f"pytorch-training:{tag}"), DATA, {"classes": "a,b"}, tag)

    # THEN
    inputs = {
        each["ChannelName"]: each["DataSource"]["S3DataSource"] for each in sagemaker.job(name)["InputDataConfig"]
    }
    assert driver in sagemaker.get(f"{inputs['sm_drivers']['S3Uri'].rstrip('/')}/sm_train.sh").decode()


def test_the_built_in_algorithm_brings_its_own_code(make_ground: Any, sagemaker: SageMaker) -> None:
    # GIVEN
    config = make_ground("image-classification:1", instance_type="ml.g4dn.xlarge")
    algorithm = ALGORITHMS["image-classification"]
    data = replace(DATA, shards=1)
    settled = algorithm.complete_hyperparameters({}, data)

    # WHEN
    job = sagemaker.job(launch(algorithm, config, data, settled, "same"))

    # THEN
    inputs = {each["ChannelName"]: each["ContentType"] for each in job["InputDataConfig"]}
    assert inputs == dict.fromkeys(("train", "validation"), "application/x-recordio")
    assert job["HyperParameters"] == settled
    assert job["CheckpointConfig"]["S3Uri"] == f"s3://{sagemaker.bucket}/checkpoints/same"


def test_a_refusal_is_one_line(make_ground: Any) -> None:
    # GIVEN a role that is not there
    config = make_ground("pytorch-training:2.6", name="no name for a job_")

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
    """Drawn images of two classes, staged as `make stage` does it."""
    for split, count in (("train", 24), ("validation", 8)):
        draw_split(tmp_path / split, count, seed=count)
        for path in (tmp_path / split).iterdir():
            sagemaker.put(f"{split}/{path.name}", path.read_bytes())
        sagemaker.put(f"{split}.lst", (tmp_path / f"{split}_lst" / f"{split}.lst").read_bytes())


@pytest.mark.usefixtures("_staged")
def test_two_hosts_train_the_model_that_one_trains(make_ground: Any, sagemaker: SageMaker) -> None:
    # WHEN
    losses = []
    for hosts in (1, 2):
        config = make_ground("pytorch-training:2.6", instance_count=hosts)
        name = launch(
            ALGORITHMS["pytorch"], config, STAGED, {**SCRATCH, "pretrained": "1", "epochs": "3"}, f"{hosts} hosts"
        )
        job = sagemaker.trained(name)
        assert job["TrainingJobStatus"] == "Completed", sagemaker.log(GROUP, name)
        output = job["ModelArtifacts"]["S3ModelArtifacts"].replace("model.tar.gz", "output.tar.gz")
        losses.append([epoch["validation_loss"] for epoch in sagemaker.read(output, "metrics.json")["epochs"]])

    # THEN
    assert len(losses[0]) == 3
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_shards_are_dealt_to_two_hosts_that_train_one_model(
    make_ground: Any, sagemaker: SageMaker, tmp_path: Path
) -> None:
    # GIVEN 26 rows in shards of 8, 9 and 9, and as many to validate on
    draw_split(tmp_path / "drawn", 26, seed=1)
    records = [Record(row, row % 2, (tmp_path / "drawn" / f"image_{row}.png").read_bytes()) for row in range(26)]
    for split, most in (("train", 9), ("validation", 26)):
        (tmp_path / split).mkdir()
        for path in write_shards(tmp_path / split, records, count=26, shard_records=most):
            sagemaker.put(f"{split}/{path.name}", path.read_bytes())
    data = replace(STAGED, training_images=26, validation_images=26, data_format="recordio", shards=3)

    # WHEN
    config = make_ground("pytorch-training:2.6", instance_count=2)
    name = launch(ALGORITHMS["pytorch"], config, data, {**SCRATCH, "epochs": "2"}, "shards")
    job = sagemaker.trained(name)

    # THEN one host has the first shard and the third, the other the second, whose rows are as many as both take
    assert job["TrainingJobStatus"] == "Completed", sagemaker.log(GROUP, name)
    assert any(
        '"training_images": 17, "validation_images": 26, "processes": 2' in line for line in sagemaker.log(GROUP, name)
    )
    output = job["ModelArtifacts"]["S3ModelArtifacts"].replace("model.tar.gz", "output.tar.gz")
    measured = sagemaker.read(output, "metrics.json")
    assert measured["images_per_second"] * measured["seconds"] == pytest.approx(2 * 9 * 2)
    assert measured["validation"]["n"] == 26


@pytest.mark.usefixtures("_staged")
def test_a_job_that_was_killed_is_gone_on_with(make_ground: Any, sagemaker: SageMaker) -> None:
    # GIVEN a job that ends in the middle
    config = make_ground("pytorch-training:2.6")
    settings = {**SCRATCH, "epochs": "60"}
    first = launch(ALGORITHMS["pytorch"], config, STAGED, settings, "same model")
    eventually(lambda: any('"epoch": 3, "epochs": 60' in line for line in sagemaker.log(GROUP, first)), seconds=60)
    sagemaker.client.stop_training_job(TrainingJobName=first)
    assert sagemaker.trained(first)["TrainingJobStatus"] == "Stopped"

    # WHEN
    second = launch(ALGORITHMS["pytorch"], config, STAGED, settings, "same model")

    # THEN it trains what is left
    assert sagemaker.trained(second)["TrainingJobStatus"] == "Completed"
    log = sagemaker.log(GROUP, second)
    assert any('"event": "resumed"' in line for line in log)
    assert not any('"epoch": 1, "epochs": 60' in line for line in log)
    assert any('"epoch": 60, "epochs": 60' in line for line in log)


@pytest.mark.usefixtures("_staged")
def test_a_job_without_a_network_brings_its_packages_and_leaves_them_with_its_model(
    make_ground: Any, sagemaker: SageMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(write_wheels(tmp_path / "index")))
    packages.upload(tmp_path / "packages", sagemaker.bucket, "packages", s3=sagemaker.s3)
    config = make_ground("pytorch-training:2.6", network=Network(("subnet-1",), ("sg-1",)))

    # WHEN
    name = launch(ALGORITHMS["pytorch"], config, STAGED, {**SCRATCH, "epochs": "1"}, "isolated")
    job = sagemaker.trained(name)

    # THEN
    assert job["TrainingJobStatus"] == "Completed", sagemaker.log(GROUP, name)
    assert job["EnableNetworkIsolation"] is True
    assert job["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert job["Environment"]["PIP_NO_INDEX"] == "1"
    model = sagemaker.get(job["ModelArtifacts"]["S3ModelArtifacts"])
    with tarfile.open(fileobj=io.BytesIO(model)) as archive:
        wheels = [name for name in archive.getnames() if name.endswith(".whl")]
    assert any("code/packages/onnxruntime-" in name for name in wheels)
    assert not any("onnxscript" in name for name in wheels)
