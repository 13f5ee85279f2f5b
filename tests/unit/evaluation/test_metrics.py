import numpy as np
import pytest

from evaluation.metrics import (
    Share,
    calibration_bins,
    calibration_error,
    class_scores,
    confusion_matrix,
    coverage_curve,
    risk_coverage_area,
    threshold_for,
)


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [
        pytest.param(45, 50, 0.7864, 0.9565, id="a share"),
        pytest.param(0, 10, 0.0, 0.2775, id="none"),
        pytest.param(10, 10, 0.7225, 1.0, id="all"),
    ],
)
def test_intervals_are_wilsons(correct: int, n: int, low: float, high: float) -> None:
    assert Share(correct, n).interval == pytest.approx((low, high), abs=5e-5)


def test_a_share_of_nothing_is_none() -> None:
    assert Share(0, 0).value is None
    assert Share(0, 0).interval is None


def test_rows_of_the_confusion_matrix_are_labels() -> None:
    # GIVEN two of class 0, one of them called 2, and one of class 2
    matrix = confusion_matrix(np.array([0, 0, 2]), np.array([0, 2, 2]), 3)

    # THEN
    assert matrix.tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 1]]


def test_precision_looks_along_columns_and_recall_along_rows() -> None:
    # GIVEN a class that neither occurs nor is called
    scores = class_scores(np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]]))

    # THEN
    assert scores[0].precision == Share(8, 9)
    assert scores[0].recall == Share(8, 10)
    assert scores[2].precision.value is None


def test_the_curve_has_a_point_for_every_threshold_that_makes_a_difference() -> None:
    # GIVEN two images of the same confidence, of which one is right
    confidence = np.array([0.9, 0.6, 0.9, 0.7])
    correct = np.array([True, False, False, True])

    # WHEN
    curve = coverage_curve(confidence, correct)

    # THEN they pass together or not at all
    assert [(p.threshold, p.coverage, round(p.accuracy, 3)) for p in curve] == [
        (0.6, 1.0, 0.5),
        (0.7, 0.75, 0.667),
        (0.9, 0.5, 0.5),
    ]


def test_the_area_under_risk_and_coverage_is_the_mean_risk_of_all_coverages() -> None:
    # GIVEN four images, of which the second surest is wrong
    curve = coverage_curve(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, True]))

    # THEN of the surest 1, 2, 3 and 4 there are wrong:
    assert risk_coverage_area(curve) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)


def test_images_of_one_confidence_count_into_the_area_together() -> None:
    curve = coverage_curve(np.array([0.9, 0.9, 0.9, 0.6]), np.array([True, False, True, False]))
    assert risk_coverage_area(curve) == pytest.approx(3 / 4 * 1 / 3 + 1 / 4 * 1 / 2)


@pytest.mark.parametrize(
    ("precision", "threshold"),
    [
        pytest.param(0.5, 0.5, id="all pass"),
        pytest.param(0.75, 0.7, id="some pass"),
        pytest.param(0.8, 0.98, id="falls short once more on the way"),
        pytest.param(1.0, 0.98, id="the surest alone"),
    ],
)
def test_the_threshold_for_a_precision_is_the_smallest_that_reaches_it(precision: float, threshold: float) -> None:
    # GIVEN precisions of 4/6, 3/5, 3/4, 2/3, 1/2 and 1 from the least sure on
    confidence = np.array([0.98765, 0.9, 0.85, 0.71234, 0.65, 0.55])
    correct = np.array([True, False, True, True, False, True])

    # WHEN
    found = threshold_for(coverage_curve(confidence, correct), precision)

    # THEN it is short, and lets the same images pass
    assert found == threshold
    passing = correct[confidence >= found]
    assert passing.mean() >= precision


@pytest.mark.parametrize("surest", [1.0, 0.9999999], ids=str)
def test_a_threshold_lies_below_one_also_where_the_model_is_certain(surest: float) -> None:
    # GIVEN
    confidence = np.array([surest, 0.99995])

    # WHEN
    found = threshold_for(coverage_curve(confidence, np.array([True, False])), 1.0)

    # THEN
    assert 0.99995 < found <= surest
    assert found < 1


def test_bins_are_equally_wide_and_closed_above_and_empty_ones_are_left_out() -> None:
    # GIVEN confidences at and beside the edges 1/15, 9/15 and 1
    confidence = np.array([0.0, 1 / 15, 0.0667, 0.6, 0.61, 1.0])

    # WHEN
    bins = calibration_bins(confidence, np.ones(6, dtype=np.bool_))

    # THEN
    assert [(each.n, round(each.confidence, 3)) for each in bins] == [
        (2, 0.033),
        (1, 0.067),
        (1, 0.6),
        (1, 0.61),
        (1, 1.0),
    ]


@pytest.mark.parametrize(
    ("right", "error"),
    [pytest.param(75, 0.0, id="calibrated"), pytest.param(50, 0.25, id="too sure"), pytest.param(100, 0.25, id="shy")],
)
def test_the_calibration_error_is_the_distance_of_confidence_from_accuracy(right: int, error: float) -> None:
    # GIVEN a hundred images, all at 0.75
    correct = np.arange(100) < right

    # WHEN
    bins = calibration_bins(np.full(100, 0.75), correct, bins=1)

    # THEN
    assert calibration_error(bins) == pytest.approx(error)
