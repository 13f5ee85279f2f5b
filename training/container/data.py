"""The channels: images and the manifest that gives each its class."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from errors import InputError
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError


@dataclass(frozen=True)
class Split:
    """One split's images and classes.

    Attributes
    ----------
    names : file names, n of them
    images : uint8, n x height x width x 3
    labels : int64, n
    """

    names: tuple[str, ...]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def read_split(images: Path, manifests: Path, classes: int) -> Split:
    """Read the images that a channel's manifest names.

    Parameters
    ----------
    images : folder of the image channel
    manifests : folder of the channel that holds one `.lst` file
    classes : how many classes there are

    Raises
    ------
    InputError
        The manifest is missing, empty or names a missing file, a class is out of range, an image is broken, or
        they differ in size.
    """
    rows = read_manifest(manifests, classes)
    pictures = [read_image(images / name) for name, _ in rows]
    sizes = {picture.shape for picture in pictures}
    if len(sizes) > 1:
        found = " and ".join(sorted(f"{width} x {height}" for height, width, _ in sizes)[:2])
        raise InputError(f"the images of {images.name} differ in size: there are {found}")
    labels = np.array([label for _, label in rows], dtype=np.int64)
    return Split(tuple(name for name, _ in rows), np.stack(pictures), labels)


def read_manifest(folder: Path, classes: int) -> list[tuple[str, int]]:
    """File and class of each line `row<TAB>class<TAB>file`."""
    found = sorted(folder.glob("*.lst")) if folder.is_dir() else []
    if len(found) != 1:
        raise InputError(f"the channel {folder.name} must hold one .lst file, and it holds {len(found)}")
    lines = found[0].read_text().splitlines()
    if not lines:
        raise InputError(f"{found[0].name} is empty")
    return [parse_line(line, f"{found[0].name}, line {place}", classes) for place, line in enumerate(lines, 1)]


def parse_line(line: str, place: str, classes: int) -> tuple[str, int]:
    """One line of a manifest."""
    parts = line.split("\t")
    if len(parts) != 3 or not parts[1].isdecimal():
        raise InputError(f"{place}: must be a number, a class and a file, parted by tabs")
    label = int(parts[1])
    if label >= classes:
        raise InputError(f"{place}: class {label} is out of range, there are {classes} classes")
    if ".." in Path(parts[2]).parts or Path(parts[2]).is_absolute():
        raise InputError(f"{place}: {parts[2]} lies outside the channel")
    return parts[2], label


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image as RGB, height x width x 3."""
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            return np.asarray(image.convert("RGB"))
    except FileNotFoundError:
        raise InputError(f"the manifest names {path.name}, and the channel does not have it") from None
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise InputError(f"{path.name} is no PNG or JPEG that can be read: {error}") from error
