"""Metrics of classified images: proportions, coverage curves, thresholds and calibration."""

import numpy as np
import pytest

from evaluation.metrics import (
    Proportion,
    calibration_bins,
    calibration_error,
    class_scores,
    confusion_matrix,
    coverage_curve,
    risk_coverage_area,
    share,
    threshold_for,
)
from registry.comparison import wilson_interval


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [
        pytest.param(45, 50, 0.7864, 0.9565, id="some"),
        pytest.param(0, 10, 0.0, 0.2775, id="none"),
        pytest.param(10, 10, 0.7225, 1.0, id="all"),
    ],
)
def test_intervals_are_wilson_intervals(correct: int, n: int, low: float, high: float) -> None:
    assert Proportion(correct, n).interval == pytest.approx((low, high), abs=5e-5)


def test_a_proportion_of_zero_images_is_none() -> None:
    assert Proportion(0, 0).value is None
    assert Proportion(0, 0).interval is None


def test_confusion_matrix_has_a_row_for_each_true_label_and_a_column_for_each_prediction() -> None:
    # GIVEN two images of class 0, one of which is predicted as class 2, and one image of class 2
    matrix = confusion_matrix(np.array([0, 0, 2]), np.array([0, 2, 2]), 3)

    # THEN
    assert matrix.tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 1]]


def test_precision_is_computed_from_columns_and_recall_from_rows() -> None:
    # GIVEN three classes, of which the last has no images and is never predicted
    scores = class_scores(np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]]))

    # THEN
    assert scores[0].precision == Proportion(8, 9)
    assert scores[0].recall == Proportion(8, 10)
    assert scores[2].precision.value is None


def test_the_coverage_curve_has_a_point_for_each_distinct_confidence() -> None:
    # GIVEN four images, of which two have the same confidence, and one of these two is correct
    confidence = np.array([0.9, 0.6, 0.9, 0.7])
    correct = np.array([True, False, False, True])

    # WHEN
    curve = coverage_curve(confidence, correct)

    # THEN the two images with the same confidence are one point
    assert [(point["threshold"], point["coverage"], round(point["accuracy"], 3)) for point in curve] == [
        (0.6, 1.0, 0.5),
        (0.7, 0.75, 0.667),
        (0.9, 0.5, 0.5),
    ]


def test_the_risk_coverage_area_is_the_mean_error_rate_over_all_coverages() -> None:
    # GIVEN four images, of which the image with the second highest confidence is misclassified
    curve = coverage_curve(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, True]))

    # THEN the area is the mean of the error rates of the 1, 2, 3 and 4 images with the highest confidence
    assert risk_coverage_area(curve) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)


def test_images_with_the_same_confidence_are_one_step_of_the_risk_coverage_area() -> None:
    curve = coverage_curve(np.array([0.9, 0.9, 0.9, 0.6]), np.array([True, False, True, False]))
    assert risk_coverage_area(curve) == pytest.approx(3 / 4 * 1 / 3 + 1 / 4 * 1 / 2)


@pytest.mark.parametrize(
    ("precision", "threshold"),
    [
        pytest.param(0.5, 0.5, id="all images"),
        pytest.param(0.75, 0.7, id="some images"),
        pytest.param(0.8, 0.98, id="precision decreases in between"),
        pytest.param(1.0, 0.98, id="the most confident image only"),
    ],
)
def test_the_threshold_for_a_precision_is_the_lowest_threshold_that_reaches_it(
    precision: float, threshold: float
) -> None:
    # GIVEN images whose precision is 4/6, 3/5, 3/4, 2/3, 1/2 and 1 at ascending thresholds
    confidence = np.array([0.98765, 0.9, 0.85, 0.71234, 0.65, 0.55])
    correct = np.array([True, False, True, True, False, True])

    # WHEN
    found = threshold_for(coverage_curve(confidence, correct), precision)

    # THEN the threshold is rounded and reaches the precision
    assert found == threshold
    assert correct[confidence >= found].mean() >= precision


@pytest.mark.parametrize("highest", [1.0, 0.9999999], ids=str)
def test_the_threshold_for_a_precision_is_below_one_even_if_a_confidence_is_one(highest: float) -> None:
    # GIVEN
    confidence = np.array([highest, 0.99995])

    # WHEN
    found = threshold_for(coverage_curve(confidence, np.array([True, False])), 1.0)

    # THEN
    assert 0.99995 < found <= highest
    assert found < 1


def test_calibration_bins_include_their_upper_edge_and_empty_bins_are_omitted() -> None:
    # GIVEN confidences at and next to the edges 1/15, 9/15 and 1
    confidence = np.array([0.0, 1 / 15, 0.0667, 0.6, 0.61, 1.0])

    # WHEN
    bins = calibration_bins(confidence, np.ones(6, dtype=np.bool_))

    # THEN
    assert [(each["n"], round(each["confidence"], 3)) for each in bins] == [
        (2, 0.033),
        (1, 0.067),
        (1, 0.6),
        (1, 0.61),
        (1, 1.0),
    ]


@pytest.mark.parametrize(
    ("correct", "error"),
    [
        pytest.param(75, 0.0, id="calibrated"),
        pytest.param(50, 0.25, id="overconfident"),
        pytest.param(100, 0.25, id="underconfident"),
    ],
)
def test_the_calibration_error_is_the_difference_between_confidence_and_accuracy(correct: int, error: float) -> None:
    # GIVEN a hundred images with a confidence of 0.75
    hits = np.arange(100) < correct

    # WHEN / THEN
    assert calibration_error(np.full(100, 0.75), hits, bins=1) == pytest.approx(error)


def test_a_weighted_image_counts_like_repeated_images() -> None:
    # GIVEN
    random = np.random.default_rng(0)
    confidence, correct = random.uniform(0.5, 1, 40).round(1), random.random(40) < 0.8
    weights = random.integers(1, 6, 40)
    repeated = np.repeat(np.arange(40), weights)

    # WHEN
    curve = coverage_curve(confidence, correct, weights.astype(float))
    error = calibration_error(confidence, correct, weights.astype(float))
    bins = calibration_bins(confidence, correct, weights.astype(float))

    # THEN
    expected = coverage_curve(confidence[repeated], correct[repeated])
    assert [list(point.values()) for point in curve] == [pytest.approx(list(point.values())) for point in expected]
    assert error == pytest.approx(calibration_error(confidence[repeated], correct[repeated]))
    for weighted, of_repeated in zip(bins, calibration_bins(confidence[repeated], correct[repeated]), strict=True):
        assert weighted["accuracy"] == pytest.approx(of_repeated["accuracy"])
        assert weighted["confidence"] == pytest.approx(of_repeated["confidence"])


def test_the_interval_of_a_weighted_share_uses_the_effective_number_of_images() -> None:
    # GIVEN 50 images, of which 45 are correct
    hits = np.arange(50) < 45

    # WHEN / THEN with equal weights, the interval is that of 50 images without weights
    assert share(hits, np.full(50, 7.0))[1] == pytest.approx((0.7864, 0.9565), abs=5e-5)

    # WHEN / THEN if the weight of one image equals the sum of all other weights, the effective number is much lower
    value, (low, high) = share(hits, np.where(np.arange(50) == 0, 49.0, 1.0))
    assert value == pytest.approx(93 / 98)
    assert (low, high) == pytest.approx(wilson_interval(93 / 98 * (98**2 / 2450), 98**2 / 2450))
