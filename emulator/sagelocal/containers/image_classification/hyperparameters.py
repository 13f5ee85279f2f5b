"""Hyperparameters with AWS's names, ranges, defaults and error messages.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/IC-Hyperparameter.html
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sagelocal.containers.image_classification.errors import CustomerError, UnsupportedError

IMAGENET_DEPTHS = (18, 34, 50, 101, 152, 200)
CIFAR_DEPTHS = (20, 32, 44, 56, 110)
CIFAR_MAX_SIZE = 32  # pixels; the largest height and width for CIFAR_DEPTHS
IMAGENET_MIN_HEIGHT = 29  # pixels; below this height, MXNet builds a CIFAR network even for IMAGENET_DEPTHS
PRETRAINED_SHAPE = (3, 224, 224)
TUNING_OBJECTIVE = "_tuning_objective_metric"  # hyperparameter that SageMaker adds to the training jobs of a tuning job


@dataclass(frozen=True)
class Hyperparameters:
    """The hyperparameters of a training job, as AWS documents them.

    Attributes
    ----------
    image_shape : number of channels, and height and width in pixels
    resize : length in pixels to which each image's shorter side is resized; None keeps the original size
    lr_scheduler_step : epochs after which the learning rate is multiplied by `lr_scheduler_factor`
    checkpoint_frequency : interval in epochs at which models are kept; None keeps only the best model
    """

    num_classes: int
    num_training_samples: int
    use_pretrained_model: int = 0
    num_layers: int = 152
    image_shape: tuple[int, int, int] = PRETRAINED_SHAPE
    resize: int | None = None
    epochs: int = 30
    mini_batch_size: int = 32
    learning_rate: float = 0.1
    lr_scheduler_step: tuple[int, ...] = ()
    lr_scheduler_factor: float = 0.1
    optimizer: str = "sgd"
    momentum: float = 0.9
    weight_decay: float = 0.0001
    beta_1: float = 0.9
    beta_2: float = 0.999
    eps: float = 1e-8
    gamma: float = 0.9
    augmentation_type: str | None = None
    checkpoint_frequency: int | None = None
    early_stopping: bool = False
    early_stopping_min_epochs: int = 10
    early_stopping_patience: int = 5
    early_stopping_tolerance: float = 0.0
    top_k: int | None = None
    multi_label: int = 0
    use_weighted_loss: int = 0
    precision_dtype: str = "float32"
    kv_store: str | None = None


@dataclass(frozen=True)
class Rule:
    """The allowed values of one hyperparameter.

    Attributes
    ----------
    description : allowed values in words, for error messages
    parse : function that converts a text to the value; raises ValueError if the value is not allowed
    """

    description: str
    parse: Callable[[str], Any]


def parse(provided: Mapping[str, Any]) -> Hyperparameters:
    """Parse and validate a job's hyperparameters.

    Parameters
    ----------
    provided : content of `hyperparameters.json`

    Raises
    ------
    CustomerError
        If a hyperparameter is unknown, missing or out of range, or if two hyperparameters contradict each other.
    """
    texts = {name: str(value) for name, value in provided.items() if name != TUNING_OBJECTIVE}
    for name in texts:
        if name not in RULES:
            raise CustomerError(f"Additional hyperparameters are not allowed ('{name}' was unexpected)")
    missing = [f"'{name}'" for name in ("num_classes", "num_training_samples") if name not in texts]
    if missing:
        raise CustomerError(f"No value(s) were specified for {', '.join(missing)} which are required hyperparameter(s)")
    hyperparameters = Hyperparameters(**{name: _value(name, text) for name, text in texts.items()})
    _check_together(hyperparameters)
    return hyperparameters


def check_supported(hyperparameters: Hyperparameters) -> None:
    """Raise an error if valid hyperparameters are not supported by the emulator.

    Raises
    ------
    UnsupportedError
        If they request pretrained weights, several labels per image, or images without exactly three channels.
    """
    if hyperparameters.use_pretrained_model:
        raise UnsupportedError("pretrained weights (use_pretrained_model=1)")
    if hyperparameters.multi_label:
        raise UnsupportedError("multi_label=1")
    if hyperparameters.image_shape[0] != 3:
        raise UnsupportedError(f"image_shape with {hyperparameters.image_shape[0]} channels (use 3)")


def _value(name: str, text: str) -> Any:
    try:
        return RULES[name].parse(text)
    except ValueError:
        raise CustomerError(
            f"The value '{text}' is not valid for the '{name}' hyperparameter which expects {RULES[name].description}"
        ) from None


def _check_together(hyperparameters: Hyperparameters) -> None:
    shape = ",".join(map(str, hyperparameters.image_shape))
    _, height, width = hyperparameters.image_shape
    if hyperparameters.use_pretrained_model and (
        hyperparameters.num_layers not in IMAGENET_DEPTHS or hyperparameters.image_shape != PRETRAINED_SHAPE
    ):
        raise CustomerError(
            f"use_pretrained_model=1 requires num_layers of {_join(IMAGENET_DEPTHS)} and image_shape 3,224,224 "
            f"(got {hyperparameters.num_layers} and {shape})"
        )
    if hyperparameters.num_layers in CIFAR_DEPTHS and max(height, width) > CIFAR_MAX_SIZE:
        raise CustomerError(
            f"num_layers {hyperparameters.num_layers} is for images of at most {CIFAR_MAX_SIZE} x {CIFAR_MAX_SIZE} "
            f"pixels, but image_shape is {shape}: choose num_layers of {_join(IMAGENET_DEPTHS)}"
        )
    if hyperparameters.num_layers in IMAGENET_DEPTHS and height < IMAGENET_MIN_HEIGHT:
        raise CustomerError(
            f"num_layers {hyperparameters.num_layers} is for images with a height of at least {IMAGENET_MIN_HEIGHT} "
            f"pixels, but image_shape is {shape}: choose num_layers of {_join(CIFAR_DEPTHS)}"
        )
    if hyperparameters.mini_batch_size > hyperparameters.num_training_samples:
        raise CustomerError("The number of input images must be bigger or equal to the mini_batch_size.")
    if (
        hyperparameters.checkpoint_frequency is not None
        and hyperparameters.checkpoint_frequency > hyperparameters.epochs
    ):
        raise CustomerError(
            f"checkpoint_frequency {hyperparameters.checkpoint_frequency} must not be greater than epochs "
            f"{hyperparameters.epochs}"
        )


def _join(values: tuple[object, ...]) -> str:
    return ", ".join(map(str, values))


def _integer(low: int = 1) -> Rule:
    def parse_text(text: str) -> int:
        if not re.fullmatch("[0-9]+", text) or int(text) < low:
            raise ValueError(text)
        return int(text)

    return Rule(f"an integer of at least {low}", parse_text)


def _fraction() -> Rule:
    def parse_text(text: str) -> float:
        value = float(text)
        if not 0 <= value <= 1:
            raise ValueError(text)
        return value

    return Rule("a number between 0 and 1", parse_text)


def _choice(*values: Any) -> Rule:
    by_text = {str(value): value for value in values}

    def parse_text(text: str) -> Any:
        if text not in by_text:
            raise ValueError(text)
        return by_text[text]

    return Rule(f"one of the following: {_join(values)}", parse_text)


def _shape(text: str) -> tuple[int, int, int]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or not all(re.fullmatch("[1-9][0-9]*", part) for part in parts):
        raise ValueError(text)
    return int(parts[0]), int(parts[1]), int(parts[2])


def _steps(text: str) -> tuple[int, ...]:
    steps = [int(part) for part in text.split(",")]
    if min(steps) < 1 or steps != sorted(set(steps)):
        raise ValueError(text)
    return tuple(steps)


RULES: dict[str, Rule] = {
    "num_classes": _integer(),
    "num_training_samples": _integer(),
    "use_pretrained_model": _choice(0, 1),
    "num_layers": _choice(*IMAGENET_DEPTHS, *CIFAR_DEPTHS),
    "image_shape": Rule("channels, height and width, separated by commas, as in 3,224,224", _shape),
    "resize": _integer(),
    "epochs": _integer(),
    "mini_batch_size": _integer(),
    "learning_rate": _fraction(),
    "lr_scheduler_step": Rule("increasing numbers of epochs, separated by commas, as in 10,20", _steps),
    "lr_scheduler_factor": _fraction(),
    "optimizer": _choice("sgd", "adam", "rmsprop", "nag"),
    "momentum": _fraction(),
    "weight_decay": _fraction(),
    "beta_1": _fraction(),
    "beta_2": _fraction(),
    "eps": _fraction(),
    "gamma": _fraction(),
    "augmentation_type": _choice("crop", "crop_color", "crop_color_transform"),
    "checkpoint_frequency": _integer(),
    "early_stopping": _choice(True, False),
    "early_stopping_min_epochs": _integer(),
    "early_stopping_patience": _integer(),
    "early_stopping_tolerance": _fraction(),
    "top_k": _integer(2),
    "multi_label": _choice(0, 1),
    "use_weighted_loss": _choice(0, 1),
    "precision_dtype": _choice("float32", "float16"),
    "kv_store": _choice("dist_sync", "dist_async"),
}
