"""Training jobs: models, checkpoints, logs, and error messages for invalid configurations."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sagelocal.containers.image_classification import model_files, train, training_log

from .examples import RECORD_CHANNELS, Job, image_record, png, write, write_images

PREFIX = re.compile(r"\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d INFO \d+\] ")


@pytest.fixture(autouse=True)
def reset_log() -> None:
    """Remove the log handlers of earlier tests."""
    training_log.logger.handlers.clear()


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the printed log lines without their prefixes; fail if a line has no prefix."""
    printed = capsys.readouterr().out.splitlines()
    assert printed
    assert all(PREFIX.match(line) for line in printed)
    return [PREFIX.sub("", line) for line in printed]


def test_model_contains_only_the_best_epoch(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    # WHEN
    status = train.run()
    # THEN the model contains the last epoch that was saved as the best so far
    assert status == 0
    stored = [line for line in log_lines(capsys) if line.startswith("Saved checkpoint")]
    last = re.search(r"image-classification-\d{4}\.pt", stored[-1])
    assert last is not None
    assert job.model_files == [last[0], "model-shapes.json"]
    shapes = json.loads((job.root / "model" / "model-shapes.json").read_text())
    assert shapes == [{"name": "data", "shape": [4, 3, 16, 16]}]


def test_model_contains_the_epochs_that_checkpoint_frequency_selects(job: Job) -> None:
    # GIVEN
    job.configure(given={"epochs": "5", "checkpoint_frequency": "2"})
    # WHEN
    status = train.run()
    # THEN
    assert status == 0
    assert job.model_files == ["image-classification-0002.pt", "image-classification-0004.pt", "model-shapes.json"]


def weights(job: Job) -> dict[str, dict[str, torch.Tensor]]:
    """Return the weights of each epoch in a job's model, by file name."""
    return {
        path.name: torch.load(path, weights_only=True)["weights"]
        for path in model_files.weight_files(job.root / "model")
    }


@pytest.mark.parametrize("given", [{}, {"checkpoint_frequency": "1"}], ids=["the best epoch", "every epoch"])
def test_interrupted_job_resumes_and_produces_the_same_model(
    job: Job, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN an uninterrupted job, and a second job that is interrupted in its third epoch and loses its model files
    given = {**given, "epochs": "4", "augmentation_type": "crop", "lr_scheduler_step": "1"}
    job.configure(given=given)
    assert train.run() == 0
    uninterrupted = weights(job)
    (tmp_path / "again").mkdir()
    second = Job(tmp_path / "again", monkeypatch)
    (second.root / "checkpoints").mkdir()
    second.configure(given=given)
    with monkeypatch.context() as patched:
        patched.setattr(training_log, "log_training", interrupt)
        assert train.run() == train.ALGORITHM_ERROR
    for path in (second.root / "model").iterdir():
        path.unlink()
    capsys.readouterr()

    # WHEN
    training_log.logger.handlers.clear()
    assert train.run() == 0

    # THEN it continues after its second epoch, and its weights are those of the uninterrupted job
    found = log_lines(capsys)
    assert "Resuming from checkpoint after epoch 1" in found
    assert [line[:8] for line in found if "Time cost" in line] == ["Epoch[2]", "Epoch[3]"]
    resumed = weights(second)
    assert resumed.keys() == uninterrupted.keys()
    for name, tensors in uninterrupted.items():
        assert all(torch.equal(resumed[name][key], tensor) for key, tensor in tensors.items())


def interrupt(epoch: int, *_: object) -> None:
    """Raise an error in the third epoch."""
    if epoch == 2:
        raise RuntimeError("the instance was interrupted")


def test_checkpoint_with_other_hyperparameters_is_ignored(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN
    (job.root / "checkpoints").mkdir()
    assert train.run() == 0
    job.configure(given={"learning_rate": "0.01"})
    capsys.readouterr()

    # WHEN
    training_log.logger.handlers.clear()
    assert train.run() == 0

    # THEN the job trains both epochs again
    assert len([line for line in log_lines(capsys) if "Time cost" in line]) == 2


def test_job_trains_on_recordio_files(job: Job) -> None:
    # GIVEN
    job.configure(channels=RECORD_CHANNELS)
    records = [image_record(row % 2, png(row % 2), row=row) for row in range(8)]
    write(job.root / "data" / "train" / "train-00000.rec", b"".join(records))
    write(job.root / "data" / "validation" / "validation-00000.rec", b"".join(records[:4]))
    # WHEN / THEN
    assert train.run() == 0
    assert "model-shapes.json" in job.model_files


def test_log_has_the_format_of_aws(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN so many batches that a line is logged during an epoch
    write_images(job.root / "data", "train", 84)
    job.configure(given={"num_training_samples": "84", "top_k": "2", "augmentation_type": "crop"})
    # WHEN
    train.run()
    # THEN
    found = log_lines(capsys)
    assert found[found.index("---- Parameters ----") + 1] == "num_layers: 20"
    for line in ("momentum: 0.9", "image_shape: 3,16,16", "augmentation_type: crop", "kv_store: device", "top_k: 2"):
        assert line in found
    assert "checkpoint_frequency not set, will store the best model" in found
    epochs = [line for line in found if line.startswith("Epoch[0]")]
    number = r"[01]\.\d{6}"
    for line, pattern in zip(
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
        assert re.fullmatch(pattern, line), line


@pytest.mark.parametrize("instance_type", ["ml.p2.xlarge", "ml.p3.2xlarge", "ml.g4dn.xlarge", "ml.g5.xlarge"])
def test_gpu_instance_is_accepted(instance_type: str) -> None:
    train.check_instance(instance_type)


@pytest.mark.parametrize("instance_type", ["ml.m5.large", "ml.c5.xlarge", "ml.g6.xlarge", "ml.p4d.24xlarge", "g5"])
def test_instance_type_that_aws_does_not_support_is_refused(job: Job, instance_type: str) -> None:
    # GIVEN
    job.configure(instance_type=instance_type)
    # WHEN / THEN
    assert train.run() == train.CUSTOMER_ERROR
    assert job.failure.startswith(
        f"ClientError: Instance type {instance_type} is not supported by algorithm image-classification; only GPU"
    )
    assert job.model_files == []


def test_hyperparameters_are_checked_before_the_data(job: Job) -> None:
    # GIVEN a broken image and an invalid hyperparameter
    write(job.root / "data" / "train" / "0.png", b"")
    job.configure(given={"learning_rate": "2", "epochs": "1"})
    # WHEN / THEN
    assert train.run() == train.CUSTOMER_ERROR
    assert job.failure == (
        "ClientError: The value '2' is not valid for the 'learning_rate' hyperparameter which expects a number "
        "between 0 and 1"
    )


def test_all_data_is_checked_before_training(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN
    write(job.root / "data" / "validation" / "0.png", b"")
    # WHEN / THEN
    assert train.run() == train.CUSTOMER_ERROR
    assert job.failure.startswith("ClientError: 0.png in the validation channel is broken")
    assert "Customer Error: 0.png in the validation" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            {"given": {"num_layers": "18", "image_shape": "3,224,224", "use_pretrained_model": "1"}},
            "pretrained weights (use_pretrained_model=1)",
        ),
        ({"given": {"multi_label": "1"}}, "multi_label=1"),
        ({"hosts": 2}, "training on more than one instance"),
    ],
    ids=["pretrained", "multi label", "hosts"],
)
def test_feature_that_only_aws_supports_fails_with_an_algorithm_error(
    job: Job, config: dict[str, object], reason: str
) -> None:
    # GIVEN
    job.configure(**config)  # type: ignore[arg-type]
    # WHEN / THEN
    assert train.run() == train.ALGORITHM_ERROR
    assert job.failure.startswith(f"the emulator's image-classification does not support {reason}")
    assert "\n" not in job.failure


def test_refused_job_does_not_import_torch(job: Job) -> None:
    # GIVEN
    job.configure(instance_type="ml.m5.large")
    program = (
        "import sys; from sagelocal.containers.image_classification import train; "
        "status = train.run(); sys.exit(status if 'torch' not in sys.modules else 99)"
    )
    # WHEN / THEN
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert ended.returncode == train.CUSTOMER_ERROR, ended.stderr
