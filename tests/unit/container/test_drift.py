"""The comparison of a window with a baseline."""

from pathlib import Path

import numpy as np
import pytest

from training.container.classifier.baseline import STATISTICS, Sample, describe, read_baseline, write_baseline
from training.container.classifier.drift import GROUPS, compare, histogram, moved_groups, unusual_images


def make_sample(images: int, seed: int, *, first_class: float = 0.5) -> Sample:
    generator = np.random.default_rng(seed)
    predicted = round(images * first_class)
    return Sample(
        statistics={name: generator.normal(size=images) for name in STATISTICS},
        predicted=np.array([predicted, images - predicted]),
        embeddings=generator.normal(size=(images, 4)),
    )


BASELINE = make_sample(100, 0)


def test_unchanged_window_has_not_moved() -> None:
    assert moved_groups(compare(BASELINE, make_sample(200, 1))) == dict.fromkeys(GROUPS, False)


@pytest.mark.parametrize(
    ("name", "group"),
    [("confidence", "confidence"), ("brightness", "image_statistics"), ("sharpness", "image_statistics")],
)
def test_shifted_statistic_moves_its_group(name: str, group: str) -> None:
    # GIVEN
    window = make_sample(200, 1)
    window.statistics[name].__iadd__(1.5)

    # WHEN
    changes = compare(BASELINE, window)

    # THEN
    assert [change.name for change in changes if change.moved] == [name]
    assert [each for each, moved in moved_groups(changes).items() if moved] == [group]


def test_another_class_mix_moves_the_classes() -> None:
    changes = compare(BASELINE, make_sample(200, 1, first_class=0.9))

    assert [change.name for change in changes if change.moved] == ["predicted class"]


def test_shifted_embedding_moves_the_embedding() -> None:
    # GIVEN
    window = make_sample(200, 1)
    window.embeddings.__iadd__([0, 2, 0, 0])

    # THEN
    assert [change.name for change in compare(BASELINE, window) if change.moved] == ["embedding"]


def test_significant_change_that_is_too_small_to_matter_is_no_drift() -> None:
    # GIVEN many images, so that a small change is significant
    baseline, window = make_sample(700, 0), make_sample(700, 1)
    window.statistics["brightness"].__iadd__(0.27)

    # WHEN
    change = next(each for each in compare(baseline, window) if each.name == "brightness")

    # THEN
    assert change.adjusted < 0.001
    assert change.stability_index is not None
    assert change.stability_index < 0.1
    assert not change.moved


def test_window_without_known_images_tests_confidence_and_classes_only() -> None:
    # GIVEN
    window = make_sample(200, 1)
    responses = Sample({"confidence": window.statistics["confidence"]}, window.predicted, np.empty((0, 1)))

    # THEN
    assert list(moved_groups(compare(BASELINE, responses))) == ["confidence", "classes"]


def test_few_known_images_are_not_tested() -> None:
    # GIVEN 99 images that differ, in a window of 200
    window = make_sample(200, 1)
    few = {name: values if name == "confidence" else values[:99] + 5 for name, values in window.statistics.items()}

    # THEN
    changes = compare(BASELINE, Sample(few, window.predicted, window.embeddings[:99]))
    assert moved_groups(changes) == {"confidence": False, "classes": False}


def test_constant_statistic_in_the_baseline_does_not_fail() -> None:
    # GIVEN
    baseline = make_sample(100, 0)
    baseline.statistics["confidence"][:] = 1.0
    window = make_sample(200, 1)
    window.statistics["confidence"][:] = 1.0

    # THEN
    assert moved_groups(compare(baseline, window))["confidence"] is False


def test_rounding_of_the_baseline_is_no_drift(tmp_path: Path) -> None:
    # GIVEN grey images of which the model is almost certain, and their baseline with rounded numbers
    def see(seed: int) -> Sample:
        generator = np.random.default_rng(seed)
        high = 1 / (1 + np.exp(-generator.uniform(14, 17, 200)))
        images = np.full((200, 32, 32, 3), 128, np.uint8)
        return describe(np.column_stack([high, 1 - high]), images, generator.normal(size=(200, 4)))

    write_baseline(see(0), tmp_path)

    # WHEN
    changes = compare(read_baseline(tmp_path / "baseline.json", classes=2), see(1))

    # THEN
    assert [change.name for change in changes if change.moved] == []


def test_same_window_gives_the_same_result() -> None:
    assert compare(BASELINE, make_sample(150, 3)) == compare(BASELINE, make_sample(150, 3))


def test_histograms_count_every_image() -> None:
    counts = histogram(np.array([0.0, 1.0, 2.0]), np.array([1.5, 5.0]))

    assert (sum(counts.baseline), sum(counts.window)) == (3, 2)
    assert (counts.edges[0], counts.edges[-1]) == (0.0, 5.0)


def test_unusual_images_are_far_from_the_baseline_and_not_from_each_other() -> None:
    # GIVEN eight shifted images, and an outlier that is farther than they are
    window = make_sample(40, 1)
    window.embeddings[10:18] = [4.0, 4.0, 4.0, 4.0]
    window.embeddings[20] = 50.0

    # WHEN
    found = unusual_images(BASELINE, window, 8)

    # THEN
    assert sorted(number for number, _ in found) == list(range(10, 18))
    assert all(distance > 3 for _, distance in found)
