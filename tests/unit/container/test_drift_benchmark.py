"""The simulated windows of `python -m benchmarks.drift`."""

import numpy as np
import pytest

from benchmarks.drift import select
from evaluation.shifts import SHIFTS
from training.container.classifier.image_statistics import image_statistics


def test_windows_share_no_image_if_there_are_enough() -> None:
    # GIVEN
    labels = np.arange(60) % 2

    # WHEN
    windows = list(select(labels, 3, 20, (0.5, 0.5)))

    # THEN
    assert sorted(np.concatenate(windows).tolist()) == list(range(60))


def test_windows_have_the_wanted_class_mix() -> None:
    # GIVEN
    labels = np.arange(400) % 2

    # WHEN
    windows = list(select(labels, 5, 100, (0.85, 0.15)))

    # THEN
    assert [int((labels[window] == 0).sum()) for window in windows] == [85] * 5
    assert all(len(set(window.tolist())) == 100 for window in windows)


@pytest.mark.parametrize(("name", "statistic"), [("night", "brightness"), ("blur", "sharpness")])
def test_shift_lowers_a_statistic(name: str, statistic: str) -> None:
    image = np.random.default_rng(0).integers(60, 200, (32, 32, 3), dtype=np.uint8)

    shifted = SHIFTS[name][0](image, np.random.default_rng(1))

    assert shifted.dtype == np.uint8
    assert image_statistics(shifted)[statistic] < image_statistics(image)[statistic]
