"""Hyperparameters of SageMaker's built-in image classification: types, ranges and defaults.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/IC-Hyperparameter.html
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LARGE_DEPTHS, SMALL_DEPTHS = (18, 34, 50, 101, 152, 200), (20, 32, 44, 56, 110)
SMALL = 28  # largest image side in pixels for which MXNet's ResNet has the depths SMALL_DEPTHS
PRETRAINED_SHAPE = "3,224,224"
CHANNELS = 3  # RGB

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Flag = Literal["0", "1"]


def _shape(text: str) -> str:
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise ValueError("should be channels, height and width, separated by commas, such as 3,28,28")
    return ",".join(part.strip() for part in parts)


def _steps(text: str) -> str:
    parts = [part.strip() for part in text.split(",")]
    numbers = [int(part) for part in parts if part.isdecimal()]
    if len(numbers) < len(parts) or min(numbers) < 1 or numbers != sorted(set(numbers)):
        raise ValueError("should be increasing numbers of epochs, separated by commas, such as 10,20")
    return ",".join(parts)


class Hyperparameters(BaseModel):
    """All hyperparameters. The defaults are AWS's, except `num_layers` and `image_shape`, which suit 32 x 32 pixels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_classes: Annotated[int, Field(ge=2)]
    num_training_samples: Count
    num_layers: Literal["18", "34", "50", "101", "152", "200", "20", "32", "44", "56", "110"] = "20"
    image_shape: Annotated[str, AfterValidator(_shape)] = "3,28,28"
    augmentation_type: Literal["crop", "crop_color", "crop_color_transform"] | None = "crop"
    epochs: Count = 30
    mini_batch_size: Count = 32
    learning_rate: Fraction = 0.1
    lr_scheduler_factor: Fraction | None = None
    lr_scheduler_step: Annotated[str, AfterValidator(_steps)] | None = None
    optimizer: Literal["sgd", "adam", "rmsprop", "nag"] = "sgd"
    momentum: Fraction | None = None
    weight_decay: Fraction | None = None
    beta_1: Fraction | None = None
    beta_2: Fraction | None = None
    eps: Fraction | None = None
    gamma: Fraction | None = None
    early_stopping: Literal["True", "False"] | None = None
    early_stopping_min_epochs: Count | None = None
    early_stopping_patience: Count | None = None
    early_stopping_tolerance: Fraction | None = None
    checkpoint_frequency: Count | None = None
    resize: Count | None = None
    top_k: Annotated[int, Field(ge=2)] | None = None
    use_pretrained_model: Flag | None = None
    use_weighted_loss: Flag | None = None
    multi_label: Flag | None = None
    precision_dtype: Literal["float32", "float16"] | None = None
    kv_store: Literal["dist_sync", "dist_async"] | None = None


def find_conflict(given: Hyperparameters, *, size: int) -> str | None:
    """Return a message if the hyperparameters cannot be combined, or None if they can.

    Parameters
    ----------
    given : valid hyperparameters
    size : side of the staged images in pixels
    """
    channels, height, width = (int(part) for part in given.image_shape.split(","))
    side = given.resize or size
    depth = int(given.num_layers)
    if given.use_pretrained_model == "1" and (depth not in LARGE_DEPTHS or given.image_shape != PRETRAINED_SHAPE):
        return f"use_pretrained_model=1 needs image_shape {PRETRAINED_SHAPE} and num_layers {_listed(LARGE_DEPTHS)}"
    if channels != CHANNELS:
        return f"image_shape {given.image_shape} has {channels} channels, but the images have {CHANNELS}"
    if max(height, width) > side:
        return f"image_shape {given.image_shape} is larger than the images ({side} x {side}): set a larger resize"
    if depth in SMALL_DEPTHS and max(height, width) > SMALL:
        return f"num_layers {depth} is for images of at most {SMALL} x {SMALL} pixels: choose {_listed(LARGE_DEPTHS)}"
    if depth in LARGE_DEPTHS and height <= SMALL:
        return f"num_layers {depth} is for images larger than {SMALL} x {SMALL} pixels: choose {_listed(SMALL_DEPTHS)}"
    if given.mini_batch_size > given.num_training_samples:
        return f"mini_batch_size {given.mini_batch_size} exceeds the {given.num_training_samples} training images"
    if given.checkpoint_frequency and given.checkpoint_frequency > given.epochs:
        return f"checkpoint_frequency {given.checkpoint_frequency} exceeds the {given.epochs} epochs"
    if given.top_k and given.top_k > given.num_classes:
        return f"top_k {given.top_k} exceeds the {given.num_classes} classes"
    if given.multi_label == "1":
        return "multi_label=1 is for images with several labels, but each staged image has one label"
    return None


def _listed(depths: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, depths[:-1]))} or {depths[-1]}"
