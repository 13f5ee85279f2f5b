"""Read the input channels: images with a manifest of their labels, or RecordIO shards."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .images import FORMATS, ImageError, decode_image
from .recordio import read_records


@dataclass(frozen=True)
class Split:
    """The images and labels of one split.

    Attributes
    ----------
    names : names of the n image files, or IDs of the n records if the channel contains shards
    images : pixels, uint8, n x size x size x 3
    labels : class numbers of the n images, int64
    """

    names: tuple[str, ...]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def select(self, mask: NDArray[np.bool_]) -> "Split":
        """Return the examples for which `mask`, an array of n booleans, is true."""
        names = tuple(name for name, selected in zip(self.names, mask, strict=True) if selected)
        return Split(names, self.images[mask], self.labels[mask])


@dataclass(frozen=True)
class EncodedImage:
    """An image file and its label."""

    name: str
    label: int
    body: bytes


def read_channel(name: str, *, classes: int, size: int, environment: Mapping[str, str] = os.environ) -> Split:
    """Read the images and labels of a split from its input channel.

    If the channel contains `*.rec` shards, all shards are read. Otherwise the manifest in the channel `<name>_lst`
    lists the images to read.

    Parameters
    ----------
    name : name of the split and of its channel, such as `train`
    classes : number of classes
    size : side in pixels to which images are resized
    environment : environment variables; SM_CHANNEL_<NAME> contains the path of the channel `<name>`

    Raises
    ------
    InputError
        A channel is missing or empty, the manifest is missing, empty or lists a missing file, a label is out of
        range, or an image cannot be decoded.
    """
    folder = _channel_folder(name, environment)
    shards = sorted(folder.glob("*.rec"))
    if shards:
        encoded = [
            EncodedImage(str(record), label, body) for path in shards for record, label, body in read_records(path)
        ]
    else:
        encoded = [
            EncodedImage(file, label, _read_file(folder / file))
            for file, label in read_manifest(_channel_folder(f"{name}_lst", environment))
        ]
    if not encoded:
        raise InputError(f"the channel {name} contains no images")
    for image in encoded:
        if not 0 <= image.label < classes:
            raise InputError(f"{image.name} of {name}: label {image.label} is out of range for {classes} classes")
    images = np.empty((len(encoded), size, size, 3), np.uint8)  # stacking a list of arrays would need twice the memory
    for index, image in enumerate(encoded):
        images[index] = _decode(image, size)
    labels = np.array([image.label for image in encoded], dtype=np.int64)
    return Split(tuple(image.name for image in encoded), images, labels)


def read_manifest(folder: Path) -> list[tuple[str, int]]:
    """Return the file and label of each line `index<TAB>label<TAB>file` in the folder's only .lst file."""
    found = sorted(folder.glob("*.lst"))
    if len(found) != 1:
        raise InputError(f"the channel {folder.name} must contain one .lst file (found {len(found)})")
    lines = found[0].read_text().splitlines()
    if not lines:
        raise InputError(f"{found[0].name} is empty")
    return [parse_line(line, f"{found[0].name}, line {number}") for number, line in enumerate(lines, 1)]


def parse_line(line: str, location: str) -> tuple[str, int]:
    """Return the file and the label in a line of a manifest.

    Parameters
    ----------
    line : `index<TAB>label<TAB>file`
    location : name of the manifest and line number, for the error message
    """
    parts = line.split("\t")
    if len(parts) != 3 or not parts[1].isdecimal():
        raise InputError(f"{location}: must be an index, a label and a file, separated by tabs (got {line!r})")
    if ".." in Path(parts[2]).parts or Path(parts[2]).is_absolute():
        raise InputError(f"{location}: {parts[2]} is outside the channel: use a path inside it")
    return parts[2], int(parts[1])


def _channel_folder(channel: str, environment: Mapping[str, str]) -> Path:
    name = environment.get(f"SM_CHANNEL_{channel.upper()}")
    if not name:
        raise InputError(f"the job needs the channel {channel}: add it to the job's input")
    return Path(name)


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise InputError(f"the manifest lists {path.name}, which is missing from the channel") from None


def _decode(image: EncodedImage, size: int) -> NDArray[np.uint8]:
    try:
        return decode_image(image.body, FORMATS, size)
    except ImageError as error:
        raise InputError(f"{image.name}: {error}") from error
