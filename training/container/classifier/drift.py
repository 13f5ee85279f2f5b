"""Compare the images that were classified in a period, the window, with a model's baseline.

Four groups of properties are tested: the confidence, the predicted classes, the image statistics and the embedding. A
property has drifted if its test is significant after Holm's correction over all tests, and its population stability
index reaches MIN_STABILITY_INDEX. The embedding has no stability index, so only its test counts. A group has drifted if
one of its properties has drifted.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import image_statistics
from .baseline import Sample, rounded
from .two_sample_tests import (
    class_mix,
    energy_distance,
    euclidean_distances,
    holm,
    kolmogorov_smirnov,
    population_stability_index,
)

CONFIDENCE, CLASSES, IMAGES, EMBEDDING = GROUPS = ("confidence", "classes", "image_statistics", "embedding")

# Significance level of all tests together. All windows are compared with the same baseline, whose random error the
# tests attribute to the windows. With an unlucky baseline, the level 0.01 would therefore give false alarms for more
# than 1 % of unchanged windows. `python -m benchmarks.drift` measures false alarms and detections.
FAMILY_WISE_LEVEL = 0.001
MIN_STABILITY_INDEX = 0.1  # population stability index below which a change is ignored
# Smallest number of images in a window. The benchmark's changed class mix was detected in all of 100 windows of 100
# images, but only in 57 of 100 windows of 50 images.
MIN_IMAGES = 100
MIN_BASELINE_IMAGES = 50
BINS = 10  # number of bins of the stability index; their edges are the baseline's deciles
HISTOGRAM_BINS = 20
SEED = 0  # random seed of the permutation tests; it is constant, so that a window always gives the same result
NEIGHBOURS = 5  # number of nearest images to which an image's mean distance is measured
EPSILON = 1e-9


@dataclass(frozen=True)
class Measurement:
    """One test of one property.

    Attributes
    ----------
    group : group of properties to which the property belongs
    name : name of the property
    kind : name of the test
    statistic, p_value : result of the test
    stability_index : population stability index; None for the embedding
    """

    group: str
    name: str
    kind: str
    statistic: float
    p_value: float
    stability_index: float | None


@dataclass(frozen=True)
class Change(Measurement):
    """The measured change of one property.

    Attributes
    ----------
    adjusted : p-value after Holm's correction
    has_drifted : whether the property has drifted
    """

    adjusted: float
    has_drifted: bool


def compare(baseline: Sample, window: Sample) -> list[Change]:
    """Test for each property whether the window differs from the baseline.

    The image statistics and the embedding are tested only if at least MIN_IMAGES images of the window can be decoded.
    """
    measured = list(_measure(baseline, window))
    adjusted = holm([each.p_value for each in measured])
    return [
        Change(**vars(each), adjusted=value, has_drifted=value < FAMILY_WISE_LEVEL and _matters(each))
        for each, value in zip(measured, adjusted, strict=True)
    ]


def _matters(measured: Measurement) -> bool:
    return measured.stability_index is None or measured.stability_index >= MIN_STABILITY_INDEX


def _measure(baseline: Sample, window: Sample) -> Iterator[Measurement]:
    generator = np.random.default_rng(SEED)
    has_images = len(window.embeddings) >= MIN_IMAGES
    for name, values in window.statistics.items():
        if name in image_statistics.NAMES and not has_images:
            continue
        group = IMAGES if name in image_statistics.NAMES else CONFIDENCE
        # rounded like the values in the baseline's file, because the test distinguishes any two different values
        reference, values = baseline.statistics[name], np.array(rounded(values))
        index = population_stability_index(*(_decile_counts(reference, each) for each in (reference, values)))
        yield Measurement(group, name, "Kolmogorov-Smirnov", *kolmogorov_smirnov(reference, values), index)
    index = population_stability_index(baseline.predicted, window.predicted)
    mix = class_mix(baseline.predicted, window.predicted, generator)
    yield Measurement(CLASSES, "predicted class", "chi-square, permutations", *mix, index)
    if has_images:
        distance = energy_distance(baseline.embeddings, window.embeddings, generator)
        yield Measurement(EMBEDDING, "embedding", "energy distance, permutations", *distance, None)


def _decile_counts(baseline: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    edges = np.unique(np.quantile(baseline, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


def drifted_groups(results: list[Change]) -> dict[str, bool]:
    """Return for each tested group whether it has drifted."""
    return {
        group: any(each.has_drifted for each in results if each.group == group)
        for group in GROUPS
        if any(each.group == group for each in results)
    }


@dataclass(frozen=True)
class Histogram:
    """The counts of a baseline and a window in bins of equal width."""

    edges: list[float]
    baseline: list[int]
    window: list[int]


def histogram(baseline: NDArray[np.float64], window: NDArray[np.float64]) -> Histogram:
    """Return the histogram of a statistic in the baseline and in the window."""
    edges = np.histogram_bin_edges(np.concatenate([baseline, window]), HISTOGRAM_BINS)
    counts = (np.histogram(values, edges)[0].tolist() for values in (baseline, window))
    return Histogram(edges.tolist(), *counts)


def unusual_images(baseline: Sample, window: Sample, count: int) -> list[tuple[int, float]]:
    """Return the images of a window that show best how the window differs from the baseline.

    These images are far from the baseline and close to other images of the window. An image that is far from both is
    only an outlier, which every set of images contains.

    Parameters
    ----------
    window : sample with more than NEIGHBOURS images that could be decoded
    count : largest number of images to return

    Returns
    -------
    list of int, float
        For each image: its index among the decoded images of the window, counted from 0, and its mean distance to the
        nearest images of the baseline, in standard deviations of the baseline.
    """
    reference, captured = vectors(baseline), vectors(window)
    mean, scale = reference.mean(0), reference.std(0) + EPSILON
    reference, captured = (reference - mean) / scale, (captured - mean) / scale
    to_baseline = np.sort(euclidean_distances(captured, reference), axis=1)[:, :NEIGHBOURS].mean(1)
    # the first distance is left out: it is the distance of each image to itself
    to_window = np.sort(euclidean_distances(captured, captured), axis=1)[:, 1 : NEIGHBOURS + 1].mean(1)
    order = np.argsort(to_window / (to_baseline + EPSILON), kind="stable")[:count]
    return [(int(number), float(to_baseline[number])) for number in order]


def vectors(sample: Sample) -> NDArray[np.float64]:
    """Return a matrix, n x number of properties, with the image statistics and the embedding of each image."""
    columns = [sample.statistics[name] for name in image_statistics.NAMES]
    return np.column_stack([*columns, sample.embeddings])
