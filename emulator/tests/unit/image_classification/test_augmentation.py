"""Augmentation of training images: cropping, mirroring, color shifts and rotation."""

import numpy as np
import pytest
import torch

from sagelocal.containers.image_classification import augmentation


def generator(seed: int = 0) -> torch.Generator:
    """Return a seeded random number generator."""
    return torch.Generator().manual_seed(seed)


def ramp(height: int, width: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """Return an image in which each pixel's values are its row, its column and its row."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack((rows, columns, rows), axis=2).astype(np.uint8)


def test_crop_center_returns_the_center_of_the_image() -> None:
    # WHEN
    (part,) = augmentation.crop_center([ramp(10, 20)], (4, 6))
    # THEN
    assert part[0, :, 0].tolist() == [3, 4, 5, 6]
    assert part[1, 0].tolist() == list(range(7, 13))


def test_crop_randomly_returns_random_parts_of_which_half_are_mirrored() -> None:
    # WHEN
    parts = augmentation.crop_randomly([ramp(10, 20)] * 200, (4, 6), generator())
    # THEN each result is a part of the image, and about half of the parts are mirrored
    for part in parts:
        top, left = int(part[0].min()), int(part[1].min())
        expected = torch.from_numpy(ramp(10, 20)[top : top + 4, left : left + 6]).permute(2, 0, 1)
        assert torch.equal(part, expected) or torch.equal(part.flip(2), expected)
    mirrored = sum(int(part[1, 0, 0] > part[1, 0, 1]) for part in parts)
    assert 60 < mirrored < 140
    assert len({(int(part[0].min()), int(part[1].min())) for part in parts}) > 50


def test_conversion_to_hls_and_back_keeps_the_colors() -> None:
    # GIVEN
    batch = torch.rand(4, 3, 8, 8, generator=generator())
    # WHEN / THEN
    assert torch.allclose(augmentation.from_hls(*augmentation.to_hls(batch)), batch, atol=1e-4)


@pytest.mark.parametrize(
    ("color", "hls"),
    [((1, 0, 0), (0, 0.5, 1)), ((0, 1, 0), (1 / 3, 0.5, 1)), ((0, 0, 1), (2 / 3, 0.5, 1)), ((1, 1, 1), (0, 1, 0))],
    ids=["red", "green", "blue", "white"],
)
def test_color_is_converted_to_its_hls_values(color: tuple[float, ...], hls: tuple[float, ...]) -> None:
    # WHEN
    found = augmentation.to_hls(torch.tensor(color, dtype=torch.float32).view(1, 3, 1, 1))
    # THEN
    assert [round(float(each), 4) for each in found] == pytest.approx(hls, abs=1e-3)


def test_lightness_is_shifted_by_at_most_50() -> None:
    # GIVEN
    gray = torch.full((100, 3, 2, 2), 128.0)
    # WHEN
    shifted = augmentation.shift_colors(gray, generator())
    # THEN
    lightness = augmentation.to_hls(shifted / 255)[1] * 255
    assert 78 <= float(lightness.min()) < 90
    assert 166 < float(lightness.max()) <= 178
    assert shifted.min() >= 0
    assert shifted.max() <= 255


def test_image_is_rotated_about_its_center() -> None:
    # GIVEN black images with a red pixel in the center, and a green pixel ten pixels to the right of it
    batch = torch.zeros(20, 3, 33, 33)
    batch[:, 0, 16, 16] = 255
    batch[:, 1, 16, 26] = 255
    # WHEN
    turned = augmentation.transform_geometry(batch, generator())
    # THEN the red pixel stays in the center, and the green pixel moves up or down, by at most 10 degrees
    assert turned.shape == batch.shape
    red, green = (turned[:, channel].flatten(1).argmax(1) for channel in (0, 1))
    assert (red == 16 * 33 + 16).all()
    rows = green // 33
    assert 14 <= rows.min() < 16 < rows.max() <= 18
