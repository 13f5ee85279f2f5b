"""Estimate metrics of all traffic from images that were selected for review with known probabilities.

The traffic has two strata: the images below the threshold, which are all selected, and the images at or above the
threshold, which are selected with a small probability. The weight of a labelled image is the number of captured images
that it represents: 1 / its inclusion probability, scaled so that the weights of each stratum add up to the number of
images that were captured in this stratum. This is the Hajek estimator in each stratum: Särndal, Swensson and Wretman,
"Model Assisted Survey Sampling", 1992, sections 5.7 and 7.3.

Intervals are computed with the Bayesian bootstrap for a finite population, with a fixed random seed: Rubin, "The
Bayesian bootstrap", 1981; Lo, "A Bayesian bootstrap for a finite population", 1988. Each replicate draws, for every
captured image without a label, a labelled image that it resembles. If all images are labelled, nothing is drawn, so the
interval has the length 0. As a prior (Jeffreys), each stratum gets half a correctly classified image and half a
misclassified image in addition. Without this prior, a stratum without a mistake would have an interval of length 0:
Brown, Cai and DasGupta, "Interval estimation for a binomial proportion", 2001. Metrics of a class use the prior in both
strata, because a small sample may contain no image of the class in one of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.capture_table import Captures
from evaluation.live.join import LabelledImage
from evaluation.metrics import Booleans, CurvePoint, Floats, Integers, Interval, threshold_for
from evaluation.review.selection import position

REPLICATES = 2000
BLOCK = 100  # number of replicates in memory at the same time
SEED = 16
QUANTILES = (0.025, 0.975)
ROUNDING = 1e-12  # tolerance for rounding errors in sums of weights
METHOD = (
    "Each reviewed image is weighted by 1 / its probability of being selected. The weights are scaled to the number of "
    "captured images below the threshold, and at or above it (Särndal, Swensson and Wretman, Model Assisted Survey "
    "Sampling, 1992). Intervals: Bayesian bootstrap of both groups (Rubin, 1981; Lo, 1988) with the prior of Jeffreys."
)


@dataclass(frozen=True)
class Sample:
    """Labelled images of a model. All arrays except `totals` have the shape (n,).

    Attributes
    ----------
    confidence : confidence of each image's prediction
    correct : whether each image was classified correctly
    stratum : number of each image's stratum
    probability : probability that each image was selected
    totals : number of captured images in each stratum, shape (strata,); a stratum with captured images also has
        labelled images
    """

    confidence: Floats
    correct: Booleans
    stratum: Integers
    probability: Floats
    totals: Floats

    @property
    def weights(self) -> Floats:
        """The number of captured images that each image represents; in each stratum, the sum equals `totals`."""
        base = 1 / self.probability
        sums = np.bincount(self.stratum, weights=base, minlength=len(self.totals))
        weights: Floats = base * (self.totals / np.where(sums > 0, sums, 1))[self.stratum]
        return weights

    def mean_intervals(
        self, values: Floats, prior: tuple[float, float], domains: Booleans, strata: Booleans
    ) -> list[Interval]:
        """Return the 95 % interval of the weighted mean of values in each domain, such as the images of a class.

        Parameters
        ----------
        values : value of each image, shape (n,)
        prior : values of the two additional half images of each stratum
        domains : whether each image is in each domain, shape (domains, n); each domain contains at least one image
        strata : whether each domain can contain captured images of each stratum, shape (domains, strata)
        """
        counted = np.concatenate([domains, np.repeat(strata, 2, axis=1)], axis=1).astype(float).T
        extended = np.concatenate([values, np.tile(np.array(prior), len(self.totals))])[:, np.newaxis]
        blocks = [(block @ (counted * extended)) / (block @ counted) for block in self._replicates()]
        weights = self.weights
        estimates = [float(np.average(values[members], weights=weights[members])) for members in domains]
        ends = (_interval(means) for means in np.concatenate(blocks).T)
        return [(min(low, value), max(high, value)) for (low, high), value in zip(ends, estimates, strict=True)]

    def mean_interval(self, values: Floats, prior: tuple[float, float], members: Booleans | None = None) -> Interval:
        """Return the 95 % interval of the weighted mean of values.

        Parameters
        ----------
        values, prior : see `mean_intervals`
        members : whether each image is included, shape (n,); by default, all images are included
        """
        members = np.ones(len(values), dtype=np.bool_) if members is None else members
        has_members = np.isin(np.arange(len(self.totals)), self.stratum[members])
        return self.mean_intervals(values, prior, members[np.newaxis], has_members[np.newaxis])[0]

    def threshold_interval(self, precision: float) -> Interval:
        """Return the 95 % interval of the smallest threshold that reaches a precision.

        In a replicate in which no threshold reaches the precision, the threshold is 1.
        """
        order = np.argsort(-self.confidence, kind="stable")
        descending, hits = self.confidence[order], self.correct[order].astype(float)
        ends = np.flatnonzero(np.append(np.diff(descending) != 0, True))
        found: list[Floats] = []
        for block in self._replicates():
            weights = block[:, : len(hits)][:, order]
            covered = np.cumsum(weights, axis=1)[:, ends]
            is_reached = np.cumsum(weights * hits, axis=1)[:, ends] >= (precision - ROUNDING) * covered
            last = len(ends) - 1 - is_reached[:, ::-1].argmax(axis=1)
            found.append(np.where(is_reached.any(axis=1), descending[ends][last], 1.0))
        return _interval(np.concatenate(found))

    def _replicates(self) -> Iterator[Floats]:
        """Yield blocks of replicates. A row is a replicate: the number of captured images like each labelled image.

        The columns after the labelled images belong to the prior: two columns for each stratum.
        """
        random = np.random.default_rng(SEED)
        strata = np.flatnonzero(np.bincount(self.stratum, minlength=len(self.totals)))
        others = np.maximum(self.weights - 1, 0)  # images without a label that each image represents
        shapes = np.concatenate([np.ones(len(others)), np.full(2 * len(self.totals), 0.5)])
        for _ in range(REPLICATES // BLOCK):
            counts = np.zeros((BLOCK, len(shapes)))
            counts[:, : len(others)] = 1
            for number in strata:
                images = np.flatnonzero(self.stratum == number)
                unlabelled = round(self.totals[number]) - len(images)
                if unlabelled <= 0:
                    continue
                columns = np.append(images, len(others) + 2 * number + np.arange(2))
                masses = np.append(others[images], np.full(2, others[images].mean()))
                drawn = random.gamma(shapes[columns], size=(BLOCK, len(columns))) * masses
                shares = drawn / drawn.sum(axis=1, keepdims=True)
                counts[:, columns] += random.multinomial(unlabelled, shares)
            yield counts


def sample_of(images: Sequence[LabelledImage], captures: Captures, threshold: float) -> Sample | None:
    """Return the labelled images with a known inclusion probability, as a sample of all captured images.

    Return None if a stratum (below the threshold, or at or above it) has captured images, but no such labelled image.

    Parameters
    ----------
    images : labelled images; images whose inclusion probability is not known are left out
    threshold : confidence threshold between the strata
    """
    selected = [image for image in images if image.inclusion_probability is not None]
    above = captures.count_at_least(threshold)
    totals = np.array([len(captures) - above, above], dtype=np.float64)
    confidence = np.array([image.prediction.confidence for image in selected], dtype=np.float64)
    stratum = (confidence >= threshold).astype(np.int64)
    if not selected or (np.bincount(stratum, minlength=2)[totals > 0] == 0).any():
        return None
    correct = np.array([image.prediction.class_number == image.label for image in selected], dtype=np.bool_)
    probability = np.array([image.inclusion_probability for image in selected], dtype=np.float64)
    return Sample(confidence, correct, stratum, probability, totals)


def audit_sample(images: Sequence[LabelledImage]) -> Booleans:
    """Return whether each labelled image is part of a simple random sample of all traffic, shape (n,).

    Audit samples of different rates do not form a simple random sample together: a sample with a high rate, from an
    hour with little traffic, would count too much. An image is selected if the number that is computed from its ID is
    below the rate. The images that the lowest rate selects are therefore a simple random sample with this rate.
    """
    lowest = min((image.audit_rate for image in images if image.audit_rate is not None), default=0.0)
    return np.array(
        [image.audit_rate is not None and position(image.prediction.id) < lowest for image in images], dtype=np.bool_
    )


def simple_sample_of(images: Sequence[LabelledImage], captures: Captures) -> Sample:
    """Return labelled images as if they were a simple random sample of all captured images."""
    confidence = np.array([image.prediction.confidence for image in images], dtype=np.float64)
    correct = np.array([image.prediction.class_number == image.label for image in images], dtype=np.bool_)
    n = len(images)
    return Sample(confidence, correct, np.zeros(n, dtype=np.int64), np.ones(n), np.array([float(len(captures))]))


def smallest_threshold(curve: Sequence[CurvePoint], precision: float) -> float | None:
    """Return the smallest threshold that reaches a precision, with few digits; None if no threshold reaches it."""
    is_reached = any(point["accuracy"] >= precision - ROUNDING for point in curve)
    return threshold_for(curve, precision - ROUNDING) if is_reached else None


def _interval(values: Floats) -> Interval:
    low, high = np.quantile(values, QUANTILES)
    return float(low), float(high)
