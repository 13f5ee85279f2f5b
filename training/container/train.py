"""Train a classifier inside a SageMaker training job.

Reads the channels train and validation (images with their manifests in train_lst and validation_lst, or shards),
pretrain and packages where they are asked for; writes model.onnx, model.json and code/ to the
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
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import checkpoint
import numpy as np
import torch
from calibrate import cross_fitted, expected_calibration_error, temperature
from data import Split, read_channel
from errors import InputError
from export import export
from fit import Epoch, Training, predict, shares
from hosts import Group, join, leave
from networks import Probabilities, ResNet9, Scratch, make_network
from settings import Settings, parse
from torch import Tensor

HERE = Path(__file__).resolve().parent
MOST_CLASSES = 100  # that can be learned from first
HELD_OUT = 20  # of which one row tells how well
SERVED = ("inference.py", "pictures.py")  # the code that goes with the model


def main() -> None:
    """Do the job, or leave one line that says why not."""
    try:
        settings = parse(json.loads(os.environ.get("SM_HPS", "{}")))
        group = join()
        train(settings, group)
        leave(group)
    except InputError as error:
        folder = Path(os.environ.get("SM_OUTPUT_DIR", "/opt/ml/output"))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "failure").write_text(str(error))
        sys.exit(f"error: {error}")


def train(settings: Settings, group: Group) -> None:
    """Train, calibrate, export, and write down how it went."""
    torch.manual_seed(settings.seed)
    # the same seed gives the same model: cuDNN's fastest algorithms add up in any order
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    rows, validation = (
        read_channel(name, classes=len(settings.classes), size=settings.image_size) for name in ("train", "validation")
    )
    if group.sharded:  # its processes part a host's rows among them
        rows = rows.take(np.arange(len(rows.labels)) % group.local_size == group.local_rank)
    say = print if group.leads else silent
    hosts = f", in each of {group.size} processes" if group.size > 1 else ""
    say(
        f"{len(rows.labels)} images to train on{hosts}, {len(validation.labels)} to validate on, {group.device}",
        flush=True,
    )
    network = make_network(classes=len(settings.classes), pretrained=bool(settings.pretrained))
    folder = Path(os.environ.get("SM_CHECKPOINT_DIR", "/opt/ml/checkpoints"))
    # another number of hosts takes another number of steps
    identity = {**asdict(settings), "processes": group.size, "sharded": group.sharded}
    kept = group.share(checkpoint.load(folder, identity) if group.leads else None)
    shares(len(rows.labels), settings, group)  # refused before anything is learned
    begun = time.perf_counter()
    if isinstance(network, Scratch) and not kept:
        prepare(network, rows, settings, group, say)
    training = Training(network.to(group.device), rows, settings, group, time.perf_counter() - begun)
    if kept:
        training.resume(kept)
        say(f"{len(training.epochs)} epochs were trained before, and training goes on", flush=True)

    def report(epoch: Epoch) -> None:
        say(
            f"epoch={epoch.epoch + 1}/{settings.epochs} train_accuracy={epoch.train_accuracy:.4f} "
            f"train_loss={epoch.train_loss:.4f} validation_accuracy={epoch.validation_accuracy:.4f} "
            f"validation_loss={epoch.validation_loss:.4f} seconds={epoch.seconds:.2f}",
            flush=True,
        )

    training.run(validation, report, keeper(folder, identity, group))
    if group.leads:
        write(training, validation, settings)


def prepare(network: Scratch, rows: Split, settings: Settings, group: Group, say: Callable[..., None]) -> None:
    """What a network from nothing learns before its epochs; not kept when the job is killed meanwhile.

    The leading process alone draws patches, from its own rows; the others have them of it when training begins.
    """
    if settings.pretrain_epochs:
        learn_others(network.residual, settings, group, say)
    if not group.leads:
        return
    generator = torch.Generator().manual_seed(settings.seed)
    right = network.patches.learn(torch.from_numpy(rows.images), torch.from_numpy(rows.labels), generator)
    say(f"patches alone tell {right:.4f} of the rows right, each as the others would", flush=True)


def learn_others(network: ResNet9, settings: Settings, group: Group, say: Callable[..., None]) -> None:
    """Teach a network the classes of the channel pretrain; what it learns of images there serves it afterwards."""
    rows = read_channel("pretrain", classes=MOST_CLASSES, size=settings.image_size)
    held_out = np.arange(len(rows.labels)) % HELD_OUT == 0
    classes = int(rows.labels.max()) + 1
    say(f"{len(rows.labels)} images of {classes} other classes to learn from first", flush=True)
    head = network.head
    network.head = torch.nn.Linear(head.in_features, classes)

    def report(epoch: Epoch) -> None:
        say(
            f"pretraining epoch {epoch.epoch + 1} of {settings.pretrain_epochs}: "
            f"{epoch.validation_accuracy:.4f} of held-out rows right, {epoch.seconds:.2f} s",
            flush=True,
        )

    before = replace(settings, epochs=settings.pretrain_epochs)
    alike = replace(group, sharded=False)  # every host has all of this channel
    Training(network.to(group.device), rows.take(~held_out), before, alike).run(
        rows.take(held_out), report, lambda state: None
    )
    network.head = head


def silent(*_: object, **__: object) -> None:
    """What the hosts say that do not lead."""


def keeper(folder: Path, identity: dict[str, Any], group: Group) -> Callable[[dict[str, Any]], None]:
    """What keeps a state: the leading host, and only where the job was given a folder for it."""

    def keep(state: dict[str, Any]) -> None:
        if group.leads and folder.is_dir():
            checkpoint.save(folder, identity, state)

    return keep


def write(training: Training, validation: Split, settings: Settings) -> None:
    """The model directory and the output directory."""
    logits = predict(training.network, validation)
    labels = torch.from_numpy(validation.labels)
    divisor = temperature(logits, labels)
    probabilities = (logits / divisor).softmax(1)
    calibration = {
        "temperature": divisor,
        "ece_before": expected_calibration_error(logits.softmax(1), labels),
        "ece_after": expected_calibration_error(cross_fitted(logits, labels), labels),
    }
    write_model(Probabilities(training.network, divisor), validation, settings)
    write_metrics(validation, probabilities, training, calibration)


def write_model(network: Probabilities, validation: Split, settings: Settings) -> None:
    """The model directory: one network, its description, the code that serves it."""
    folder = Path(os.environ["SM_MODEL_DIR"])
    code = folder / "code"
    code.mkdir(parents=True, exist_ok=True)
    export(network, validation, folder / "model.onnx")
    description = {
        "classes": settings.classes,
        "input": {"size": settings.image_size, "channels": "RGB", "type": "uint8"},
        "temperature": network.temperature,
        "hyperparameters": asdict(settings),
    }
    (folder / "model.json").write_text(json.dumps(description, indent=2))
    for name in SERVED:
        shutil.copy(HERE / name, code)
    shutil.copy(HERE / "serving" / "requirements.txt", code)
    if brought := os.environ.get("SM_CHANNEL_PACKAGES"):  # for a container that cannot fetch them
        shutil.copytree(Path(brought) / "serving", code / "packages", dirs_exist_ok=True)


def write_metrics(
    validation: Split,
    probabilities: Tensor,
    training: Training,
    calibration: dict[str, float],
) -> None:
    """The output directory: figures, and each validation row's answer."""
    folder = Path(os.environ["SM_OUTPUT_DATA_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    epochs = training.epochs
    right = int((probabilities.argmax(1).numpy() == validation.labels).sum())
    metrics: dict[str, Any] = {
        "validation": {"n": len(validation.labels), "correct": right, "accuracy": right / len(validation.labels)},
        "calibration": calibration,
        "epochs": [asdict(epoch) for epoch in epochs],
        "seconds": training.seconds,
        "images_per_second": training.rows * len(epochs) / training.seconds,
    }
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2))
    with (folder / "validation.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        for name, label, row in zip(validation.names, validation.labels, probabilities.tolist(), strict=True):
            writer.writerow([name, int(label), *(f"{each:.6f}" for each in row)])


if __name__ == "__main__":
    main()
