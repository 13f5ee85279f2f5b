"""Train as a job does, one process a model, and score what comes out on rows that nothing was chosen by."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving import CONTAINER, Server


class RunFailedError(Exception):
    """A training process ended without a model."""


@dataclass(frozen=True)
class Run:
    """One trained model.

    Attributes
    ----------
    seconds, cpu_seconds
        Of the learning alone by the clock; of the whole process by its processors.
    validation, test
        Rows told right, and all rows.
    """

    pretrained: bool
    seed: int
    epochs: int
    seconds: float
    cpu_seconds: float
    images_per_second: float
    validation: tuple[int, int]
    test: tuple[int, int]


def train_and_score(
    data: Path, folder: Path, *, classes: tuple[str, ...], pretrained: bool, seed: int, epochs: int | None
) -> Run:
    """Train on `data` as `staging.transform` wrote it, then ask the served model about each test row.

    Parameters
    ----------
    folder
        Where the process finds its channels and leaves its model.
    epochs
        None for the recipe's own.

    Raises
    ------
    RunFailedError
        The training process failed; the message is its last line.
    """
    before = _children_seconds()
    _train(channels(data, folder), folder, _hyperparameters(classes, pretrained, seed, epochs))
    cpu_seconds = _children_seconds() - before
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
        test=_score(folder / "model", data),
    )


def cross_validate(
    data: Path, folder: Path, *, classes: tuple[str, ...], pretrained: bool, fold: int, folds: int, epochs: int | None
) -> tuple[int, int]:
    """Train on all training rows but every `folds`-th, from the `fold`-th on, and tell those: rows right, and all.

    The test rows have no part in it, so that settings can be chosen by it.

    Raises
    ------
    RunFailedError
        The training process failed; the message is its last line.
    """
    lines = [line for split in ("train", "validation") for line in (data / f"{split}.lst").read_text().splitlines()]
    lines.sort(key=lambda line: line.split("\t")[1:])  # by class, so that each fold has its share of every one
    held_out = lines[fold::folds]
    told = set(held_out)
    images = folder / "images"
    images.mkdir(parents=True)
    for path in (*(data / "train").iterdir(), *(data / "validation").iterdir()):
        (images / path.name).symlink_to(path)
    parts = {"train": [line for line in lines if line not in told], "validation": held_out}
    variables = {}
    for split, rows in parts.items():
        manifest = folder / f"{split}_lst"
        manifest.mkdir()
        (manifest / f"{split}.lst").write_text("".join(f"{row}\n" for row in rows))
        variables[f"SM_CHANNEL_{split.upper()}"] = str(images)
        variables[f"SM_CHANNEL_{split.upper()}_LST"] = str(manifest)
    _train(variables, folder, _hyperparameters(classes, pretrained, fold, epochs))
    measured = json.loads((folder / "output" / "metrics.json").read_text())["validation"]
    return measured["correct"], measured["n"]


def channels(data: Path, folder: Path) -> dict[str, str]:
    """The variables that name a job's channels; a manifest lies in a folder of its own, as SageMaker has it."""
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
    answer = subprocess.run(
        [sys.executable, str(CONTAINER / "train.py")], env=environment, capture_output=True, text=True
    )
    if answer.returncode != 0:
        lines = answer.stderr.strip().splitlines() or ["it said nothing"]
        raise RunFailedError(f"training ended with status {answer.returncode}: {lines[-1]}")


def _score(model: Path, data: Path) -> tuple[int, int]:
    server = Server(model)
    rows = [line.split("\t") for line in (data / "test.lst").read_text().splitlines()]
    right = 0
    for _, label, name in rows:
        probabilities = server.answer((data / "test" / name).read_bytes())
        right += probabilities.index(max(probabilities)) == int(label)
    return right, len(rows)


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
