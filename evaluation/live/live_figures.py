"""Compute metrics of labelled images. The weight of an image is the number of images that it represents."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.evaluate import ClassMetrics
from evaluation.live.join import LabelledImage
from evaluation.live.results import Estimate, Figures
from evaluation.metrics import (
    BINS,
    Booleans,
    Floats,
    Integers,
    calibration_bins,
    calibration_error,
    coverage_curve,
    share,
)


@dataclass(frozen=True)
class Arrays:
    """Labelled images as arrays of shape (n,). If an image shows none of the classes, `label` is their number."""

    confidence: Floats
    predicted: Integers
    label: Integers

    @property
    def correct(self) -> Booleans:
        """Whether each image is classified correctly."""
        return np.equal(self.predicted, self.label)


def to_arrays(images: Sequence[LabelledImage]) -> Arrays:
    """Return labelled images as arrays."""
    return Arrays(
        np.array([image.prediction.confidence for image in images], dtype=np.float64),
        np.array([image.prediction.class_number for image in images], dtype=np.int64),
        np.array([image.label for image in images], dtype=np.int64),
    )


def estimate(hits: Booleans, members: Booleans, weights: Floats) -> Estimate:
    """Return the weighted proportion of hits among members, with its Wilson interval."""
    n = int(members.sum())
    if not n:
        return {"value": None, "interval": None, "n": 0}
    value, interval = share(hits[members], weights[members])
    return {"value": value, "interval": interval, "n": n}


def compute_figures(images: Arrays, weights: Floats, classes: Sequence[str], threshold: float) -> Figures:
    """Compute the metrics of labelled images, of which there must be at least one."""
    everything = np.ones(len(weights), dtype=np.bool_)
    is_above = images.confidence >= threshold
    confusion = np.zeros((len(classes) + 1, len(classes)))
    np.add.at(confusion, (images.label, images.predicted), weights)
    return {
        "accuracy": estimate(images.correct, everything, weights),
        "coverage": estimate(is_above, everything, weights),
        "precision": estimate(images.correct, is_above, weights),
        "confusion": confusion.tolist(),
        "per_class": _per_class(images, weights, classes),
        "curve": coverage_curve(images.confidence, images.correct, weights),
        "calibration": {
            "expected_calibration_error": calibration_error(images.confidence, images.correct, weights),
            "binning": f"{BINS} bins of equal width",
            "mean_confidence": float(np.average(images.confidence, weights=weights)),
            "bins": calibration_bins(images.confidence, images.correct, weights),
        },
    }


def _per_class(images: Arrays, weights: Floats, classes: Sequence[str]) -> list[ClassMetrics]:
    """Return the metrics of each class in ascending order of recall; classes without images come last."""
    metrics: list[ClassMetrics] = []
    for number, name in enumerate(classes):
        precision = estimate(images.correct, images.predicted == number, weights)
        recall = estimate(images.correct, images.label == number, weights)
        metrics.append(
            {
                "class": name,
                "images": recall["n"],
                "precision": precision["value"],
                "precision_interval": precision["interval"],
                "recall": recall["value"],
                "recall_interval": recall["interval"],
            }
        )
    return sorted(metrics, key=lambda each: 2 if each["recall"] is None else each["recall"])
