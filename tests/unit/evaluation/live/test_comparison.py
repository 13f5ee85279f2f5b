"""The current and the previous model are compared on labelled images of live traffic."""

from collections.abc import Sequence

import numpy as np
import pytest
import scipy

from evaluation.live.comparison import compare, paired
from evaluation.live.join import LabelledImage
from evaluation.live.previous_model import PreviousModel
from tests.unit.evaluation.live.images import make_captures

CAPTURES = make_captures(*((f"{number}", 0, 0.6 if number < 4 else 0.95) for number in range(10)))
PREDICTIONS = list(CAPTURES.predictions())


def make_previous(*numbers: int | None) -> PreviousModel:
    """Return a previous model that predicts these class numbers in turn; None for an image that it cannot classify."""
    remaining = list(numbers)

    def classify(bodies: Sequence[bytes | None]) -> list[int | None]:
        assert all(bodies)
        return [remaining.pop(0) for _ in bodies]

    return PreviousModel("v1", classify)


def labelled(*labels: int, **changes: float | bool | None) -> list[LabelledImage]:
    """Return the first captured images with these labels; `changes` set `probability` and `audit_rate` of all."""
    return [
        LabelledImage(prediction, label, changes.get("probability"), changes.get("audit_rate"))
        for prediction, label in zip(PREDICTIONS, labels, strict=False)
    ]


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (3, 9), (9, 3), (40, 60)])
def test_the_p_value_is_that_of_scipys_exact_binomial_test(gained: int, lost: int) -> None:
    # GIVEN
    ours = np.repeat([True, False, True, False], [gained, lost, 20, 5])
    theirs = np.repeat([False, True, True, False], [gained, lost, 20, 5])

    # WHEN
    found = paired(ours, theirs)

    # THEN
    expected = scipy.stats.binomtest(gained, gained + lost, 0.5, "less").pvalue if gained + lost else 1.0
    assert found["p_value"] == pytest.approx(expected)
    assert (found["gained"], found["lost"], found["n"]) == (gained, lost, gained + lost + 25)
    assert (found["correct"], found["previous_correct"]) == (20 + gained, 20 + lost)


def test_both_models_are_compared_on_the_labelled_images_and_on_the_audit_sample() -> None:
    # GIVEN four images, all of which the current model predicts as class 0. The last image is in the audit sample and
    # shows no class.
    images = [*labelled(0, 1, 1), *labelled(0, 0, 0, 2, audit_rate=1.0)[3:]]

    # WHEN
    found = compare(make_previous(1, 1, 0, 0), images, CAPTURES, 0.93)

    # THEN
    assert found["labelled"] == {"n": 4, "correct": 1, "previous_correct": 1, "gained": 1, "lost": 1, "p_value": 0.75}
    assert found["audit"] == {"n": 1, "correct": 0, "previous_correct": 0, "gained": 0, "lost": 0, "p_value": 1.0}
    assert found["difference"] is None
    assert (found["previous"], found["invalid"]) == ("v1", 0)


def test_images_that_the_previous_model_cannot_classify_are_counted_and_not_compared() -> None:
    found = compare(make_previous(None, 0), labelled(0, 0), CAPTURES, 0.93)
    assert (found["labelled"]["n"], found["invalid"]) == (1, 1)


def test_the_p_value_is_one_if_no_image_can_be_compared() -> None:
    found = compare(make_previous(None), labelled(0), CAPTURES, 0.93)
    assert (found["labelled"]["n"], found["labelled"]["p_value"], found["invalid"]) == (0, 1.0, 1)


def test_the_difference_in_accuracy_of_all_traffic_is_weighted() -> None:
    # GIVEN images that the current model classifies correctly
    images = labelled(*[0] * 10, probability=1.0)

    # WHEN two of four images below the threshold and two of six images at or above it are labelled, and the previous
    # model misclassifies one labelled image in each stratum
    found = compare(make_previous(1, 0, 1, 0), [*images[:2], *images[4:6]], CAPTURES, 0.93)

    # THEN
    difference = found["difference"]
    assert difference
    assert difference["value"] == pytest.approx(0.5)
    assert difference["interval"]
    assert -1 < difference["interval"][0] < 0.5 < difference["interval"][1] < 1
