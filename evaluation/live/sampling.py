"""Estimate metrics of all traffic from images that were selected for review with known probabilities.

`make select` selects every image with a confidence below the threshold, and a small random share of the images with a
confidence at or above it. These two groups are the strata. Each selected image has the weight 1 / inclusion
probability. The weights are scaled so that they sum to the number of captured images in each stratum. This is the Hajek
estimator in each stratum: Särndal, Swensson and Wretman, "Model Assisted Survey Sampling", 1992, sections 5.7 and 7.3.

Intervals come from the Bayesian bootstrap for a finite population, with a fixed seed: Rubin, "The Bayesian bootstrap",
1981; Lo, "A Bayesian bootstrap for a finite population", 1988. Each replicate simulates the unlabelled images, so an
interval has the length 0 if every captured image is labelled. The Jeffreys prior adds two pseudo-observations of weight
1/2 to each stratum, one correct and one misclassified. Without this prior, the interval of a stratum in which all
labelled images are correct would have the length 0: Brown, Cai and DasGupta, "Interval estimation for a binomial
proportion", 2001. The metrics of a class have the pseudo-observations of both strata, because a small sample may
contain no image of the class in one stratum.
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
ROUNDING = 1e-12  # tolerance for rounding errors in sums of weights
METHOD = (
    "Each reviewed image is weighted by 1 / its probability of being selected. The weights are scaled so that they sum "
    "to the number of captured images in each group: below the threshold, and at or above it (Särndal, Swensson and "
    "Wretman, Model Assisted Survey Sampling, 1992). Intervals: Bayesian bootstrap of both groups (Rubin, 1981; Lo, "
    "1988) with the Jeffreys prior; of calibration bins, Wilson intervals for the effective number of images (Kish, "
    "Survey Sampling, 1965)."
)


@dataclass(frozen=True)
class Sample:
    """n labelled images of a model. All attributes but `totals` have the shape (n,).

    Attributes
    ----------
    confidence : predicted probability of the predicted class
    correct : whether the prediction is correct
    stratum : number of the image's stratum
    probability : probability with which the image was selected
    totals : number of captured images in each stratum, shape (strata,); a stratum that has captured images has at least
        one labelled image
    """

    confidence: Floats
    correct: Booleans
    stratum: Integers
    probability: Floats
    totals: Floats

    @property
    def weights(self) -> Floats:
        """Number of captured images that each image represents; the numbers of a stratum sum to its total."""
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
        prior : values of the two pseudo-observations of each stratum
        domains : mask of the images in each domain, shape (domains, n); a domain has at least one image
        strata : whether a domain can have captured images in a stratum, shape (domains, strata)
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
        values, prior : as in `mean_intervals`
        members : mask of the images in the mean, shape (n,); all images by default. In a stratum, the mask must select
            all images, no image, or the images above a threshold
        """
        members = np.ones(len(values), dtype=np.bool_) if members is None else members
        return self.mean_intervals(values, prior, members[np.newaxis], self.strata_of(members)[np.newaxis])[0]

    def strata_of(self, members: Booleans) -> Booleans:
        """Return a mask of the strata that contain at least one of the images in `members`, shape (strata,)."""
        has_members: Booleans = np.isin(np.arange(len(self.totals)), self.stratum[members])
        return has_members

    def threshold_interval(self, precision: float) -> Interval:
        """Return the 95 % interval of the smallest threshold that reaches a precision.

        A replicate in which no threshold reaches the precision counts as a threshold of 1.
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
        """Yield blocks of replicates with one replicate per row.

        The first n columns are the simulated numbers of captured images that each labelled image represents. Two
        columns per stratum follow, for the pseudo-observations of the prior.
        """
        random = np.random.default_rng(SEED)
        strata = np.flatnonzero(np.bincount(self.stratum, minlength=len(self.totals)))
        others = np.maximum(self.weights - 1, 0)  # number of unlabelled images that each image represents
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
    """Return a sample that represents all captured images, from the labelled images with a known inclusion probability.

    None if a stratum has captured images, but no such labelled image.

    Parameters
    ----------
    images : labelled images; images without an inclusion probability are left out
    threshold : confidence that separates the two strata
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
    """Return a mask of the labelled images that form a simple random sample of all traffic, shape (n,).

    Audit samples that were selected with different rates do not form one simple random sample together: a time range
    with a higher rate would be over-represented. An image is selected if the hash of its ID, scaled to [0, 1), is below
    the rate. Therefore the images whose hash is below the lowest rate form a sample with that rate.
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
