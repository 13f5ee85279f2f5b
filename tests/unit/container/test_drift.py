"""The comparison of a window with a baseline: which properties have drifted, and which images are unusual.

The window is the period whose captured images are compared with the model's baseline.
"""

from pathlib import Path

import numpy as np
import pytest

from training.container.classifier.baseline import STATISTICS, Sample, describe, read_baseline, write_baseline
from training.container.classifier.drift import GROUPS, compare, drifted_groups, histogram, unusual_images


def make_sample(images: int, seed: int, *, first_class: float = 0.5) -> Sample:
    """Return random statistics and embeddings of `images` images.

    Parameters
    ----------
    first_class : share of the images that are predicted as the first class
    """
    generator = np.random.default_rng(seed)
    predicted = round(images * first_class)
    return Sample(
        statistics={name: generator.normal(size=images) for name in STATISTICS},
        predicted=np.array([predicted, images - predicted]),
        embeddings=generator.normal(size=(images, 4)),
    )


BASELINE = make_sample(100, 0)


def test_unchanged_window_has_not_drifted() -> None:
    assert drifted_groups(compare(BASELINE, make_sample(200, 1))) == dict.fromkeys(GROUPS, False)


@pytest.mark.parametrize(
    ("name", "group"),
    [("confidence", "confidence"), ("brightness", "image_statistics"), ("sharpness", "image_statistics")],
)
def test_only_the_shifted_statistic_and_its_group_have_drifted(name: str, group: str) -> None:
    # GIVEN
    window = make_sample(200, 1)
    window.statistics[name].__iadd__(1.5)

    # WHEN
    changes = compare(BASELINE, window)

    # THEN
    assert [change.name for change in changes if change.has_drifted] == [name]
    assert [each for each, has_drifted in drifted_groups(changes).items() if has_drifted] == [group]


def test_changed_class_mix_is_drift_of_the_predicted_class() -> None:
    changes = compare(BASELINE, make_sample(200, 1, first_class=0.9))

    assert [change.name for change in changes if change.has_drifted] == ["predicted class"]


def test_shifted_embedding_is_drift_of_the_embedding() -> None:
    # GIVEN
    window = make_sample(200, 1)
    window.embeddings.__iadd__([0, 2, 0, 0])

    # WHEN / THEN
    assert [change.name for change in compare(BASELINE, window) if change.has_drifted] == ["embedding"]


def test_significant_but_small_change_is_not_drift() -> None:
    # GIVEN many images, so that a small change is significant
    baseline, window = make_sample(700, 0), make_sample(700, 1)
    window.statistics["brightness"].__iadd__(0.27)

    # WHEN
    change = next(each for each in compare(baseline, window) if each.name == "brightness")

    # THEN
    assert change.adjusted < 0.001
    assert change.stability_index is not None
    assert change.stability_index < 0.1
    assert not change.has_drifted


def test_only_confidence_and_classes_are_tested_if_no_image_can_be_read() -> None:
    # GIVEN
    window = make_sample(200, 1)
    responses = Sample({"confidence": window.statistics["confidence"]}, window.predicted, np.empty((0, 1)))

    # WHEN / THEN
    assert list(drifted_groups(compare(BASELINE, responses))) == ["confidence", "classes"]


def test_only_confidence_and_classes_are_tested_if_only_99_images_can_be_read() -> None:
    # GIVEN a window of 200 responses, with 99 readable images that differ strongly from the baseline
    window = make_sample(200, 1)
    few = {name: values if name == "confidence" else values[:99] + 5 for name, values in window.statistics.items()}

    # WHEN
    changes = compare(BASELINE, Sample(few, window.predicted, window.embeddings[:99]))

    # THEN
    assert drifted_groups(changes) == {"confidence": False, "classes": False}


def test_constant_statistic_has_not_drifted() -> None:
    # GIVEN a confidence of 1 for each image of the baseline and of the window
    baseline = make_sample(100, 0)
    baseline.statistics["confidence"][:] = 1.0
    window = make_sample(200, 1)
    window.statistics["confidence"][:] = 1.0

    # WHEN / THEN
    assert drifted_groups(compare(baseline, window))["confidence"] is False


def test_rounding_in_the_baseline_file_is_not_drift(tmp_path: Path) -> None:
    # GIVEN grey images with confidences just below 1, and a baseline file, which contains rounded numbers
    def describe_grey_images(seed: int) -> Sample:
        generator = np.random.default_rng(seed)
        high = 1 / (1 + np.exp(-generator.uniform(14, 17, 200)))
        images = np.full((200, 32, 32, 3), 128, np.uint8)
        return describe(np.column_stack([high, 1 - high]), images, generator.normal(size=(200, 4)))

    write_baseline(describe_grey_images(0), tmp_path)

    # WHEN
    changes = compare(read_baseline(tmp_path / "baseline.json", classes=2), describe_grey_images(1))

    # THEN
    assert [change.name for change in changes if change.has_drifted] == []


def test_comparing_the_same_window_twice_gives_the_same_result() -> None:
    assert compare(BASELINE, make_sample(150, 3)) == compare(BASELINE, make_sample(150, 3))


def test_histograms_count_every_image() -> None:
    counts = histogram(np.array([0.0, 1.0, 2.0]), np.array([1.5, 5.0]))

    assert (sum(counts.baseline), sum(counts.window)) == (3, 2)
    assert (counts.edges[0], counts.edges[-1]) == (0.0, 5.0)


def test_unusual_images_are_far_from_the_baseline_but_close_to_each_other() -> None:
    # GIVEN eight images that are shifted by the same amount, and one outlier that is farther from the baseline
    window = make_sample(40, 1)
    window.embeddings[10:18] = [4.0, 4.0, 4.0, 4.0]
    window.embeddings[20] = 50.0

    # WHEN
    found = unusual_images(BASELINE, window, 8)

    # THEN
    assert sorted(number for number, _ in found) == list(range(10, 18))
    assert all(distance > 3 for _, distance in found)
