"""The channels: images, and the class of each, from a manifest beside them or from RecordIO shards."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from errors import InputError
from numpy.typing import NDArray
from pictures import ImageError, picture
from recordio import read_records

FORMATS = ("PNG", "JPEG")


@dataclass(frozen=True)
class Split:
    """One split's images and classes.

    Attributes
    ----------
    names : of the images, n of them: file names, or numbers of rows
    images : uint8, n x size x size x 3
    labels : int64, n
    """

    names: tuple[str, ...]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def take(self, rows: NDArray[np.bool_]) -> "Split":
        """The rows that are true, of n."""
        names = tuple(name for name, wanted in zip(self.names, rows, strict=True) if wanted)
        return Split(names, self.images[rows], self.labels[rows])


@dataclass(frozen=True)
class Example:
    """One image as it is stored."""

    name: str
    label: int
    body: bytes


def read_channel(name: str, *, classes: int, size: int, environment: Mapping[str, str] = os.environ) -> Split:
    """Read a split from its channel: shards `*.rec` in it, or images that the one manifest in `<name>_lst` names.

    Parameters
    ----------
    classes : how many classes there are
    size : pixels of the side to which every image is brought
    environment : where SM_CHANNEL_* name the channels' folders

    Raises
    ------
    InputError
        A channel is missing or empty, the manifest is missing, empty or names a missing file, a class is out of
        range, or an image is broken.
    """
    folder = _folder(name, environment)
    shards = sorted(folder.glob("*.rec"))
    if shards:
        examples = [Example(str(row), label, body) for path in shards for row, label, body in read_records(path)]
    else:
        examples = [
            Example(file, label, _read(folder / file))
            for file, label in read_manifest(_folder(f"{name}_lst", environment))
        ]
    if not examples:
        raise InputError(f"the channel {name} holds no image")
    for example in examples:
        if not 0 <= example.label < classes:
            raise InputError(
                f"{example.name} of {name}: class {example.label} is out of range, there are {classes} classes"
            )
    images = np.empty((len(examples), size, size, 3), np.uint8)  # all of them twice may be more than there is room for
    for row, example in enumerate(examples):
        images[row] = _picture(example, size)
    labels = np.array([example.label for example in examples], dtype=np.int64)
    return Split(tuple(example.name for example in examples), images, labels)


def read_manifest(folder: Path) -> list[tuple[str, int]]:
    """File and class of each line `row<TAB>class<TAB>file`."""
    found = sorted(folder.glob("*.lst"))
    if len(found) != 1:
        raise InputError(f"the channel {folder.name} must hold one .lst file, and it holds {len(found)}")
    lines = found[0].read_text().splitlines()
    if not lines:
        raise InputError(f"{found[0].name} is empty")
    return [parse_line(line, f"{found[0].name}, line {place}") for place, line in enumerate(lines, 1)]


def parse_line(line: str, place: str) -> tuple[str, int]:
    """One line of a manifest."""
    parts = line.split("\t")
    if len(parts) != 3 or not parts[1].isdecimal():
        raise InputError(f"{place}: must be a number, a class and a file, parted by tabs")
    if ".." in Path(parts[2]).parts or Path(parts[2]).is_absolute():
        raise InputError(f"{place}: {parts[2]} lies outside the channel")
    return parts[2], int(parts[1])


def _folder(channel: str, environment: Mapping[str, str]) -> Path:
    name = environment.get(f"SM_CHANNEL_{channel.upper()}")
    if not name:
        raise InputError(f"the job needs the channel {channel}")
    return Path(name)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise InputError(f"the manifest names {path.name}, and the channel does not have it") from None


def _picture(example: Example, size: int) -> NDArray[np.uint8]:
    try:
        image: NDArray[np.uint8] = picture(example.body, FORMATS, size)
    except ImageError as error:
        raise InputError(f"{example.name}: {error}") from error
    return image
