"""Hyperparameters of the training job: types, ranges and defaults."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .errors import InputError

RANGES: dict[str, tuple[float, float]] = {
    "epochs": (1, 1000),
    "batch_size": (2, 1024),
    "learning_rate": (1e-6, 10),
    "weight_decay": (0, 1),
    "image_size": (16, 512),
    "seed": (0, 2**31 - 1),
    "pretrained": (0, 1),
    "pretrain_epochs": (0, 1000),
}


@dataclass(frozen=True)
class Settings:
    """All hyperparameters of a job.

    Attributes
    ----------
    classes : class names, in the order of their labels
    pretrained : 1 fine-tunes a network that is pretrained on ImageNet, 0 trains a network from scratch
    pretrain_epochs : number of epochs on the classes in the channel `pretrain`, before the training on `classes`; only
        for networks trained from scratch
    epochs, batch_size, learning_rate, weight_decay : settings of the training loop and the optimizer
    image_size : side in pixels to which images are resized, in training and in serving
    seed : random seed of the training
    """

    classes: tuple[str, ...]
    pretrained: int = 1
    pretrain_epochs: int = 0
    epochs: int = 0
    batch_size: int = 0
    learning_rate: float = 0.0
    weight_decay: float = 0.0
    image_size: int = 32
    seed: int = 0


# Default hyperparameters for each value of `pretrained`, chosen by cross-validation on training images with
# `python -m benchmarks --folds K ARCHIVE`
DEFAULTS: dict[int, dict[str, float]] = {
    1: {"epochs": 12, "batch_size": 32, "learning_rate": 5e-4, "weight_decay": 1e-2},
    0: {"epochs": 80, "batch_size": 64, "learning_rate": 0.05, "weight_decay": 1e-3},
}


def parse(hyperparameters: Mapping[str, Any]) -> Settings:
    """Return the settings of a job: the given hyperparameters, and defaults for those that are not given.

    Raises
    ------
    InputError
        A hyperparameter is unknown, missing, invalid or out of range.
    """
    # AWS's tools add hyperparameters with these prefixes
    given = {name: value for name, value in hyperparameters.items() if not name.startswith(("sagemaker_", "_tuning_"))}
    types = {field.name: field.type for field in fields(Settings)}
    for name in given:
        if name not in types:
            raise InputError(f"hyperparameter {name} is unknown; the known ones are {', '.join(types)}")
    numbers = {name: parse_number(name, value, types[name]) for name, value in given.items() if name != "classes"}
    values: dict[str, Any] = {**DEFAULTS[int(numbers.get("pretrained", 1))], **numbers}
    if values.get("pretrain_epochs") and values.get("pretrained", 1):
        raise InputError("hyperparameter pretrain_epochs is for networks trained from scratch: set pretrained=0")
    return Settings(classes=parse_classes(given.get("classes", "")), **values)


def parse_number(name: str, value: Any, kind: Any) -> float:
    """Return a hyperparameter's value as a number, or raise InputError if it is not a number in its range."""
    low, high = RANGES[name]
    try:
        number = int(value) if kind is int else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not low <= number <= high:
        expected = "a whole number" if kind is int else "a number"
        raise InputError(f"hyperparameter {name} must be {expected} between {low} and {high} (got {value!r})")
    return number


def parse_classes(text: Any) -> tuple[str, ...]:
    """Return the class names of a comma-separated list.

    A name must not contain an apostrophe, because the SageMaker SDK writes each hyperparameter between apostrophes into
    a shell script.
    """
    names = tuple(name.strip() for name in str(text).split(",") if name.strip())
    if "'" in str(text):
        raise InputError(f"hyperparameter classes must not contain an apostrophe (got {text})")
    if len(names) < 2 or len(set(names)) != len(names):
        raise InputError(
            f"hyperparameter classes must be at least two different names, separated by commas (got {str(text)!r})"
        )
    return names
