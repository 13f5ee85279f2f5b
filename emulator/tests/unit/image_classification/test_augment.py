"""Augmentation: a part, a mirror image, other colors, another angle; nothing else."""

import numpy as np
import pytest
import torch
from sagelocal.containers.image_classification import augment


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp(height: int, width: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """Every pixel tells where it is."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack((rows, columns, rows), axis=2).astype(np.uint8)


def test_the_middle_is_cut_out() -> None:
    # WHEN
    (part,) = augment.central([ramp(10, 20)], (4, 6))
    # THEN
    assert part[0, :, 0].tolist() == [3, 4, 5, 6]
    assert part[1, 0].tolist() == list(range(7, 13))


def test_any_part_is_cut_out_and_half_are_mirrored() -> None:
    # WHEN
    parts = augment.cropped([ramp(10, 20)] * 200, (4, 6), generator())
    # THEN each is a part of the image, whole or mirrored
    for part in parts:
        top, left = int(part[0].min()), int(part[1].min())
        expected = torch.from_numpy(ramp(10, 20)[top : top + 4, left : left + 6]).permute(2, 0, 1)
        assert torch.equal(part, expected) or torch.equal(part.flip(2), expected)
    mirrored = sum(int(part[1, 0, 0] > part[1, 0, 1]) for part in parts)
    assert 60 < mirrored < 140
    assert len({(int(part[0].min()), int(part[1].min())) for part in parts}) > 50


def test_colors_survive_the_way_to_hls_and_back() -> None:
    # GIVEN
    batch = torch.rand(4, 3, 8, 8, generator=generator())
    # WHEN / THEN
    assert torch.allclose(augment.from_hls(*augment.to_hls(batch)), batch, atol=1e-4)


@pytest.mark.parametrize(
    ("color", "hls"),
    [((1, 0, 0), (0, 0.5, 1)), ((0, 1, 0), (1 / 3, 0.5, 1)), ((0, 0, 1), (2 / 3, 0.5, 1)), ((1, 1, 1), (0, 1, 0))],
    ids=["red", "green", "blue", "white"],
)
def test_known_colors_have_their_hue(color: tuple[float, ...], hls: tuple[float, ...]) -> None:
    # WHEN
    found = augment.to_hls(torch.tensor(color, dtype=torch.float32).view(1, 3, 1, 1))
    # THEN
    assert [round(float(each), 4) for each in found] == pytest.approx(hls, abs=1e-3)


def test_colors_shift_within_their_range() -> None:
    # GIVEN
    gray = torch.full((100, 3, 2, 2), 128.0)
    # WHEN
    shifted = augment.colored(gray, generator())
    # THEN
    lightness = augment.to_hls(shifted / 255)[1] * 255
    assert 78 <= float(lightness.min()) < 90
    assert 166 < float(lightness.max()) <= 178
    assert shifted.min() >= 0
    assert shifted.max() <= 255


def test_an_image_is_turned_about_its_middle() -> None:
    # GIVEN a point in the middle of nothing
    batch = torch.zeros(20, 3, 33, 33)
    batch[:, :, 16, 16] = 255
    # WHEN
    turned = augment.transformed(batch, generator())
    # THEN
    assert turned.shape == batch.shape
    assert (turned[:, 0].flatten(1).argmax(1) == 16 * 33 + 16).all()
    assert not torch.equal(turned[0], turned[1])
