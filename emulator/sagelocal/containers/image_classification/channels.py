"""The channels: what must be there, and the images and classes in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagelocal.containers.image_classification import recordio
from sagelocal.containers.image_classification.errors import CustomerError, LackingError
from sagelocal.containers.image_classification.hyperparameters import Hyperparameters
from sagelocal.containers.image_classification.images import ImageError, decode, pixels, shorten

RECORDIO = "application/x-recordio"
IMAGES = ("application/x-image", "image/png", "image/jpeg")
SPLITS = ("train", "validation")
LISTS = ("train_lst", "validation_lst")
PRETRAINED = "model"


@dataclass(frozen=True)
class Split:
    """The images of training or of validation, none smaller than `image_shape`.

    Attributes
    ----------
    images : uint8, each height x width x 3
    labels : int64, one an image
    """

    images: list[NDArray[np.uint8]]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class _Row:
    name: str  # for a message
    content: bytes
    label: int


def check(config: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether the channels of `inputdataconfig.json` hold RecordIO; else they hold images.

    Raises
    ------
    CustomerError
        A channel is missing or none of the algorithm's, or its content type is missing, unknown, or not the others'.
    LackingError
        A channel is a pipe, or holds a model to go on from.
    """
    for name, channel in config.items():
        if name not in (*SPLITS, *LISTS, PRETRAINED):
            raise CustomerError(f"Channel '{name}' is unknown: there are {', '.join((*SPLITS, *LISTS))}")
        if channel.get("TrainingInputMode", "File") == "Pipe":
            raise LackingError(f"Pipe mode, and channel '{name}' is in it: use File")
    _need(config, SPLITS)
    types = {name: _content_type(name, config[name]) for name in (*SPLITS, *LISTS) if name in config}
    packed = types["train"] == RECORDIO
    if not packed:
        _need(config, LISTS)
    for name, found in types.items():
        if (found == RECORDIO) != packed:
            raise CustomerError(f"Channels train and {name} differ in content type: {types['train']} and {found}")
    if PRETRAINED in config:
        raise LackingError("channel 'model' (incremental training)")
    return packed


def read(folder: Path, name: str, hyperparameters: Hyperparameters, *, packed: bool) -> Split:
    """The images and classes of channel `name`, one of `SPLITS`.

    Parameters
    ----------
    folder : of all channels
    packed : whether it holds RecordIO

    Raises
    ------
    CustomerError
        It is empty or broken, a class is out of range, or an image is missing, broken, too small, or has several
        classes.
    """
    rows = _records(folder / name) if packed else _listed(folder / name, folder / f"{name}_lst")
    images, labels = [], []
    for row in rows:
        if row.label >= hyperparameters.num_classes:
            raise CustomerError(
                f"{row.name} in the {name} channel has class {row.label}, and num_classes "
                f"{hyperparameters.num_classes} allows 0 to {hyperparameters.num_classes - 1}"
            )
        images.append(_image(row, hyperparameters, name))
        labels.append(row.label)
    return Split(images, np.array(labels, dtype=np.int64))


def check_count(train: Split, hyperparameters: Hyperparameters) -> None:
    """Refuse a `num_training_samples` that is not how many there are.

    AWS trains on, and documents that the learning rate's steps and distributed training go wrong then.
    """
    if len(train.labels) != hyperparameters.num_training_samples:
        raise CustomerError(
            f"num_training_samples is {hyperparameters.num_training_samples}, and the train channel has "
            f"{len(train.labels)} images"
        )


def _need(config: Mapping[str, object], names: tuple[str, ...]) -> None:
    for name in names:
        if name not in config:
            raise CustomerError(f"Unable to start training. Channel '{name}' is missing.")


def _content_type(name: str, channel: Mapping[str, str]) -> str:
    given = channel.get("ContentType", "").partition(";")[0].strip()
    if given not in (RECORDIO, *IMAGES):
        said = f"has content type '{given}'" if given else "has no content type"
        raise CustomerError(f"Channel '{name}' {said}: it must be {RECORDIO} or one of {', '.join(IMAGES)}")
    return given


def _image(row: _Row, hyperparameters: Hyperparameters, channel: str) -> NDArray[np.uint8]:
    try:
        image = decode(row.content)
    except ImageError as error:
        raise CustomerError(f"{row.name} in the {channel} channel is broken: {error}") from error
    if hyperparameters.resize:
        image = shorten(image, hyperparameters.resize)
    _, height, width = hyperparameters.image_shape
    if image.height < height or image.width < width:
        raise CustomerError(
            f"{row.name} in the {channel} channel has {image.width} x {image.height} pixels, and must not be smaller "
            f"than image_shape, {width} x {height}: set resize, or a smaller image_shape"
        )
    return pixels(image)


def _records(folder: Path) -> Iterator[_Row]:
    files = sorted(folder.rglob("*.rec"))
    if not files:
        raise CustomerError(f"Unable to start training. No .rec file in {folder.name} channel.")
    # https://docs.aws.amazon.com/sagemaker/latest/dg/image-classification.html#IC-recordio-training
    if len(files) > 1:
        raise CustomerError(f"The {folder.name} channel must hold one .rec file, and it holds {len(files)}")
    (file,) = files
    if not file.stat().st_size:
        raise CustomerError(f"Unable to start training. Empty .rec file in {folder.name} channel.")
    try:
        for number, record in enumerate(recordio.read(file)):
            name = f"record {number} of {file.name}"
            yield _Row(name, record.content, _label(record.labels, name))
    except recordio.RecordError as error:
        raise CustomerError(f"Invalid .rec file {file.name} in the {folder.name} channel: {error}") from error


def _listed(images: Path, lists: Path) -> Iterator[_Row]:
    files = sorted(lists.rglob("*.lst"))
    if len(files) != 1:
        raise CustomerError(f"The {lists.name} channel must hold one .lst file, and it holds {len(files)}")
    if not any(path.is_file() for path in images.rglob("*")):
        raise CustomerError(f"Unable to start training. No image in {images.name} channel.")
    lines = files[0].read_text(errors="replace").splitlines()
    if not lines:
        raise CustomerError(f"Unable to start training. Empty .lst file in {lists.name} channel.")
    seen: set[int] = set()
    for number, line in enumerate(lines, 1):
        place = f"Invalid lst file in the {images.name} channel: line {number}"
        index, label, path = _line(line, place)
        if index in seen:
            raise CustomerError(f"{place} has index {index}, which an earlier line has")
        seen.add(index)
        file = images / path
        if not file.resolve().is_relative_to(images.resolve()):
            raise CustomerError(f"{place} names {path}, which lies outside the channel")
        if not file.is_file():
            raise CustomerError(f"{place} names {path}, which is not in the {images.name} channel")
        yield _Row(path, file.read_bytes(), label)


def _line(line: str, place: str) -> tuple[int, int, str]:
    """Index, class and path."""
    columns = line.split("\t")
    try:
        index, *labels, path = columns
        if not labels or not path:
            raise ValueError(line)
        return int(index), _label([float(label) for label in labels], place), path
    except ValueError:
        raise CustomerError(f"{place} must be an index, a class and a path, parted by tabs") from None


def _label(labels: list[float] | tuple[float, ...], place: str) -> int:
    if len(labels) > 1:
        raise CustomerError(f"{place} has {len(labels)} labels: more than one needs multi_label=1")
    if not labels[0].is_integer() or labels[0] < 0:
        raise CustomerError(f"{place} has class {labels[0]:g}: classes are 0, 1, 2 and so on")
    return int(labels[0])
