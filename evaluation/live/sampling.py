"""Estimate figures of all traffic from images that were selected for review with known probabilities.

Images below the threshold are all selected, and those at or above it with a small probability. An image counts as many
times as it represents images: 1 / its inclusion probability, scaled so that each stratum (below the threshold, and at
or above it) counts as many images as were captured. This is the Hajek estimator in each stratum: Särndal, Swensson and
Wretman, "Model Assisted Survey Sampling", 1992, sections 5.7 and 7.3.

Intervals come from the Bayesian bootstrap, which is seeded: Rubin, "The Bayesian bootstrap", 1981. Two changes make
the intervals hold for few images. First, each stratum has half an image that is classified correctly and half a
misclassified one in addition, the prior of Jeffreys. Without it, a stratum without a mistake would have an interval of
length 0: Brown, Cai and DasGupta, "Interval estimation for a binomial proportion", 2001. Second, the variation is
reduced by the share of the stratum that is labelled, as for every sample without replacement: Rao and Wu, "Resampling
inference with complex survey data", 1988.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.capture_table import Captures
from evaluation.live.join import LabelledImage
from evaluation.metrics import Booleans, CurvePoint, Floats, Integers, Interval, threshold_for
from evaluation.review.selection import position

REPLICATES = 2000
BLOCK = 100  # replicates in memory at the same time
SEED = 16
QUANTILES = (0.025, 0.975)
ROUNDING = 1e-12  # of sums of weights
METHOD = (
    "Each reviewed image is weighted by 1 / its probability of being selected. The weights are scaled to the number of "
    "captured images below the threshold, and at or above it (Särndal, Swensson and Wretman, Model Assisted Survey "
    "Sampling, 1992). Intervals: Bayesian bootstrap within both groups (Rubin, 1981) with the prior of Jeffreys; by "
    "class, Wilson intervals for the effective number of images (Kish, Survey Sampling, 1965)."
)


@dataclass(frozen=True)
class Sample:
    """Labelled images of a model, of shape (n,) each.

    Attributes
    ----------
    confidence, correct : of each image
    stratum : number of each image's stratum
    probability : with which each image was selected
    totals : number of captured images in each stratum, shape (strata,); each stratum with captured images has labelled
        ones
    """

    confidence: Floats
    correct: Booleans
    stratum: Integers
    probability: Floats
    totals: Floats

    @property
    def weights(self) -> Floats:
        """How many captured images each image represents."""
        return self._scaled(1 / self.probability, self.stratum)

    def mean_interval(self, values: Floats, prior: tuple[float, float], members: Booleans | None = None) -> Interval:
        """Return the 95 % interval of the weighted mean of values.

        Parameters
        ----------
        values : of each image
        prior : values of the two additional half images of each stratum
        members : whether each image counts; all by default, otherwise all images of a stratum or those above a
            threshold in it
        """
        members = np.ones(len(values), dtype=np.bool_) if members is None else members
        has_members = np.isin(np.arange(len(self.totals)), self.stratum[members])
        counted = np.concatenate([members, np.repeat(has_members, 2)]).astype(float)
        extended = np.concatenate([values, np.tile(np.array(prior), len(self.totals))])
        means = [(block @ (counted * extended)) / (block @ counted) for block in self._replicates()]
        return _interval(np.concatenate(means))

    def threshold_interval(self, precision: float) -> Interval:
        """Return the 95 % interval of the smallest threshold with a precision; 1 if no threshold reaches it."""
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
        """Yield blocks of weights, one row for each replicate; the last two columns of each stratum are the prior's."""
        random = np.random.default_rng(SEED)
        strata = len(self.totals)
        base = 1 / self.probability
        sizes = np.bincount(self.stratum, minlength=strata)
        means = np.bincount(self.stratum, weights=base, minlength=strata) / np.maximum(sizes, 1)
        unlabelled = 1 - np.minimum(sizes / np.maximum(self.totals, 1), 1)
        masses = np.concatenate([base, np.repeat(means, 2)])
        strata_of = np.concatenate([self.stratum, np.repeat(np.arange(strata), 2)])
        shapes = np.concatenate([np.ones(len(base)), np.full(2 * strata, 0.5)])
        spread = np.sqrt(unlabelled)[strata_of]
        is_image = np.arange(len(masses)) < len(base)
        for _ in range(REPLICATES // BLOCK):
            drawn = random.gamma(shapes, size=(BLOCK, len(masses)))
            factors = np.where(is_image, 1 + spread * (drawn - 1), spread**2 * drawn)
            yield self._scaled(masses * factors, strata_of)

    def _scaled(self, weights: Floats, stratum: Integers) -> Floats:
        """Scale weights, of shape (..., n), so that their sum in each stratum is the number of captured images."""
        members = (stratum[:, np.newaxis] == np.arange(len(self.totals))).astype(float)
        sums = weights @ members
        factors = np.divide(self.totals, sums, out=np.zeros_like(sums), where=sums > 0)
        scaled: Floats = weights * factors[..., stratum]
        return scaled


def sample_of(images: Sequence[LabelledImage], captures: Captures, threshold: float) -> Sample | None:
    """Return the sample of all captured images, by the images' probabilities of being selected.

    None if no labelled image represents the captured images below the threshold, or those at or above it.

    Parameters
    ----------
    images : labelled images; those without a probability are left out
    threshold : between the strata
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
    """Return which labelled images are a simple random sample of all traffic, shape (n,).

    Audit samples that were selected with different rates are not, together: one of an hour with little traffic would
    count too much. Whether an image is selected depends on the place of its ID, so the images that the lowest rate
    would have selected too are a sample with that rate.
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
    """Return the smallest threshold with a precision, with as few digits as possible; None if none reaches it."""
    is_reached = any(point["accuracy"] >= precision - ROUNDING for point in curve)
    return threshold_for(curve, precision - ROUNDING) if is_reached else None


def _interval(values: Floats) -> Interval:
    low, high = np.quantile(values, QUANTILES)
    return float(low), float(high)
