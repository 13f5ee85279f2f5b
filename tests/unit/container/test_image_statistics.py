"""The statistics of an image's brightness, contrast, sharpness and colours."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from training.container.classifier.image_statistics import NAMES, image_statistics


def draw_noise() -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """Return a noise image, which has the same pixels in every call."""
    return np.random.default_rng(0).integers(60, 200, (32, 32, 3), dtype=np.uint8)


def test_grey_image_has_neither_contrast_nor_colour() -> None:
    values = image_statistics(np.full((8, 8, 3), 51, np.uint8))

    assert values["brightness"] == pytest.approx(0.2)
    for name in ("contrast", "colourfulness", "red_green", "yellow_blue"):
        assert values[name] == pytest.approx(0, abs=1e-9)
    assert values["sharpness"] == pytest.approx(-4)


def test_image_with_halved_pixel_values_has_half_the_brightness() -> None:
    assert image_statistics(draw_noise() // 2)["brightness"] == pytest.approx(
        image_statistics(draw_noise())["brightness"] / 2, abs=0.01
    )


def test_blurred_image_is_less_sharp() -> None:
    blurred = np.asarray(Image.fromarray(draw_noise()).filter(ImageFilter.GaussianBlur(1)))

    assert image_statistics(blurred)["sharpness"] < image_statistics(draw_noise())["sharpness"] - 1


def test_red_cast_increases_the_opponent_colours() -> None:
    # GIVEN a grey image with a red cast
    image = np.full((8, 8, 3), 100, np.uint8)
    image[:, :, 0] = 151

    # WHEN
    values = image_statistics(image)

    # THEN
    assert values["red_green"] == pytest.approx(51 / 255)
    assert values["yellow_blue"] == pytest.approx(51 / 255 / 2)
    assert values["colourfulness"] == pytest.approx(0.3 * np.hypot(51, 51 / 2) / 255)


def test_all_values_are_finite_numbers() -> None:
    for image in (np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 255, np.uint8), draw_noise()):
        values = image_statistics(image)
        assert tuple(values) == NAMES
        assert np.isfinite(list(values.values())).all()
