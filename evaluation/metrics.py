"""What is counted and estimated from probabilities and labels; arrays in, plain numbers out.

`n` is the number of images, `k` of classes; `confidence` is the highest probability of an image, shape (n,);
`correct` says whether that class is its label, shape (n,).
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from registry.comparison import wilson_interval

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

BINS = 15


@dataclass(frozen=True)
class Share:
    """`correct` of `n`, with the 95 % interval of Wilson; None where there is nothing to count."""

    correct: int
    n: int

    @property
    def value(self) -> float | None:
        """The share itself."""
        return self.correct / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the share lies, with 95 % confidence."""
        return wilson_interval(self.correct, self.n) if self.n else None


@dataclass(frozen=True)
class ClassScore:
    """Of those called this class, how many are (precision); of those that are, how many are called so (recall)."""

    precision: Share
    recall: Share


@dataclass(frozen=True)
class CurvePoint:
    """What is left, and how much of it is right, at and above one threshold."""

    threshold: float
    coverage: float
    accuracy: float


@dataclass(frozen=True)
class Bin:
    """Images of similar confidence: the mean of it, and the share that is right."""

    n: int
    confidence: float
    accuracy: float
    interval: tuple[float, float]


def confusion_matrix(labels: Integers, predicted: Integers, classes: int) -> Integers:
    """Counts of shape (k, k): the row is the label, the column the class that was called."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def class_scores(confusion: Integers) -> list[ClassScore]:
    """Precision and recall of each class."""
    right, called, real = confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1)
    return [
        ClassScore(Share(int(hits), int(columns)), Share(int(hits), int(rows)))
        for hits, columns, rows in zip(right, called, real, strict=True)
    ]


def coverage_curve(confidence: Floats, correct: Booleans) -> list[CurvePoint]:
    """Coverage and accuracy for every threshold that makes a difference, the lowest first.

    Source: El-Yaniv and Wiener, "On the foundations of noise-free selective classification", 2010.
    """
    order = np.argsort(-confidence, kind="stable")
    falling, hits = confidence[order], np.cumsum(correct[order])
    # of images with the same confidence, the last: a threshold takes all of them or none
    ends = np.flatnonzero(np.append(np.diff(falling) != 0, True))
    n = len(confidence)
    points = [CurvePoint(float(falling[end]), float(end + 1) / n, float(hits[end]) / float(end + 1)) for end in ends]
    return points[::-1]


def risk_coverage_area(curve: Sequence[CurvePoint]) -> float:
    """Area under the share of wrong ones against coverage, 0 at best: the risk of what passes, over all thresholds.

    Source: Geifman, Uziel and El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", 2019.
    """
    stricter = [point.coverage for point in curve[1:]] + [0.0]
    return sum((1 - point.accuracy) * (point.coverage - less) for point, less in zip(curve, stricter, strict=True))


def threshold_for(curve: Sequence[CurvePoint], precision: float) -> float:
    """The smallest threshold at and above which this share is right, as short as it can be written.

    Parameters
    ----------
    precision
        At most the highest accuracy of the curve.
    """
    place = next(place for place, point in enumerate(curve) if point.accuracy >= precision)
    return _shortest(curve[place - 1].threshold if place else 0.0, curve[place].threshold)


def _shortest(low: float, high: float) -> float:
    """A number of few digits above `low`, at most `high` and below 1: as a threshold it lets the same images pass."""
    for digits in range(1, sys.float_info.dig + 1):
        step = 10.0**digits
        candidate = min(math.floor(high * step), step - 1) / step
        if low < candidate <= high:
            return candidate
    return high


def calibration_bins(confidence: Floats, correct: Booleans, *, bins: int = BINS) -> list[Bin]:
    """Bins of equal width from 0 to 1, each with its upper edge; those that hold no image are left out.

    Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017.
    """
    numbers = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return [_bin(confidence[members], correct[members]) for members in (numbers == each for each in np.unique(numbers))]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: the mean distance of confidence from accuracy, weighted by the bins' sizes.

    Source: as `calibration_bins`.
    """
    n = sum(each.n for each in bins)
    return sum(each.n * abs(each.accuracy - each.confidence) for each in bins) / n


def _bin(confidence: Floats, correct: Booleans) -> Bin:
    hits, n = int(correct.sum()), len(correct)
    return Bin(n, float(confidence.mean()), hits / n, wilson_interval(hits, n))
