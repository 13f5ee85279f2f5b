"""The baseline of a model: the predictions, image statistics and embeddings of images that are not training images.

The drift job compares captured images with the baseline. The training job computes the baseline from all validation
images except reviewed images of live traffic, and writes `baseline.json` into model.tar.gz and output.tar.gz.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .image_statistics import NAMES, image_statistics

FILE = "baseline.json"
VERSION = 1
MAX_IMAGES = 1000  # largest number of images; more images would only make even smaller changes detectable
MAX_DIMENSIONS = 64
MAX_BYTES = 4 * 2**20
LARGEST = 1e9  # values of this size or more are invalid
DIGITS = 6  # significant digits of each number
STATISTICS = ("confidence", *NAMES)


class BaselineError(Exception):
    """The baseline is missing or invalid."""


@dataclass(frozen=True)
class Sample:
    """The properties of a set of images.

    Attributes
    ----------
    statistics : one value per image, by name of the statistic; only `confidence` if no image could be decoded
    predicted : number of images predicted as each class, in class order
    embeddings : embeddings of the n images that could be decoded, n x dimensions
    """

    statistics: Mapping[str, NDArray[np.float64]]
    predicted: NDArray[np.int64]
    embeddings: NDArray[np.float64]

    @property
    def images(self) -> int:
        """Number of images."""
        return int(self.predicted.sum())


def describe(probabilities: NDArray[Any], images: NDArray[np.uint8], embeddings: NDArray[Any]) -> Sample:
    """Return the properties of at most MAX_IMAGES of the given images, selected at even intervals.

    Parameters
    ----------
    probabilities : predicted probabilities, n x classes
    images : pixels, uint8, n x height x width x 3
    embeddings : embeddings of the images, n x dimensions
    """
    step = max(-(-len(images) // MAX_IMAGES), 1)
    probabilities, images, embeddings = probabilities[::step], images[::step], embeddings[::step]
    measured = [image_statistics(image) for image in images]
    statistics = {name: np.array([each[name] for each in measured]) for name in NAMES}
    return Sample(
        statistics={"confidence": probabilities.max(1).astype(float), **statistics},
        predicted=np.bincount(probabilities.argmax(1), minlength=probabilities.shape[1]),
        embeddings=embeddings.astype(float),
    )


def write_baseline(sample: Sample, *folders: Path) -> None:
    """Write `baseline.json` into each folder."""
    content = {
        "version": VERSION,
        "predicted": sample.predicted.tolist(),
        "statistics": {name: rounded(values) for name, values in sample.statistics.items()},
        "embeddings": [rounded(values) for values in sample.embeddings],
    }
    text = json.dumps(content)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(text)


def rounded(values: NDArray[np.float64]) -> list[float]:
    """Return the values, rounded to DIGITS significant digits."""
    return [float(f"{value:.{DIGITS}g}") for value in values.tolist()]


def read_baseline(path: Path, *, classes: int) -> Sample:
    """Read a baseline from a file and check it, because the archive that contained the file is untrusted.

    Parameters
    ----------
    classes : number of classes of the model

    Raises
    ------
    BaselineError
        The file is missing or too large, or it does not contain a baseline of a model with this number of classes.
    """
    if not path.is_file():
        raise BaselineError(f"the model has no {FILE}: train it again")
    if path.stat().st_size > MAX_BYTES:
        raise BaselineError(f"{FILE} has {path.stat().st_size} bytes; at most {MAX_BYTES} are allowed")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"{FILE} is not JSON") from error
    return parse_baseline(content, classes=classes)


def parse_baseline(content: Any, *, classes: int) -> Sample:
    """Return the baseline in the parsed JSON of a file, or raise BaselineError if it is invalid."""
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise BaselineError(f"{FILE} must be an object with the version {VERSION}")
    counts = content.get("predicted")
    if not isinstance(counts, list) or len(counts) != classes or not all(is_count(each) for each in counts):
        raise BaselineError(f"predicted in {FILE} must be a list of {classes} counts")
    images = sum(counts)
    if not 1 <= images <= MAX_IMAGES:
        raise BaselineError(f"{FILE} must describe 1 to {MAX_IMAGES} images (got {images})")
    values = content.get("statistics")
    if not isinstance(values, dict) or sorted(values) != sorted(STATISTICS):
        raise BaselineError(f"statistics in {FILE} must have the fields {', '.join(STATISTICS)}")
    embeddings = content.get("embeddings")
    if not isinstance(embeddings, list) or len(embeddings) != images:
        raise BaselineError(f"embeddings in {FILE} must be one list for each image")
    width = len(embeddings[0]) if isinstance(embeddings[0], list) else 0
    if not 1 <= width <= MAX_DIMENSIONS:
        raise BaselineError(f"each embedding in {FILE} must have 1 to {MAX_DIMENSIONS} numbers (got {width})")
    return Sample(
        statistics={name: parse_numbers(values[name], images, name) for name in STATISTICS},
        predicted=np.array(counts, dtype=np.int64),
        embeddings=np.stack([parse_numbers(each, width, "each embedding") for each in embeddings]),
    )


def parse_numbers(values: Any, length: int, name: str) -> NDArray[np.float64]:
    """Return `values` as an array, or raise BaselineError if it is not a list of `length` finite numbers."""
    if not isinstance(values, list) or len(values) != length or not all(is_number(each) for each in values):
        raise BaselineError(f"{name} in {FILE} must be a list of {length} numbers")
    return np.array(values, dtype=np.float64)


def is_number(value: Any) -> bool:
    """Return whether a value is a number between -LARGEST and LARGEST.

    Python's JSON parser also accepts NaN, infinity and integers of any length.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < LARGEST  # false for NaN and infinity


def is_count(value: Any) -> bool:
    """Return whether a value is a whole number between 0 and MAX_IMAGES."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_IMAGES
