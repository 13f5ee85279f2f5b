"""Classification metrics computed from probabilities and labels.

In array shapes, `n` is the number of images and `k` is the number of classes. `confidence`, shape (n,), contains the
highest probability of each image. `correct`, shape (n,), says whether the class with the highest probability is the
label. `weights`, shape (n,), says how many images each image represents; if `weights` is missing, all weights are 1.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from registry.comparison import wilson_interval

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]
Interval = tuple[float, float]

BINS = 15


@dataclass(frozen=True)
class Proportion:
    """The proportion `correct` / `n`, with its 95 % Wilson interval. Both are None if `n` is 0."""

    correct: int
    n: int

    @property
    def value(self) -> float | None:
        """The proportion."""
        return self.correct / self.n if self.n else None

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval."""
        return wilson_interval(self.correct, self.n) if self.n else None


@dataclass(frozen=True)
class ClassScore:
    """Precision and recall of one class."""

    precision: Proportion
    recall: Proportion


class CurvePoint(TypedDict):
    """Coverage and accuracy of the images whose confidence reaches a threshold."""

    threshold: float
    coverage: float
    accuracy: float


class CalibrationBin(TypedDict):
    """Images of similar confidence: their number, mean confidence, and accuracy with its 95 % interval."""

    n: int
    confidence: float
    accuracy: float
    interval: Interval


def confusion_matrix(labels: Integers, predicted: Integers, classes: int) -> Integers:
    """Return counts of shape (k, k): rows are true labels, columns predicted classes."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def share(hits: Booleans, weights: Floats) -> tuple[float, Interval]:
    """Return the weighted proportion of hits, and its 95 % Wilson interval for the effective number of images.

    The effective number is n if all weights are equal. Source: Kish, "Survey Sampling", 1965, section 11.7.
    """
    effective = weights.sum() ** 2 / (weights**2).sum()
    value = float(weights[hits].sum() / weights.sum())
    return value, wilson_interval(value * float(effective), float(effective))


def class_scores(confusion: Integers) -> list[ClassScore]:
    """Return the precision and recall of each class."""
    correct, predicted, actual = confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1)
    return [
        ClassScore(Proportion(int(hits), int(columns)), Proportion(int(hits), int(rows)))
        for hits, columns, rows in zip(correct, predicted, actual, strict=True)
    ]


def coverage_curve(confidence: Floats, correct: Booleans, weights: Floats | None = None) -> list[CurvePoint]:
    """Return coverage and accuracy for each distinct confidence as the threshold, in ascending order of the threshold.

    Source: El-Yaniv and Wiener, "On the foundations of noise-free selective classification", 2010.
    """
    order = np.argsort(-confidence, kind="stable")
    descending = confidence[order]
    masses = (np.ones_like(confidence) if weights is None else weights)[order]
    hits, covered = np.cumsum(masses * correct[order]), np.cumsum(masses)
    # the last image of each confidence, because a threshold accepts either all images with a confidence or none
    ends = np.flatnonzero(np.append(np.diff(descending) != 0, True))
    points = [
        CurvePoint(
            threshold=float(descending[end]),
            coverage=float(covered[end] / covered[-1]),
            accuracy=float(hits[end] / covered[end]),
        )
        for end in ends
    ]
    return points[::-1]


def risk_coverage_area(curve: Sequence[CurvePoint]) -> float:
    """Return the area under the risk-coverage curve: the error rate averaged over all coverages. The best value is 0.

    Source: Geifman, Uziel and El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", 2019.
    """
    stricter = [point["coverage"] for point in curve[1:]] + [0.0]
    return sum(
        (1 - point["accuracy"]) * (point["coverage"] - less) for point, less in zip(curve, stricter, strict=True)
    )


def threshold_for(curve: Sequence[CurvePoint], precision: float) -> float:
    """Return the smallest threshold that reaches a precision, with as few digits as possible.

    Parameters
    ----------
    precision : target accuracy of the images at or above the threshold; at most the curve's highest accuracy
    """
    index = next(index for index, point in enumerate(curve) if point["accuracy"] >= precision)
    return _shortest(curve[index - 1]["threshold"] if index else 0.0, curve[index]["threshold"])


def _shortest(low: float, high: float) -> float:
    """Return a number with few digits that is above `low`, at most `high` and below 1.

    No image has a confidence between `low` and `high`, so the number accepts the same images as the threshold `high`.
    """
    for digits in range(1, sys.float_info.dig + 1):
        step = 10.0**digits
        candidate = min(math.floor(high * step), step - 1) / step
        if low < candidate <= high:
            return candidate
    return high


def calibration_bins(
    confidence: Floats, correct: Booleans, weights: Floats | None = None, *, bins: int = BINS
) -> list[CalibrationBin]:
    """Return the non-empty bins of equal width from 0 to 1; a bin includes its upper edge.

    Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017.
    """
    masses = np.ones_like(confidence) if weights is None else weights
    numbers = _bin_numbers(confidence, bins)
    return [
        _bin(confidence[members], correct[members], masses[members])
        for members in (numbers == each for each in np.unique(numbers))
    ]


def calibration_error(
    confidence: Floats, correct: Booleans, weights: Floats | None = None, *, bins: int = BINS
) -> float:
    """Return the expected calibration error: the mean of |confidence - accuracy| over the bins, weighted by bin size.

    Source: as `calibration_bins`.
    """
    masses = np.ones_like(confidence) if weights is None else weights
    excess = np.bincount(_bin_numbers(confidence, bins), weights=masses * (confidence - correct))
    return float(np.abs(excess).sum() / masses.sum())


def _bin_numbers(confidence: Floats, bins: int) -> Integers:
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


def _bin(confidence: Floats, correct: Booleans, weights: Floats) -> CalibrationBin:
    accuracy, interval = share(correct, weights)
    mean = float(np.average(confidence, weights=weights))
    return CalibrationBin(n=len(correct), confidence=mean, accuracy=accuracy, interval=interval)


def percent(value: float | None) -> str:
    """Format a proportion; None becomes a dash."""
    return "-" if value is None else f"{value:.1%}"
