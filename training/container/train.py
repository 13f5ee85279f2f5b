"""Train a classifier inside a SageMaker training job.

Reads the channels train, validation, train_lst and validation_lst; writes model.onnx, model.json and code/ to the
model directory, and metrics.json and validation.csv to the output directory.
"""

import os

# a thread that waits by spinning costs everything else on a small machine; read when torch is imported
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import csv
import json
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from calibrate import temperature
from data import Split, read_split
from errors import InputError
from export import export
from fit import Epoch, fit, predict
from networks import Probabilities, make_network
from settings import Settings, parse

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Do the job, or leave one line that says why not."""
    try:
        train(parse(json.loads(os.environ.get("SM_HPS", "{}"))))
    except InputError as error:
        folder = Path(os.environ.get("SM_OUTPUT_DIR", "/opt/ml/output"))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "failure").write_text(str(error))
        sys.exit(f"error: {error}")


def train(settings: Settings) -> None:
    """Train, calibrate, export, and write down how it went."""
    torch.manual_seed(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train_split, validation = (channel(name, settings) for name in ("train", "validation"))
    if train_split.images.shape[1:] != validation.images.shape[1:]:
        raise InputError("the images of train and validation differ in size")
    print(
        f"{len(train_split.labels)} images to train on, {len(validation.labels)} to validate on, {device}", flush=True
    )
    network = make_network(classes=len(settings.classes), pretrained=bool(settings.pretrained)).to(device)
    epochs: list[Epoch] = []

    def report(epoch: Epoch) -> None:
        epochs.append(epoch)
        print(
            f"epoch={epoch.epoch + 1}/{settings.epochs} train_accuracy={epoch.train_accuracy:.4f} "
            f"train_loss={epoch.train_loss:.4f} validation_accuracy={epoch.validation_accuracy:.4f} "
            f"validation_loss={epoch.validation_loss:.4f} seconds={epoch.seconds:.2f}",
            flush=True,
        )

    begun = time.perf_counter()
    fit(network, train_split, validation, settings, report)
    seconds = time.perf_counter() - begun
    logits = predict(network, validation)
    divisor = temperature(logits, torch.from_numpy(validation.labels))
    served = Probabilities(network, divisor)
    write_model(served, validation, settings)
    write_metrics(validation, (logits / divisor).softmax(1), epochs, seconds, len(train_split.labels))


def channel(name: str, settings: Settings) -> Split:
    """The images and manifest of one split."""
    folders = [os.environ.get(f"SM_CHANNEL_{each.upper()}") for each in (name, f"{name}_lst")]
    if not all(folders):
        raise InputError(f"the job needs the channels {name} and {name}_lst")
    images, manifests = (Path(str(folder)) for folder in folders)
    return read_split(images, manifests, len(settings.classes))


def write_model(network: Probabilities, validation: Split, settings: Settings) -> None:
    """The model directory: one network, its description, the code that serves it."""
    folder = Path(os.environ["SM_MODEL_DIR"])
    code = folder / "code"
    code.mkdir(parents=True, exist_ok=True)
    export(network, validation, folder / "model.onnx")
    height, width = validation.images.shape[1:3]
    description = {
        "classes": settings.classes,
        "input": {"height": height, "width": width, "channels": "RGB", "type": "uint8"},
        "temperature": network.temperature,
        "hyperparameters": asdict(settings),
    }
    (folder / "model.json").write_text(json.dumps(description, indent=2))
    shutil.copy(HERE / "inference.py", code)
    shutil.copy(HERE / "serving" / "requirements.txt", code)


def write_metrics(
    validation: Split, probabilities: torch.Tensor, epochs: list[Epoch], seconds: float, rows: int
) -> None:
    """The output directory: figures, and each validation row's answer."""
    folder = Path(os.environ["SM_OUTPUT_DATA_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    right = int((probabilities.argmax(1).numpy() == validation.labels).sum())
    metrics: dict[str, Any] = {
        "validation": {"n": len(validation.labels), "correct": right, "accuracy": right / len(validation.labels)},
        "epochs": [asdict(epoch) for epoch in epochs],
        "seconds": seconds,
        "images_per_second": rows * len(epochs) / seconds,
    }
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2))
    with (folder / "validation.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        for name, label, row in zip(validation.names, validation.labels, probabilities.tolist(), strict=True):
            writer.writerow([name, int(label), *(f"{each:.6f}" for each in row)])


if __name__ == "__main__":
    main()
