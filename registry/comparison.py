"""A model's accuracy on the validation images, and the comparison of two models on the same images."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb, sqrt

Z = 1.959963984540054  # 97.5 % quantile of the normal distribution, for 95 % intervals


@dataclass(frozen=True)
class Score:
    """A model's accuracy on the validation images.

    Attributes
    ----------
    correct : number of correctly classified images
    n : number of all images
    validation_set : fingerprint of the validation images; scores on different images are not comparable
    correct_by_image : whether each image was classified correctly, by the image's name; None if unknown
    best_of : number of models from which this model was selected by their accuracy on the same images; a number above 1
        means that the accuracy is biased upwards
    """

    correct: int
    n: int
    validation_set: str
    correct_by_image: Mapping[str, bool] | None = None
    best_of: int = 1

    @property
    def accuracy(self) -> float:
        """Proportion of correctly classified images."""
        return self.correct / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the accuracy."""
        return wilson_interval(self.correct, self.n)

    def __str__(self) -> str:
        low, high = self.interval
        selected = f", best of {self.best_of} models, selected on the same images" if self.best_of > 1 else ""
        return f"validation accuracy {self.accuracy:.3f} ({low:.3f} to {high:.3f}, n={self.n}){selected}"


def wilson_interval(correct: float, n: float) -> tuple[float, float]:
    """Return the 95 % confidence interval of a proportion; the numbers are not integers if images have weights.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Examples
    --------
    >>> low, high = wilson_interval(45, 50)
    >>> round(low, 4), round(high, 4)
    (0.7864, 0.9565)
    """
    if n == 0:
        return 0.0, 1.0
    share = correct / n
    middle = share + Z**2 / (2 * n)
    spread = Z * sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    scale = 1 + Z**2 / n
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


@dataclass(frozen=True)
class Comparison:
    """A comparison of a candidate with the model in use on the same images.

    Attributes
    ----------
    gained : number of images that only the candidate classified correctly
    lost : number of images that only the model in use classified correctly
    """

    gained: int
    lost: int

    @property
    def p_value(self) -> float:
        """Probability that two equally good models differ at least this much in favour of the model in use.

        This is the exact (binomial) form of McNemar's test. Under the null hypothesis, an image that only one of the
        models classifies correctly is equally likely to be gained or lost. The test is one-sided, because the quality
        gate only rejects models that are worse. Source: McNemar, "Note on the sampling error of the difference between
        correlated proportions or percentages", 1947.

        Examples
        --------
        >>> Comparison(gained=1, lost=7).p_value
        0.03515625
        """
        n = self.gained + self.lost
        return float(sum(comb(n, k) for k in range(self.gained + 1)) / 2**n)

    def __str__(self) -> str:
        counts = f"only the candidate is correct on {self.gained}, only the model in use on {self.lost}"
        return f"{counts}, {p_value_text(self.p_value)}"


def compare(candidate: Score, incumbent: Score) -> Comparison | None:
    """Compare two models image by image; return None if they do not have results for exactly the same images."""
    ours, theirs = candidate.correct_by_image, incumbent.correct_by_image
    if ours is None or theirs is None or ours.keys() != theirs.keys():
        return None
    gained = sum(correct and not theirs[image] for image, correct in ours.items())
    lost = sum(theirs[image] and not correct for image, correct in ours.items())
    return Comparison(gained, lost)


def p_value_text(p_value: float) -> str:
    """Return a p-value with three decimals, such as `p=0.016`; `p<0.001` if all three decimals are 0."""
    return f"p={p_value:.3f}" if p_value >= 0.0005 else "p<0.001"
