"""Test whether two samples have the same distribution. The module needs no SciPy, which the model's container lacks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Counts = NDArray[np.int64]

PERMUTATIONS = 19_999  # the smallest p-value is 1 / 20,000
EXCEEDANCES = 20  # the test ends after this number of permutations that are as extreme as the observation
BATCH = 500  # permutations that are computed at once


def population_stability_index(baseline: Counts, window: Counts) -> float:
    """Return the population stability index of two samples' counts per bin.

    The index is the symmetric Kullback-Leibler divergence of the shares of examples per bin. Half an example is added
    to each bin, because a share of zero has no logarithm.

    Source: Siddiqi, "Credit Risk Scorecards", 2006, which calls 0.1 a small change and 0.25 a significant change.
    """
    expected, actual = ((counts + 0.5) / (counts + 0.5).sum() for counts in (baseline, window))
    return float(((actual - expected) * np.log(actual / expected)).sum())


def kolmogorov_smirnov(first: Values, second: Values) -> tuple[float, float]:
    """Return the statistic of the two-sample Kolmogorov-Smirnov test and its exact two-sided p-value.

    Together, the empirical distribution functions of both samples form a path on a grid of n x m steps. If both samples
    have the same distribution, all paths are equally likely. The p-value is the share of paths whose statistic is at
    least as large as the observed statistic. If the samples contain equal values, the p-value is too large rather than
    too small.

    Source: Hodges, "The significance probability of the Smirnov two-sample test", 1958.
    """
    n, m = len(first), len(second)
    points = np.sort(np.concatenate([first, second]))
    below_first = np.searchsorted(np.sort(first), points, side="right")
    below_second = np.searchsorted(np.sort(second), points, side="right")
    distance = int(np.abs(below_first * m - below_second * n).max())  # whole numbers avoid rounding
    steps = np.arange(n + 1)  # number of steps along the first sample; a path's other steps are along the second sample
    inside = np.zeros(n + 1)
    inside[0] = 1.0
    for length in range(1, n + m + 1):
        # share of the paths to each grid point that stay in the band, computed from the shares of its two predecessors
        inside[1:] = (steps[1:] * inside[:-1] + (length - steps[1:]) * inside[1:]) / length
        inside *= np.abs(steps * m - (length - steps) * n) < distance
    return distance / (n * m), float(min(max(1 - inside[n], 0), 1))


def energy_distance(first: Values, second: Values, generator: np.random.Generator) -> tuple[float, float]:
    """Return the energy distance of two samples of vectors, and the p-value of its permutation test.

    The test stops after EXCEEDANCES permutations that are at least as extreme as the observation.

    Sources: Székely and Rizzo, "Energy statistics: a class of statistics based on distances", 2013; for the early stop,
    Besag and Clifford, "Sequential Monte Carlo p-values", 1991.

    Parameters
    ----------
    first, second : vectors of the two samples, n x d and m x d
    generator : random number generator that draws the permutations
    """
    pooled = np.concatenate([first, second])
    distances = euclidean_distances(pooled, pooled)
    # With weights 1 / n and -1 / m the energy distance is minus the quadratic form of the distances.
    weights = np.concatenate([np.full(len(first), 1 / len(first)), np.full(len(second), -1 / len(second))])
    observed = -float(weights @ distances @ weights)
    extreme = drawn = 0
    while drawn < PERMUTATIONS:
        batch = generator.permuted(np.tile(weights, (min(BATCH, PERMUTATIONS - drawn), 1)), axis=1)
        reached = -((batch @ distances) * batch).sum(1) >= observed - 1e-12
        if extreme + reached.sum() >= EXCEEDANCES:
            last = int(np.flatnonzero(reached)[EXCEEDANCES - extreme - 1])
            return observed, EXCEEDANCES / (drawn + last + 1)
        extreme, drawn = extreme + int(reached.sum()), drawn + len(batch)
    return observed, (1 + extreme) / (1 + drawn)


def euclidean_distances(first: Values, second: Values) -> Values:
    """Return the distances, n x m, between the rows of two matrices, n x d and m x d."""
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    distances: Values = np.sqrt(np.maximum(squares, 0))
    return distances


def class_mix(first: Counts, second: Counts, generator: np.random.Generator) -> tuple[float, float]:
    """Return the chi-square statistic of two samples' counts per class, and the p-value of its permutation test.

    A permutation test is also valid for rare classes, for which the chi-square distribution is not.
    """
    pooled = first + second
    present = pooled > 0
    first, pooled = first[present], pooled[present]
    total, size = int(pooled.sum()), int(first.sum())
    # The sum of both samples' counts is constant for each class, so the first sample's counts determine the second's,
    # and `statistic` needs only the first.
    expected = pooled * (size / total)
    scale = total / (total - size) / expected

    def statistic(counts: NDArray[np.int64]) -> NDArray[np.float64]:
        values: NDArray[np.float64] = ((counts - expected) ** 2 * scale).sum(-1)
        return values

    observed = float(statistic(first))
    drawn = statistic(generator.multivariate_hypergeometric(pooled, size, PERMUTATIONS))
    return observed, float(1 + (drawn >= observed - 1e-9).sum()) / (1 + PERMUTATIONS)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values in the given order, adjusted for testing all hypotheses together.

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min((len(p_values) - rank) * p_values[index], 1.0))
        adjusted[index] = largest
    return adjusted
