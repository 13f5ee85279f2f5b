"""Is a model good enough, and no worse than the one in use?

A model is refused below the bar; and where it does worse than the model in use on the same rows, by more than
chance explains. Where nothing can be compared, the bar alone decides, and the reason says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb, sqrt

Z = 1.959963984540054  # 97.5 % quantile of the normal distribution: intervals of 95 %
CHANCE = 0.05  # what is less likely than this is not put down to chance


@dataclass(frozen=True)
class Score:
    """How a model did on the validation rows.

    Attributes
    ----------
    correct, n : rows told right, and all rows
    rows : names exactly these rows; scores on other rows cannot be compared
    right : whether each row was told right, by the row's name; None where that is not known
    best_of : how many models it was chosen from by these very rows, which flatters it; the registry has it in words
    """

    correct: int
    n: int
    rows: str
    right: Mapping[str, bool] | None = None
    best_of: int = 1

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


@dataclass(frozen=True)
class Comparison:
    """Two models on the same rows.

    Attributes
    ----------
    gained, lost : rows that only the candidate, and only the model in use, told right
    """

    gained: int
    lost: int

    @property
    def p(self) -> float:
        """How likely equally good models are to differ by so much, or more, to the candidate's disadvantage.

        Of rows that only one of two equally good models tells right, each is as likely one's as the other's.
        One-sided, since only a worse model is to be found out. Source: McNemar, "Note on the sampling error of
        the difference between correlated proportions or percentages", 1947, in its exact, binomial form.

        Examples
        --------
        >>> Comparison(gained=1, lost=7).p
        0.03515625
        """
        n = self.gained + self.lost
        return float(sum(comb(n, k) for k in range(self.gained + 1)) / 2**n)

    def __str__(self) -> str:
        return f"only it told {self.gained} right, only the model in use {self.lost}, p={self.p:.3f}"


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
    reached = f"{found}, at or above the bar of {bar:g}"
    if incumbent is None:
        return Verdict(True, f"{reached}; there is no model in use")
    if incumbent.rows != candidate.rows:
        return Verdict(True, f"{reached}; not compared with the model in use, which was judged on other rows")
    compared = compare(candidate, incumbent)
    if compared is None:
        return Verdict(True, f"{reached}; not compared with the model in use, as answers row by row are missing")
    against = f"the model in use ({incumbent.accuracy:.3f}) on the same rows: {compared}"
    if compared.p < CHANCE:
        return Verdict(False, f"{found}, worse than {against}, which is no chance")
    return Verdict(True, f"{reached}, and not worse beyond chance than {against}")


def compare(candidate: Score, incumbent: Score) -> Comparison | None:
    """Two models row by row; None where the answers of one are missing or are for other rows."""
    ours, theirs = candidate.right, incumbent.right
    if ours is None or theirs is None or ours.keys() != theirs.keys():
        return None
    gained = sum(right and not theirs[row] for row, right in ours.items())
    lost = sum(theirs[row] and not right for row, right in ours.items())
    return Comparison(gained, lost)


def describe(score: Score) -> str:
    """A score in words."""
    low, high = score.interval
    chosen = f", best of {score.best_of} judged on the rows it was chosen by" if score.best_of > 1 else ""
    return f"validation accuracy {score.accuracy:.3f} ({low:.3f} to {high:.3f}, n={score.n}){chosen}"
