"""What is counted and estimated from probabilities and labels; arrays in, plain numbers out.

`n` is the number of images, `k` of classes; `confidence` is the highest probability of an image, shape (n,);
`correct` says whether that class is its label, shape (n,).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.judge import wilson_interval

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

BINS = 10


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


def calibration_bins(confidence: Floats, correct: Booleans, *, bins: int = BINS) -> list[Bin]:
    """Bins of equal mass: each holds the same number of images, give or take one.

    Source: Nguyen and O'Connor, "Posterior calibration and exploratory analysis for natural language
    processing models", 2015. Bins of equal width would leave most of them nearly empty, since a classifier's
    confidences crowd near 1.
    """
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return [_bin(confidence[part], correct[part]) for part in parts]


def calibration_error(bins: list[Bin]) -> float:
    """Expected calibration error: the mean distance of confidence from accuracy, weighted by the bins' sizes.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", 2015.
    """
    n = sum(each.n for each in bins)
    return sum(each.n * abs(each.accuracy - each.confidence) for each in bins) / n


def _bin(confidence: Floats, correct: Booleans) -> Bin:
    hits, n = int(correct.sum()), len(correct)
    return Bin(n, float(confidence.mean()), hits / n, wilson_interval(hits, n))
