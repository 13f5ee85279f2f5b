"""Hyperparameters: typed, each within its range, none unknown."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from errors import InputError

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
    """What a job may be told.

    Attributes
    ----------
    classes : names in the order of their numbers
    pretrained : 1 starts from a network that knows ImageNet, 0 from nothing
    pretrain_epochs : for which a network that starts from nothing learns the channel pretrain's classes first
    epochs, batch_size, learning_rate, weight_decay : of the training
    image_size : pixels of the side to which images are brought, in training and in serving
    seed : of every random draw
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


# Chosen by cross-validation on training rows: benchmarks/ measures both
DEFAULTS: dict[int, dict[str, float]] = {
    1: {"epochs": 12, "batch_size": 32, "learning_rate": 5e-4, "weight_decay": 1e-2},
    0: {"epochs": 80, "batch_size": 64, "learning_rate": 0.05, "weight_decay": 1e-3},
}


def parse(hyperparameters: Mapping[str, Any]) -> Settings:
    """Settings from the job's hyperparameters; what is not named takes the recipe's value.

    Raises
    ------
    InputError
        One is unknown, missing, no number, or out of its range.
    """
    # AWS's own tools add theirs
    given = {name: value for name, value in hyperparameters.items() if not name.startswith(("sagemaker_", "_tuning_"))}
    types = {field.name: field.type for field in fields(Settings)}
    for name in given:
        if name not in types:
            raise InputError(f"hyperparameter {name} is unknown: there are {', '.join(types)}")
    numbers = {name: number(name, value, types[name]) for name, value in given.items() if name != "classes"}
    recipe = DEFAULTS[int(numbers.get("pretrained", 1))]
    values: dict[str, Any] = {**recipe, **numbers}
    if values.get("pretrain_epochs") and values.get("pretrained", 1):
        raise InputError("hyperparameter pretrain_epochs is for a network that starts from nothing: set pretrained=0")
    return Settings(classes=class_names(given.get("classes", "")), **values)


def number(name: str, value: Any, kind: Any) -> float:
    """A hyperparameter's number."""
    low, high = RANGES[name]
    try:
        found = int(value) if kind is int else float(value)
    except (TypeError, ValueError):
        raise InputError(f"hyperparameter {name} must be a number, not {value!r}") from None
    if not low <= found <= high:
        raise InputError(f"hyperparameter {name} must lie from {low:g} to {high:g}, not {found:g}")
    return found


def class_names(text: Any) -> tuple[str, ...]:
    """The classes' names, which a comma parts."""
    names = tuple(name.strip() for name in str(text).split(",") if name.strip())
    if len(names) < 2 or len(set(names)) != len(names):
        raise InputError("hyperparameter classes must name at least two different classes, parted by commas")
    return names
