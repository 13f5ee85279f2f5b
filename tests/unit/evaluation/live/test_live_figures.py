"""Weighted metrics of labelled images, compared with those of scikit-learn."""

from typing import Any

import numpy as np
import pytest

from evaluation.live.live_figures import Arrays, compute_figures

CLASSES = ("bicycle", "bus", "motorcycle")
RANDOM = np.random.default_rng(3)
LABELS = RANDOM.integers(0, 4, 300)  # 3: the image shows none of the classes
PREDICTED = np.where(RANDOM.random(300) < 0.8, LABELS % 3, RANDOM.integers(0, 3, 300))
CONFIDENCE = RANDOM.uniform(0.4, 1, 300)
WEIGHTS = RANDOM.choice([1.0, 20.0], 300)
FIGURES = compute_figures(Arrays(CONFIDENCE, PREDICTED, LABELS), WEIGHTS, CLASSES, 0.9)


@pytest.fixture
def metrics() -> Any:
    """The module sklearn.metrics, imported only when a test runs.

    The import takes a second, and every process of pytest-xdist imports this test module.
    """
    from sklearn import metrics

    return metrics


def test_the_confusion_matrix_is_that_of_scikit_learn_with_a_row_for_images_of_no_class(metrics: Any) -> None:
    expected = metrics.confusion_matrix(LABELS, PREDICTED, labels=range(4), sample_weight=WEIGHTS)
    np.testing.assert_allclose(FIGURES["confusion"], expected[:, :3])


def test_accuracy_and_precision_are_those_of_scikit_learn_and_an_image_of_no_class_is_a_mistake(metrics: Any) -> None:
    assert FIGURES["accuracy"]["value"] == pytest.approx(
        metrics.accuracy_score(LABELS, PREDICTED, sample_weight=WEIGHTS)
    )
    is_above = CONFIDENCE >= 0.9
    assert FIGURES["precision"]["value"] == pytest.approx(
        metrics.accuracy_score(LABELS[is_above], PREDICTED[is_above], sample_weight=WEIGHTS[is_above])
    )
    assert FIGURES["coverage"]["value"] == pytest.approx(WEIGHTS[is_above].sum() / WEIGHTS.sum())


def test_precision_and_recall_of_each_class_are_those_of_scikit_learn(metrics: Any) -> None:
    # WHEN
    precision, recall, _, _ = metrics.precision_recall_fscore_support(
        LABELS, PREDICTED, labels=range(3), sample_weight=WEIGHTS
    )

    # THEN
    found = {each["class"]: each for each in FIGURES["per_class"]}
    assert [found[name]["precision"] for name in CLASSES] == pytest.approx(list(precision))
    assert [found[name]["recall"] for name in CLASSES] == pytest.approx(list(recall))
    assert [found[name]["images"] for name in CLASSES] == np.bincount(LABELS)[:3].tolist()


def test_metrics_are_none_for_a_class_without_images_and_a_threshold_that_no_image_reaches() -> None:
    # GIVEN images of one class, below the threshold
    images = Arrays(np.array([0.9, 0.8]), np.array([0, 0]), np.array([0, 0]))

    # WHEN
    found = compute_figures(images, np.ones(2), CLASSES, 0.95)

    # THEN
    assert found["per_class"][0]["recall"] == 1
    assert [each["recall"] for each in found["per_class"][1:]] == [None, None]
    assert found["precision"] == {"value": None, "interval": None, "n": 0}
    assert found["coverage"]["value"] == 0
