"""Check the configuration of the input channels, and read their images and labels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagelocal.containers.image_classification import recordio
from sagelocal.containers.image_classification.errors import CustomerError, UnsupportedError
from sagelocal.containers.image_classification.hyperparameters import Hyperparameters
from sagelocal.containers.image_classification.images import ImageError, decode, pixels, resize_shorter_side

RECORDIO = "application/x-recordio"
IMAGES = ("application/x-image", "image/png", "image/jpeg")
SPLITS = ("train", "validation")
LISTS = ("train_lst", "validation_lst")
PRETRAINED = "model"  # channel with a model for incremental training


@dataclass(frozen=True)
class Split:
    """The images and labels of the train or validation channel. No image is smaller than `image_shape`.

    Attributes
    ----------
    images : uint8, each height x width x 3
    labels : int64, the class of each image
    """

    images: list[NDArray[np.uint8]]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class _Example:
    name: str  # used in error messages
    content: bytes
    label: int


def check(config: Mapping[str, Mapping[str, str]]) -> bool:
    """Check the channels of `inputdataconfig.json`, and return whether they contain RecordIO instead of image files.

    Parameters
    ----------
    config : settings of each channel, by name

    Raises
    ------
    CustomerError
        If a channel is missing or unknown, has a missing or unknown content type, or only some channels have RecordIO.
    UnsupportedError
        If a channel uses Pipe mode or contains a model for incremental training.
    """
    for name, channel in config.items():
        if name not in (*SPLITS, *LISTS, PRETRAINED):
            raise CustomerError(f"Channel '{name}' is unknown: use {', '.join((*SPLITS, *LISTS))}")
        if channel.get("TrainingInputMode", "File") == "Pipe":
            raise UnsupportedError(f"Pipe mode (use File mode for channel '{name}')")
    _require(config, SPLITS)
    types = {name: _content_type(name, config[name]) for name in (*SPLITS, *LISTS) if name in config}
    packed = types["train"] == RECORDIO
    if not packed:
        _require(config, LISTS)
    for name, found in types.items():
        if (found == RECORDIO) != packed:
            raise CustomerError(f"Channels train and {name} have different content types: {types['train']} and {found}")
    if PRETRAINED in config:
        raise UnsupportedError("channel 'model' (incremental training)")
    return packed


def read(folder: Path, name: str, hyperparameters: Hyperparameters, *, packed: bool) -> Split:
    """Read the images and labels of channel `name`, one of `SPLITS`.

    Parameters
    ----------
    folder : folder with a sub-folder for each channel
    packed : whether the channel contains RecordIO instead of image files

    Raises
    ------
    CustomerError
        If the channel is empty or broken, a class is out of range, or an image is missing, broken, too small or has
        several labels.
    """
    examples = _records(folder / name) if packed else _listed(folder / name, folder / f"{name}_lst")
    images, labels = [], []
    for example in examples:
        if example.label >= hyperparameters.num_classes:
            raise CustomerError(
                f"{example.name} in the {name} channel has class {example.label}, but num_classes "
                f"{hyperparameters.num_classes} allows 0 to {hyperparameters.num_classes - 1}"
            )
        images.append(_image(example, hyperparameters, name))
        labels.append(example.label)
    return Split(images, np.array(labels, dtype=np.int64))


def check_count(train: Split, hyperparameters: Hyperparameters) -> None:
    """Raise an error if `num_training_samples` differs from the number of training images.

    AWS's image trains nevertheless, but AWS documents that a wrong number makes the learning rate schedule undefined,
    and may affect the accuracy of distributed training.
    """
    if len(train.labels) != hyperparameters.num_training_samples:
        raise CustomerError(
            f"num_training_samples is {hyperparameters.num_training_samples}, but the train channel has "
            f"{len(train.labels)} images"
        )


def _require(config: Mapping[str, object], names: tuple[str, ...]) -> None:
    for name in names:
        if name not in config:
            raise CustomerError(f"Unable to start training. Channel '{name}' is missing.")


def _content_type(name: str, channel: Mapping[str, str]) -> str:
    content_type = channel.get("ContentType", "").partition(";")[0].strip()
    if content_type not in (RECORDIO, *IMAGES):
        problem = f"has content type '{content_type}'" if content_type else "has no content type"
        raise CustomerError(f"Channel '{name}' {problem}: it must be {RECORDIO} or one of {', '.join(IMAGES)}")
    return content_type


def _image(example: _Example, hyperparameters: Hyperparameters, channel: str) -> NDArray[np.uint8]:
    try:
        image = decode(example.content)
    except ImageError as error:
        raise CustomerError(f"{example.name} in the {channel} channel is broken: {error}") from error
    if hyperparameters.resize:
        image = resize_shorter_side(image, hyperparameters.resize)
    _, height, width = hyperparameters.image_shape
    if image.height < height or image.width < width:
        raise CustomerError(
            f"{example.name} in the {channel} channel has {image.width} x {image.height} pixels, which is smaller "
            f"than image_shape, {width} x {height}: set resize, or a smaller image_shape"
        )
    return pixels(image)


def _records(folder: Path) -> Iterator[_Example]:
    files = sorted(folder.rglob("*.rec"))
    if not files:
        raise CustomerError(f"Unable to start training. No .rec file in {folder.name} channel.")
    # https://docs.aws.amazon.com/sagemaker/latest/dg/image-classification.html#IC-recordio-training
    if len(files) > 1:
        raise CustomerError(f"The {folder.name} channel must contain one .rec file (found {len(files)})")
    (file,) = files
    if not file.stat().st_size:
        raise CustomerError(f"Unable to start training. Empty .rec file in {folder.name} channel.")
    try:
        for number, record in enumerate(recordio.read(file)):
            name = f"record {number} of {file.name}"
            yield _Example(name, record.content, _label(record.labels, name))
    except recordio.RecordError as error:
        raise CustomerError(f"Invalid .rec file {file.name} in the {folder.name} channel: {error}") from error


def _listed(images: Path, lists: Path) -> Iterator[_Example]:
    files = sorted(lists.rglob("*.lst"))
    if len(files) != 1:
        raise CustomerError(f"The {lists.name} channel must contain one .lst file (found {len(files)})")
    if not any(path.is_file() for path in images.rglob("*")):
        raise CustomerError(f"Unable to start training. No image in {images.name} channel.")
    lines = files[0].read_text(errors="replace").splitlines()
    if not lines:
        raise CustomerError(f"Unable to start training. Empty .lst file in {lists.name} channel.")
    seen: set[int] = set()
    for number, line in enumerate(lines, 1):
        location = f"Invalid .lst file in the {lists.name} channel: line {number}"
        index, label, path = _line(line, location)
        if index in seen:
            raise CustomerError(f"{location} repeats index {index} of an earlier line")
        seen.add(index)
        file = images / path
        try:
            is_inside, is_file = file.resolve().is_relative_to(images.resolve()), file.is_file()
        except (OSError, ValueError):  # the path is too long or has a NUL byte
            raise CustomerError(f"{location} names {path!r:.100}, which is not a valid path") from None
        if not is_inside:
            raise CustomerError(f"{location} names {path}, which is outside the {images.name} channel")
        if not is_file:
            raise CustomerError(f"{location} names {path}, which is not in the {images.name} channel")
        yield _Example(path, file.read_bytes(), label)


def _line(line: str, location: str) -> tuple[int, int, str]:
    """Return the index, class and path in a line of a .lst file."""
    columns = line.split("\t")
    try:
        index, *labels, path = columns
        if not labels or not path:
            raise ValueError(line)
        return int(index), _label([float(label) for label in labels], location), path
    except ValueError:
        raise CustomerError(f"{location} must be an index, a class and a path, separated by tabs") from None


def _label(labels: list[float] | tuple[float, ...], location: str) -> int:
    if len(labels) > 1:
        raise CustomerError(f"{location} has {len(labels)} labels: more than one requires multi_label=1")
    if not labels[0].is_integer() or labels[0] < 0:
        raise CustomerError(f"{location} has class {labels[0]:g}: a class must be an integer of at least 0")
    return int(labels[0])
