"""A job of the container, from its configuration to its model or its reason."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from sagelocal.containers.image_classification import log, model, train

from .data import RECORD_CHANNELS, Job, image_record, png, put, put_images

PREFIX = re.compile(r"\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d INFO \d+\] ")


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Each job begins its own log."""
    log.logger.handlers.clear()


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The log without its prefixes, which all lines have."""
    printed = capsys.readouterr().out.splitlines()
    assert printed
    assert all(PREFIX.match(line) for line in printed)
    return [PREFIX.sub("", line) for line in printed]


def test_a_job_leaves_its_best_epoch(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    # WHEN
    status = train.run()
    # THEN
    assert status == 0
    stored = [line for line in lines(capsys) if line.startswith("Saved checkpoint")]
    last = re.search(r"image-classification-\d{4}\.pt", stored[-1])
    assert last is not None
    assert job.kept == [last[0], "model-shapes.json"]
    shapes = json.loads((job.root / "model" / "model-shapes.json").read_text())
    assert shapes == [{"name": "data", "shape": [4, 3, 16, 16]}]


def test_a_job_leaves_the_epochs_that_it_is_told_to(job: Job) -> None:
    # GIVEN
    job.configure(given={"epochs": "5", "checkpoint_frequency": "2"})
    # WHEN
    status = train.run()
    # THEN
    assert status == 0
    assert job.kept == ["image-classification-0002.pt", "image-classification-0004.pt", "model-shapes.json"]


def weights(job: Job) -> dict[str, dict[str, torch.Tensor]]:
    """Of each epoch that a job left."""
    return {path.name: torch.load(path, weights_only=True)["weights"] for path in model.kept(job.root / "model")}


@pytest.mark.parametrize("given", [{}, {"checkpoint_frequency": "1"}], ids=["the best epoch", "every epoch"])
def test_a_job_that_was_interrupted_goes_on_to_the_same_model(
    job: Job, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a job that runs through, and one that is interrupted in its third epoch, on an instance that is gone then
    given = {**given, "epochs": "4", "augmentation_type": "crop", "lr_scheduler_step": "1"}
    job.configure(given=given)
    assert train.run() == 0
    whole = weights(job)
    (tmp_path / "again").mkdir()
    other = Job(tmp_path / "again", monkeypatch)
    (other.root / "checkpoints").mkdir()
    other.configure(given=given)
    with monkeypatch.context() as patched:
        patched.setattr(log, "trained", interrupt)
        assert train.run() == train.ALGORITHM
    for path in (other.root / "model").iterdir():
        path.unlink()
    capsys.readouterr()

    # WHEN
    log.logger.handlers.clear()
    assert train.run() == 0

    # THEN
    found = lines(capsys)
    assert "Resuming from checkpoint after epoch 1" in found
    assert [line[:8] for line in found if "Time cost" in line] == ["Epoch[2]", "Epoch[3]"]
    again = weights(other)
    assert again.keys() == whole.keys()
    for name, tensors in whole.items():
        assert all(torch.equal(again[name][key], tensor) for key, tensor in tensors.items())


def interrupt(epoch: int, *_: object) -> None:
    if epoch == 2:
        raise RuntimeError("the instance is taken away")


def test_a_checkpoint_of_other_hyperparameters_is_not_used(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN
    (job.root / "checkpoints").mkdir()
    assert train.run() == 0
    job.configure(given={"learning_rate": "0.01"})
    capsys.readouterr()

    # WHEN
    log.logger.handlers.clear()
    assert train.run() == 0

    # THEN
    assert len([line for line in lines(capsys) if "Time cost" in line]) == 2


def test_a_job_trains_on_recordio(job: Job) -> None:
    # GIVEN
    job.configure(channels=RECORD_CHANNELS)
    records = [image_record(row % 2, png(row % 2), row=row) for row in range(8)]
    put(job.root / "data" / "train" / "train-00000.rec", b"".join(records))
    put(job.root / "data" / "validation" / "validation-00000.rec", b"".join(records[:4]))
    # WHEN / THEN
    assert train.run() == 0
    assert "model-shapes.json" in job.kept


def test_the_log_is_as_aws_s(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN batches enough for a line within an epoch
    put_images(job.root / "data", "train", 84)
    job.configure(given={"num_training_samples": "84", "top_k": "2", "augmentation_type": "crop"})
    # WHEN
    train.run()
    # THEN
    found = lines(capsys)
    assert found[found.index("---- Parameters ----") + 1] == "num_layers: 20"
    for line in ("momentum: 0.9", "image_shape: 3,16,16", "augmentation_type: crop", "kv_store: device", "top_k: 2"):
        assert line in found
    assert "checkpoint_frequency not set, will store the best model" in found
    epochs = [line for line in found if line.startswith("Epoch[0]")]
    number = r"[01]\.\d{6}"
    for line, form in zip(
        epochs,
        (
            rf"Epoch\[0\] Batch \[20\]\tSpeed: \d+\.\d\d samples/sec\taccuracy={number}\ttop_k_accuracy_2=1\.000000",
            rf"Epoch\[0\] Train-accuracy={number}",
            r"Epoch\[0\] Train-top_k_accuracy_2=1\.000000",
            r"Epoch\[0\] Time cost=\d+\.\d{3}",
            rf"Epoch\[0\] Validation-accuracy={number}",
        ),
        strict=True,
    ):
        assert re.fullmatch(form, line), line


@pytest.mark.parametrize("instance_type", ["ml.p2.xlarge", "ml.p3.2xlarge", "ml.g4dn.xlarge", "ml.g5.xlarge"])
def test_it_trains_where_there_is_a_gpu(instance_type: str) -> None:
    train.check_instance(instance_type)


@pytest.mark.parametrize("instance_type", ["ml.m5.large", "ml.c5.xlarge", "ml.g6.xlarge", "ml.p4d.24xlarge", "g5"])
def test_it_trains_nowhere_else(job: Job, instance_type: str) -> None:
    # GIVEN
    job.configure(instance_type=instance_type)
    # WHEN / THEN
    assert train.run() == train.CUSTOMER
    assert job.failure.startswith(
        f"ClientError: Instance type {instance_type} is not supported by algorithm image-classification; only GPU"
    )
    assert job.kept == []


def test_hyperparameters_are_refused_before_any_data_is_read(job: Job) -> None:
    # GIVEN data that is broken, too
    put(job.root / "data" / "train" / "0.png", b"")
    job.configure(given={"learning_rate": "2", "epochs": "1"})
    # WHEN / THEN
    assert train.run() == train.CUSTOMER
    assert job.failure == (
        "ClientError: The value '2' is not valid for the 'learning_rate' hyperparameter which expects a number "
        "between 0 and 1"
    )


def test_data_is_refused_before_anything_is_trained(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN
    put(job.root / "data" / "validation" / "0.png", b"")
    # WHEN / THEN
    assert train.run() == train.CUSTOMER
    assert job.failure.startswith("ClientError: 0.png in the validation channel is broken")
    assert "Customer Error: 0.png in the validation" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"given": {"num_layers": "18", "image_shape": "3,224,224", "use_pretrained_model": "1"}}, "weights for use_"),
        ({"given": {"multi_label": "1"}}, "multi_label=1"),
        ({"hosts": 2}, "training on more than one instance"),
    ],
    ids=["pretrained", "multi label", "hosts"],
)
def test_what_aws_alone_can_do_is_the_emulator_s_lack(job: Job, config: dict[str, object], reason: str) -> None:
    # GIVEN
    job.configure(**config)  # type: ignore[arg-type]
    # WHEN / THEN
    assert train.run() == train.ALGORITHM
    assert job.failure.startswith(f"the emulator's stand-in for image-classification has no {reason}")
    assert "\n" not in job.failure


def test_a_job_that_is_refused_does_not_wait_for_pytorch(job: Job) -> None:
    # GIVEN
    job.configure(instance_type="ml.m5.large")
    program = (
        "import sys; from sagelocal.containers.image_classification import train; "
        "status = train.run(); sys.exit(status if 'torch' not in sys.modules else 99)"
    )
    # WHEN / THEN
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert ended.returncode == train.CUSTOMER, ended.stderr
