"""Is a model good enough, and no worse than the one in use?"""

from dataclasses import dataclass
from math import sqrt

Z = 1.959963984540054  # 97.5 % quantile of the normal distribution: intervals of 95 %


@dataclass(frozen=True)
class Score:
    """How a model did on the validation rows.

    Attributes
    ----------
    correct, n : rows told right, and all rows
    rows : names exactly these rows; scores on other rows cannot be compared
    """

    correct: int
    n: int
    rows: str

    @property
    def accuracy(self) -> float:
        """Share of rows told right."""
        return self.correct / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy."""
        return wilson_interval(self.correct, self.n)


@dataclass(frozen=True)
class Verdict:
    """Whether a model may be used, and why."""

    passed: bool
    reason: str


def wilson_interval(correct: int, n: int) -> tuple[float, float]:
    """95 % interval of a share.

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


def judge(candidate: Score, incumbent: Score | None, *, bar: float) -> Verdict:
    """Hold a model against a bar and against the model in use.

    Parameters
    ----------
    incumbent : score of the model in use; None where there is none
    bar : accuracy that a model must reach
    """
    found = describe(candidate)
    if candidate.accuracy < bar:
        return Verdict(False, f"{found}, below the bar of {bar:g}")
    if incumbent is None:
        return Verdict(True, f"{found}, at or above the bar of {bar:g}; there is no model in use")
    if incumbent.rows != candidate.rows:
        return Verdict(True, f"{found}, at or above the bar of {bar:g}; the model in use was judged on other rows")
    if candidate.accuracy < incumbent.accuracy:
        return Verdict(False, f"{found}, worse than the model in use on the same rows ({describe(incumbent)})")
    return Verdict(True, f"{found}, no worse than the model in use ({describe(incumbent)})")


def describe(score: Score) -> str:
    """A score in words."""
    low, high = score.interval
    return f"validation accuracy {score.accuracy:.3f} ({low:.3f} to {high:.3f}, n={score.n})"
