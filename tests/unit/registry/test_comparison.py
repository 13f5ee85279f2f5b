"""A model is used when it reaches the bar and is not worse, beyond chance, than the one in use on the same rows."""

import pytest

from registry.comparison import Comparison, Score, judge, wilson_interval


@pytest.mark.parametrize(
    ("correct", "n", "expected"),
    [
        # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, Table I, method 3
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
        (0, 0, (0.0, 1.0)),
    ],
)
def test_intervals_are_wilsons(correct: int, n: int, expected: tuple[float, float]) -> None:
    assert wilson_interval(correct, n) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(
    ("gained", "lost", "expected"),
    [
        # sums of the binomial distribution at 1/2, by hand
        (0, 0, 1.0),
        (0, 4, 1 / 16),
        (0, 5, 1 / 32),
        (1, 7, 9 / 256),
        (2, 2, 11 / 16),
        (3, 0, 1.0),
    ],
)
def test_the_comparison_is_mcnemars_exact_and_one_sided(gained: int, lost: int, expected: float) -> None:
    assert Comparison(gained, lost).p == pytest.approx(expected)


def make_score(right: str, rows: str = "a") -> Score:
    """A score on rows that were told right (1) or not (0)."""
    told = {f"{number}.png": each == "1" for number, each in enumerate(right)}
    return Score(sum(told.values()), len(told), rows, told)


CANDIDATE = "1" * 90 + "0" * 10


@pytest.mark.parametrize(
    ("incumbent", "passed", "reason"),
    [
        (None, True, "no model in use"),
        (make_score("1" * 80 + "0" * 20), True, "only it told 10 right, only the model in use 0, p=1.000"),
        (make_score(CANDIDATE), True, "only it told 0 right, only the model in use 0, p=1.000"),
        (make_score("1" * 94 + "0" * 6), True, "only it told 0 right, only the model in use 4, p=0.062"),
        (make_score("1" * 95 + "0" * 5), False, "worse than the model in use (0.950) on the same rows"),
        # five points apart as before, but the two differ on many rows: chance explains it
        (make_score("0" * 5 + "1" * 95), True, "only it told 5 right, only the model in use 10, p=0.151"),
        (make_score("1" * 100, "b"), True, "which was judged on other rows"),
        (Score(100, 100, "a"), True, "answers row by row are missing"),
        (make_score("1" * 99), True, "answers row by row are missing"),
    ],
    ids=["first", "better", "equal", "chance", "worse", "differing", "other rows", "unknown rows", "missing row"],
)
def test_a_model_is_held_against_the_one_in_use(incumbent: Score | None, passed: bool, reason: str) -> None:
    # WHEN
    verdict = judge(make_score(CANDIDATE), incumbent, bar=0.9)

    # THEN it says why, with its figures
    assert verdict.passed is passed
    assert reason in verdict.reason
    assert "0.900" in verdict.reason


def test_below_the_bar_nothing_else_counts() -> None:
    verdict = judge(make_score(CANDIDATE), make_score("0" * 100), bar=0.91)
    assert not verdict.passed
    assert "below the bar of 0.91" in verdict.reason
