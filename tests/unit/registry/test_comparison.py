"""The confidence interval of an accuracy, and the test that compares two models."""

import pytest

from registry.comparison import Comparison, wilson_interval


@pytest.mark.parametrize(
    ("correct", "n", "expected"),
    [
        # expected: Newcombe, "Two-sided confidence intervals for the single proportion", 1998, Table I, method 3
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
        (0, 0, (0.0, 1.0)),
    ],
)
def test_interval_is_the_wilson_interval(correct: int, n: int, expected: tuple[float, float]) -> None:
    assert wilson_interval(correct, n) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(
    ("gained", "lost", "expected"),
    [
        # expected p-values: sums of the binomial distribution with probability 1/2, computed manually
        (0, 0, 1.0),
        (0, 4, 1 / 16),
        (0, 5, 1 / 32),
        (1, 7, 9 / 256),
        (2, 2, 11 / 16),
        (3, 0, 1.0),
    ],
)
def test_p_value_is_that_of_the_one_sided_exact_mcnemar_test(gained: int, lost: int, expected: float) -> None:
    assert Comparison(gained, lost).p_value == pytest.approx(expected)


@pytest.mark.parametrize(("gained", "lost", "text"), [(0, 20, "p<0.001"), (0, 9, "p=0.002"), (0, 0, "p=1.000")])
def test_a_small_p_value_is_not_printed_as_zero(gained: int, lost: int, text: str) -> None:
    assert str(Comparison(gained, lost)).endswith(f", {text}")
