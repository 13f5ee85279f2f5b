"""Train models in separate processes, as training jobs do, and measure their accuracy on held-out images."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving import CONTAINER
from training.container.classifier import serving


class RunFailedError(Exception):
    """A training process ended without a model."""


@dataclass(frozen=True)
class Run:
    """The measurements of a trained model.

    Attributes
    ----------
    pretrained : whether the network was pretrained on ImageNet; otherwise it was trained from scratch
    seconds : training time in seconds, without the start of the process
    cpu_seconds : CPU time of the whole process in seconds
    images_per_second : training images per second
    validation, test : number of correct predictions, and number of images
    """

    pretrained: bool
    seed: int
    epochs: int
    seconds: float
    cpu_seconds: float
    images_per_second: float
    validation: tuple[int, int]
    test: tuple[int, int]


def train_and_test(
    data: Path, folder: Path, *, classes: tuple[str, ...], pretrained: bool, seed: int, epochs: int | None
) -> Run:
    """Train a model, and predict the test split with the exported model.

    Parameters
    ----------
    data : folder of staged images, which `staging.transform` wrote
    folder : new folder for the channels and the output of the training process
    epochs : number of epochs, or None for the recipe's default

    Raises
    ------
    RunFailedError
        The training process failed.
    """
    before = _cpu_seconds()
    _train(channels(data, folder), folder, _hyperparameters(classes, pretrained, seed, epochs))
    cpu_seconds = _cpu_seconds() - before
    metrics = json.loads((folder / "output" / "metrics.json").read_text())
    measured = metrics["validation"]
    return Run(
        pretrained=pretrained,
        seed=seed,
        epochs=len(metrics["epochs"]),
        seconds=metrics["seconds"],
        cpu_seconds=cpu_seconds,
        images_per_second=metrics["images_per_second"],
        validation=(measured["correct"], measured["n"]),
        test=_test(folder / "model", data),
    )


def cross_validate(
    data: Path, folder: Path, *, classes: tuple[str, ...], pretrained: bool, fold: int, folds: int, epochs: int | None
) -> tuple[int, int]:
    """Train on all folds except one, and return the number of correct predictions on this fold and its size.

    The folds divide the training and validation splits together. The test split is not used, so the result may be used
    to choose hyperparameters.

    Parameters
    ----------
    fold : number of the held-out fold, from 0
    folds : number of folds

    Raises
    ------
    RunFailedError
        The training process failed.
    """
    lines = [line for split in ("train", "validation") for line in (data / f"{split}.lst").read_text().splitlines()]
    lines.sort(key=lambda line: line.split("\t")[1:])  # by label, so that the folds are stratified
    held_out = lines[fold::folds]
    excluded = set(held_out)
    images = folder / "images"
    images.mkdir(parents=True)
    for path in (*(data / "train").iterdir(), *(data / "validation").iterdir()):
        (images / path.name).symlink_to(path)
    splits = {"train": [line for line in lines if line not in excluded], "validation": held_out}
    variables = {}
    for split, listed in splits.items():
        manifest = folder / f"{split}_lst"
        manifest.mkdir()
        (manifest / f"{split}.lst").write_text("".join(f"{line}\n" for line in listed))
        variables[f"SM_CHANNEL_{split.upper()}"] = str(images)
        variables[f"SM_CHANNEL_{split.upper()}_LST"] = str(manifest)
    _train(variables, folder, _hyperparameters(classes, pretrained, fold, epochs))
    measured = json.loads((folder / "output" / "metrics.json").read_text())["validation"]
    return measured["correct"], measured["n"]


def channels(data: Path, folder: Path) -> dict[str, str]:
    """Return a job's SM_CHANNEL_* environment variables. Each manifest is a separate channel, as on SageMaker."""
    variables = {}
    for split in ("train", "validation"):
        manifest = folder / f"{split}_lst"
        manifest.mkdir(parents=True)
        (manifest / f"{split}.lst").write_bytes((data / f"{split}.lst").read_bytes())
        variables[f"SM_CHANNEL_{split.upper()}"] = str(data / split)
        variables[f"SM_CHANNEL_{split.upper()}_LST"] = str(manifest)
    return variables


def _hyperparameters(classes: tuple[str, ...], pretrained: bool, seed: int, epochs: int | None) -> dict[str, Any]:
    chosen: dict[str, Any] = {"classes": ",".join(classes), "pretrained": int(pretrained), "seed": seed}
    return chosen if epochs is None else {**chosen, "epochs": epochs}


def _train(channels: Mapping[str, str], folder: Path, hyperparameters: Mapping[str, Any]) -> None:
    environment = {
        **os.environ,
        **channels,
        "SM_HPS": json.dumps(hyperparameters),
        "SM_MODEL_DIR": str(folder / "model"),
        "SM_OUTPUT_DIR": str(folder),
        "SM_OUTPUT_DATA_DIR": str(folder / "output"),
    }
    command = [sys.executable, str(CONTAINER / "train.py")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if result.returncode != 0:
        failure = folder / "failure"
        lines = failure.read_text() if failure.is_file() else result.stderr.strip()
        reason = (lines.splitlines() or ["the process printed no error"])[-1]
        raise RunFailedError(f"training failed with status {result.returncode}: {reason}")


def _test(model: Path, data: Path) -> tuple[int, int]:
    loaded = serving.model_fn(str(model))
    images = [line.split("\t") for line in (data / "test.lst").read_text().splitlines()]
    correct = 0
    for _, label, name in images:
        body = (data / "test" / name).read_bytes()
        probabilities = json.loads(serving.transform_fn(loaded, body, "image/png", "application/json")[0])
        correct += probabilities.index(max(probabilities)) == int(label)
    return correct, len(images)


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
