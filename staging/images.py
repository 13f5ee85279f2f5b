"""The labelled images of a data set in memory, before they are written to files."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from staging.manifest import ReviewedImages
from training.container.classifier.file_names import LIVE

SIDE = 32  # width and height of the staged images in pixels, as in CIFAR-100
SPLITS = ("train", "validation", "test")
MAX_NAME_LENGTH = 100


@dataclass(frozen=True)
class Images:
    """Images with their labels.

    Attributes
    ----------
    names : n file names, unique in the data set; may be empty strings for images that are written only to shards
    labels : class numbers, int64 of shape (n,)
    pixels : RGB values, uint8 of shape (n, SIDE, SIDE, 3)
    """

    names: tuple[str, ...]
    labels: NDArray[np.int64]
    pixels: NDArray[np.uint8]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.names)

    def __add__(self, other: "Images") -> "Images":
        """Return these images, followed by the images of `other`."""
        return Images(
            (*self.names, *other.names),
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.pixels, other.pixels]),
        )

    def select(self, mask: NDArray[np.bool_]) -> "Images":
        """Return the images for which `mask`, of shape (n,), is true."""
        names = tuple(name for name, selected in zip(self.names, mask, strict=True) if selected)
        return Images(names, self.labels[mask], self.pixels[mask])


@dataclass(frozen=True)
class Selection:
    """The images of a data set.

    Attributes
    ----------
    classes : class names; a class's number is its position
    seed : random seed with which the images were divided into splits
    splits : images of each split, by the split's name
    others : images of other classes for pretraining, with class numbers of their own; None if there are none
    reviewed : number and digest of the reviewed images of live traffic in `splits`; None if there are none
    """

    classes: tuple[str, ...]
    seed: int
    splits: Mapping[str, Images]
    others: Images | None = None
    reviewed: ReviewedImages | None = None


def make_images(names: Sequence[str], labels: Sequence[int], pixels: Sequence[NDArray[np.uint8]]) -> Images:
    """Return images, given the name, the class number and the pixels of each; the lists may be empty."""
    stacked = np.stack(pixels) if pixels else np.empty((0, SIDE, SIDE, 3), np.uint8)
    return Images(tuple(names), np.array(labels, dtype=np.int64), stacked)


def digest(pixels: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of an image's pixels, which is equal for copies that differ in metadata or file name."""
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def fraction(seed: str, image_digest: str) -> float:
    """Return a pseudo-random number from 0 to 1, which depends only on a seed and an image's digest."""
    return int(hashlib.sha256(f"{seed}:{image_digest}".encode()).hexdigest()[:16], 16) / 2**64


def safe_name(filename: str) -> str:
    """Return a file name that has no folders or special characters, and ends in `.png`.

    The name never begins with `live-`, the prefix of the names of reviewed images.

    Examples
    --------
    >>> safe_name("../étui/bike_s_000021.png")
    'bike_s_000021.png'
    """
    last = re.split(r"[/\\]", filename)[-1]
    stem = re.sub(r"[^A-Za-z0-9_.-]", "_", last.removesuffix(".png"))
    stem = re.sub(rf"^([.-]|{LIVE})+", "", stem, flags=re.IGNORECASE)
    return f"{stem[:MAX_NAME_LENGTH] or 'image'}.png"
