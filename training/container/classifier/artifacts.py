"""Write the files that a training job produces.

The model directory, which becomes model.tar.gz, contains the network `model.onnx`, its description `model.json`, and in
`code/` the code of the endpoint and of the drift job. The output directory, which becomes output.tar.gz, contains
`metrics.json` and the predictions on the validation images, `validation.csv`. Both directories contain the model's
baseline for drift, `baseline.json`.
"""

import csv
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .baseline import Sample, describe, write_baseline
from .calibration import cross_fitted, expected_calibration_error, fit_temperature
from .data import Split
from .embedding import EmbeddingNetwork
from .export import export
from .file_names import is_live
from .networks import CalibratedNetwork
from .settings import Settings
from .trainer import Trainer, predict

PACKAGE = Path(__file__).resolve().parent
SCRIPTS = ("inference.py", "drift.py")  # entry points of the endpoint and of the drift job
MODULES = (
    *("__init__.py", "serving.py", "images.py", "onnx_session.py"),
    *("drift_job.py", "window_sample.py", "captured_records.py"),
    *("drift.py", "baseline.py", "image_statistics.py", "two_sample_tests.py"),
)


def write_artifacts(trainer: Trainer, validation: Split, settings: Settings) -> None:
    """Calibrate the trained network on the validation split, and write the model and output directories."""
    logits = predict(trainer.network, validation)
    labels = torch.from_numpy(validation.labels)
    temperature = fit_temperature(logits, labels)
    probabilities = (logits / temperature).softmax(1)
    calibration = {
        "temperature": temperature,
        "ece_before": expected_calibration_error(logits.softmax(1), labels),
        "ece_after": expected_calibration_error(cross_fitted(logits, labels), labels),
    }
    network = EmbeddingNetwork(CalibratedNetwork(trainer.network, temperature), trainer.images)
    write_model(network, validation, settings)
    write_output(validation, probabilities, trainer, calibration)
    write_baseline(describe_source(network, validation, probabilities), model_directory(), output_directory())


def describe_source(network: EmbeddingNetwork, validation: Split, probabilities: Tensor) -> Sample:
    """Return the baseline: the properties of all validation images except reviewed images of live traffic.

    The reviewed images are left out, because they are not a random sample of the live traffic.
    """
    is_source = np.array([not is_live(name) for name in validation.names])
    images = validation.images[is_source]
    return describe(probabilities.numpy()[is_source], images, network.embed(torch.from_numpy(images)).numpy())


def model_directory() -> Path:
    """Return the directory that becomes model.tar.gz."""
    return Path(os.environ["SM_MODEL_DIR"])


def output_directory() -> Path:
    """Return the directory that becomes output.tar.gz."""
    return Path(os.environ["SM_OUTPUT_DATA_DIR"])


def write_model(network: EmbeddingNetwork, validation: Split, settings: Settings) -> None:
    """Write the network, its description and the serving code into the model directory."""
    folder = model_directory()
    folder.mkdir(parents=True, exist_ok=True)
    export(network, validation, folder / "model.onnx")
    description = {
        "classes": settings.classes,
        "input": {"size": settings.image_size, "channels": "RGB", "type": "uint8"},
        "temperature": network.calibrated.temperature,
        "hyperparameters": asdict(settings),
    }
    (folder / "model.json").write_text(json.dumps(description, indent=2))
    copy_serving_code(folder / "code")


def copy_serving_code(code: Path) -> None:
    """Copy the inference container's entry points, modules and requirements to the folder `code`."""
    package = code / PACKAGE.name
    package.mkdir(parents=True, exist_ok=True)
    for name in MODULES:
        shutil.copy(PACKAGE / name, package)
    for name in SCRIPTS:
        shutil.copy(PACKAGE.parent / name, code)
    shutil.copy(PACKAGE.parent / "serving-requirements.txt", code / "requirements.txt")
    if wheels := os.environ.get("SM_CHANNEL_PACKAGES"):  # for an inference container without network access
        shutil.copytree(Path(wheels) / "serving", code / "packages", dirs_exist_ok=True)


def write_output(validation: Split, probabilities: Tensor, trainer: Trainer, calibration: dict[str, float]) -> None:
    """Write the metrics, and each validation image's label and probabilities, into the output directory."""
    folder = output_directory()
    folder.mkdir(parents=True, exist_ok=True)
    epochs = trainer.epochs
    correct = int((probabilities.argmax(1).numpy() == validation.labels).sum())
    metrics: dict[str, Any] = {
        "validation": {"n": len(validation.labels), "correct": correct, "accuracy": correct / len(validation.labels)},
        "calibration": calibration,
        "epochs": [asdict(epoch) for epoch in epochs],
        "seconds": trainer.seconds,
        "images_per_second": trainer.examples_per_epoch * len(epochs) / trainer.seconds,
    }
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2))
    with (folder / "validation.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        for name, label, predicted in zip(validation.names, validation.labels, probabilities.tolist(), strict=True):
            writer.writerow([name, int(label), *(f"{each:.6f}" for each in predicted)])
