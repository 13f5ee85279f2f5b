import numpy as np
import pytest

from scripts.statistics import (
    Share,
    calibration_bins,
    calibration_error,
    class_scores,
    confusion_matrix,
    coverage_curve,
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


def test_bins_hold_equally_many_images() -> None:
    # GIVEN
    confidence = np.linspace(0.5, 1, 103)

    # WHEN
    bins = calibration_bins(confidence, np.ones(103, dtype=np.bool_))

    # THEN
    assert len(bins) == 10
    assert {each.n for each in bins} == {10, 11}
    assert sum(each.n for each in bins) == 103


def test_fewer_images_than_bins_have_a_bin_each() -> None:
    assert [each.n for each in calibration_bins(np.array([0.6, 0.8]), np.array([True, False]))] == [1, 1]


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
