"""The training job: its model and output files, its log, and its errors."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.unit.container.jobs import CONTAINER, SETTINGS, Job, draw_job, draw_split, names, pack, write_manifest
from training.algorithms import PyTorch
from training.container.classifier import checkpoint
from training.container.classifier.baseline import describe, read_baseline
from training.container.classifier.data import read_channel
from training.container.classifier.embedding import DIMENSIONS
from training.container.classifier.errors import InputError


def test_model_predicts_batches_of_any_size(trained: Job) -> None:
    # GIVEN
    session = onnxruntime.InferenceSession(trained.model / "model.onnx")

    # WHEN
    names = ["probabilities", "embedding"]
    outputs = {n: session.run(names, {"images": np.zeros((n, 32, 32, 3), np.uint8)}) for n in (1, 3)}

    # THEN
    for n, (probabilities, embedding) in outputs.items():
        assert probabilities.shape == (n, 2)
        assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
        assert embedding.shape == (n, DIMENSIONS)


@pytest.mark.parametrize(("pretrained", "size"), [(0, 48), (0, 24), (1, 128)])
def test_model_accepts_the_image_size_of_its_training(job: Job, pretrained: int, size: int) -> None:
    # WHEN
    job.run(classes="light,dark", pretrained=pretrained, epochs=1, batch_size=2, image_size=size)

    # THEN
    session = onnxruntime.InferenceSession(job.model / "model.onnx")
    for n in (1, 3):
        probabilities, embedding = session.run(None, {"images": np.zeros((n, size, size, 3), np.uint8)})
        assert probabilities.shape == (n, 2)
        assert embedding.shape == (n, DIMENSIONS)


def test_model_folder_contains_the_description_and_the_serving_code(trained: Job) -> None:
    # WHEN
    description = json.loads((trained.model / "model.json").read_text())

    # THEN
    assert description["classes"] == ["light", "dark"]
    assert description["input"]["size"] == 32
    assert description["temperature"] > 0
    assert description["hyperparameters"]["epochs"] == 1
    code = trained.model / "code"
    for name in (
        "inference.py",
        "drift.py",
        "classifier/serving.py",
        "classifier/images.py",
        "classifier/drift_job.py",
    ):
        assert (code / name).read_bytes() == (CONTAINER / name).read_bytes()
    assert "onnxruntime" in (code / "requirements.txt").read_text()
    assert {path.name for path in trained.model.iterdir()} == {"code", "model.json", "model.onnx", "baseline.json"}


def test_baseline_describes_the_validation_images_except_reviewed_ones(trained: Job) -> None:
    # GIVEN the validation images, without the image that people reviewed in production
    session = onnxruntime.InferenceSession(trained.model / "model.onnx")
    environment = trained.environment()
    validation = read_channel("validation", classes=2, size=32, environment=environment)
    reviewed = validation.names.index("live-1.png")
    unreviewed = np.delete(validation.images, reviewed, axis=0)

    # WHEN
    baseline = read_baseline(trained.model / "baseline.json", classes=2)

    # THEN
    probabilities, embeddings = session.run(["probabilities", "embedding"], {"images": unreviewed})
    expected = describe(probabilities, unreviewed, embeddings)
    assert baseline.predicted.tolist() == expected.predicted.tolist()
    np.testing.assert_allclose(baseline.embeddings, embeddings, atol=1e-2)
    for name, values in expected.statistics.items():
        np.testing.assert_allclose(baseline.statistics[name], values, atol=1e-3)
    assert (trained.output / "baseline.json").read_bytes() == (trained.model / "baseline.json").read_bytes()


def test_drift_job_imports_all_its_modules_from_the_model_folder(trained: Job) -> None:
    # WHEN
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "ENVIRONMENT")}
    completed = subprocess.run(
        [sys.executable, "code/drift.py"], cwd=trained.model, env=environment, capture_output=True, text=True
    )

    # THEN the process fails only when it reads its settings, after all imports
    assert completed.stderr.splitlines()[-1].startswith("KeyError:")


def test_metrics_equal_those_computed_from_the_validation_predictions(trained: Job) -> None:
    # GIVEN
    with trained.predictions.open() as stream:
        predictions = list(csv.reader(stream))

    # WHEN
    measured = trained.metrics

    # THEN
    correct = sum((float(light) < float(dark)) == (label == "1") for _, label, light, dark in predictions)
    assert len(predictions) == measured["validation"]["n"] == 12
    assert measured["validation"]["correct"] == correct
    assert measured["validation"]["accuracy"] == correct / 12
    assert len(measured["epochs"]) == 1
    assert measured["epochs"][-1]["validation_accuracy"] == measured["validation"]["accuracy"]
    assert measured["seconds"] > measured["epochs"][-1]["seconds"]  # includes the time to fit the patch classifier


@pytest.mark.usefixtures("_no_export")
def test_second_job_with_the_same_seed_gives_the_same_predictions(trained: Job, tmp_path: Path) -> None:
    # GIVEN a second job on the same images
    again = draw_job(tmp_path)

    # WHEN
    again.run(**SETTINGS)

    # THEN
    assert again.predictions.read_bytes() == trained.predictions.read_bytes()


def test_each_metric_definition_matches_one_number_per_epoch_in_the_log(trained: Job) -> None:
    log = (trained.folder / "log").read_text()

    for name, expression in PyTorch.metrics.items():
        found = re.findall(expression, log)
        assert len(found) == 1, name
        float(found[0])


def remove_image(job: Job) -> None:
    (job.folder / "train" / "image_1.png").unlink()


def break_image(job: Job) -> None:
    (job.folder / "train" / "image_1.png").write_bytes(b"invalid image")


def empty_manifest(job: Job) -> None:
    write_manifest(job.folder / "train", "")


def add_third_class(job: Job) -> None:
    write_manifest(job.folder / "train", "0\t0\timage_0.png\n1\t2\timage_1.png\n")


def list_path_outside(job: Job) -> None:
    write_manifest(job.folder / "train", "0\t0\t../validation/image_0.png\n")


def remove_manifest_channel(job: Job) -> None:
    (job.folder / "train_lst").rename(job.folder / "elsewhere")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (remove_image, "the manifest lists image_1.png, which is missing from the channel"),
        (break_image, "image_1.png: the image cannot be decoded as PNG or JPEG"),
        (empty_manifest, "train.lst is empty"),
        (add_third_class, "image_1.png of train: label 2 is out of range for 2 classes"),
        (list_path_outside, "../validation/image_0.png is outside the channel: use a path inside it"),
        (remove_manifest_channel, "the job needs the channel train_lst: add it to the job's input"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_error_names_the_invalid_training_data(job: Job, damage: Callable[[Job], None], reason: str) -> None:
    # GIVEN
    damage(job)
    channels = {
        f"SM_CHANNEL_{name.upper()}": str(job.folder / name)
        for name in ("train", "train_lst")
        if (job.folder / name).is_dir()
    }

    # WHEN / THEN
    with pytest.raises(InputError, match=re.escape(reason)) as caught:
        read_channel("train", classes=2, size=32, environment=channels)
    assert "\n" not in str(caught.value)


def test_job_with_too_few_images_fails_before_the_first_epoch(tmp_path: Path) -> None:
    # GIVEN a job with one training image
    job = draw_job(tmp_path, train=1, validation=4)

    # WHEN
    events = job.fail(classes="light,dark", pretrained=0, epochs=1)

    # THEN
    assert job.failure.startswith("1 training images in batches of 64 are too few for 1 processes")
    assert names(events) == ["data", "error"]


def test_failed_job_writes_the_failure_reason_and_no_model(job: Job) -> None:
    # WHEN
    events = job.fail(classes="light,dark", epoch=3)

    # THEN
    assert job.failure.startswith("hyperparameter epoch is unknown")
    assert "\n" not in job.failure
    assert events == [{"event": "error", "message": job.failure}]
    assert not job.model.exists()


@pytest.mark.usefixtures("_no_export")
def test_network_from_scratch_is_first_trained_on_the_pretrain_channel(job: Job) -> None:
    # GIVEN
    draw_split(job.folder / "pretrain", 40, seed=5)
    pack(job.folder / "pretrain")

    # WHEN
    events = job.run(classes="light,dark", pretrained=0, pretrain_epochs=2, epochs=1, batch_size=4)

    # THEN
    assert {"event": "pretraining_data", "images": 40, "classes": 2} in events
    logged = [name for name in names(events) if name.endswith("epoch")]
    assert logged == ["pretraining_epoch", "pretraining_epoch", "epoch"]
    assert (job.model / "model.json").is_file()


def test_pretraining_without_the_pretrain_channel_fails(job: Job) -> None:
    job.fail(classes="light,dark", pretrained=0, pretrain_epochs=2, epochs=1, batch_size=4)

    assert job.failure == "the job needs the channel pretrain: add it to the job's input"


@pytest.mark.usefixtures("_no_export")
def test_interrupted_job_resumes_with_the_same_predictions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN the predictions of a job that is not interrupted
    settings: dict[str, Any] = {**SETTINGS, "epochs": 4}
    whole, interrupted = draw_job(tmp_path / "whole"), draw_job(tmp_path / "interrupted")
    whole.run(**settings)
    interrupted.checkpoints.mkdir()

    # WHEN a second job on the same images is interrupted after its second checkpoint, and runs again
    save, saved = checkpoint.save, []

    def save_and_interrupt_second(*arguments: Any) -> None:
        save(*arguments)
        saved.append(arguments)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", save_and_interrupt_second)
    with pytest.raises(KeyboardInterrupt):
        interrupted.run(**settings)
    monkeypatch.setattr(checkpoint, "save", save)
    events = interrupted.run(**settings)

    # THEN the second run trains only the remaining two epochs
    assert names(events) == ["data", "resumed", "epoch", "epoch"]
    assert events[1] == {"event": "resumed", "epochs": 2}
    assert interrupted.predictions.read_bytes() == whole.predictions.read_bytes()
    assert len(interrupted.metrics["epochs"]) == 4
