"""The simulated windows of `python -m benchmarks.drift`: which images they contain, and how images are changed."""

from argparse import Namespace

import numpy as np
import pytest

from benchmarks.drift import CHANGED_MIX, EQUAL_MIX, images_to_draw, require_images, select
from evaluation.shifts import SHIFTS
from training.container.classifier.image_statistics import image_statistics


def test_windows_share_no_image_if_there_are_enough_images() -> None:
    # GIVEN
    labels = np.arange(60) % 2

    # WHEN
    windows = list(select(labels, 3, 20, (0.5, 0.5)))

    # THEN
    assert sorted(np.concatenate(windows).tolist()) == list(range(60))


def test_windows_have_the_requested_class_mix() -> None:
    # GIVEN
    labels = np.arange(400) % 2

    # WHEN
    windows = list(select(labels, 5, 100, (0.85, 0.15)))

    # THEN
    assert [int((labels[window] == 0).sum()) for window in windows] == [85] * 5
    assert all(len(set(window.tolist())) == 100 for window in windows)


@pytest.mark.parametrize("shares", [EQUAL_MIX, CHANGED_MIX], ids=["equal mix", "changed mix"])
@pytest.mark.parametrize("size", [101, 103, 150, 201])
def test_windows_have_the_requested_size(size: int, shares: tuple[float, float]) -> None:
    windows = list(select(np.arange(400) % 2, 2, size, shares))

    assert [len(window) for window in windows] == [size] * 2


@pytest.mark.parametrize("size", [101, 103, 150])
@pytest.mark.parametrize(("windows", "shifted"), [(6, 2), (2, 6)], ids=["more unchanged", "more shifted"])
def test_without_the_option_images_no_two_windows_of_the_same_kind_have_an_image_in_common(
    windows: int, shifted: int, size: int
) -> None:
    # WHEN
    images = images_to_draw(Namespace(images=None, windows=windows, shifted=shifted, size=size))

    # THEN
    for drawn, count, shares in (
        (images.unchanged, windows, EQUAL_MIX),
        (images.with_each_shift, shifted, EQUAL_MIX),
        (images.unchanged, shifted, CHANGED_MIX),
    ):
        selected = np.concatenate(list(select(np.arange(drawn) % 2, count, size, shares)))
        assert len(set(selected.tolist())) == count * size


@pytest.mark.parametrize(
    ("available", "size", "message"),
    [
        (100, 200, r"--size must be between 100 and 117 \(got 200\)"),
        (100, 50, r"--size must be between 100 and 117 \(got 50\)"),
        (47, 55, "a window needs at least 100 images, 85 of them of one class, but the smaller class has only 47"),
    ],
)
def test_impossible_window_size_is_rejected(available: int, size: int, message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        require_images(available, size)


def test_windows_of_the_largest_allowed_size_can_be_selected() -> None:
    # GIVEN
    labels = np.arange(200) % 2

    # WHEN
    require_images(100, 117)
    windows = list(select(labels, 2, 117, (0.85, 0.15)))

    # THEN
    assert [len(window) for window in windows] == [117, 117]


@pytest.mark.parametrize(("name", "statistic"), [("night", "brightness"), ("blur", "sharpness")])
def test_simulated_shift_lowers_the_statistic(name: str, statistic: str) -> None:
    image = np.random.default_rng(0).integers(60, 200, (32, 32, 3), dtype=np.uint8)

    shifted = SHIFTS[name][0](image, np.random.default_rng(1))

    assert shifted.dtype == np.uint8
    assert image_statistics(shifted)[statistic] < image_statistics(image)[statistic]
