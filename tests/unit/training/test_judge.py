"""A model is used when it reaches the bar and is no worse than the one in use, on the same rows."""

import pytest

from training.judge import Score, judge, wilson_interval


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
    ("correct", "incumbent", "passed", "reason"),
    [
        (95, None, True, "no model in use"),
        (90, None, True, "at or above the bar"),
        (89, None, False, "below the bar of 0.9"),
        (95, Score(94, 100, "a"), True, "no worse"),
        (95, Score(95, 100, "a"), True, "no worse"),
        (95, Score(96, 100, "a"), False, "worse than the model in use on the same rows"),
        (95, Score(99, 100, "b"), True, "judged on other rows"),
        (89, Score(80, 100, "a"), False, "below the bar"),
    ],
    ids=["first", "at the bar", "below it", "better", "equal", "worse", "other rows", "better but below"],
)
def test_verdicts(correct: int, incumbent: Score | None, passed: bool, reason: str) -> None:
    # WHEN
    verdict = judge(Score(correct, 100, "a"), incumbent, bar=0.9)

    # THEN it says why, with its figures
    assert verdict.passed is passed
    assert reason in verdict.reason
    assert f"{correct / 100:.3f}" in verdict.reason
