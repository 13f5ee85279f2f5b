"""Random augmentation is reproducible, keeps its limits and mixes targets like images."""

import math
from dataclasses import replace

import pytest
import torch

from training.container.classifier.augmentation import (
    SHIFT,
    ZOOM,
    RandomDraws,
    crop_and_jitter,
    cutmix,
    draw,
    mirror,
    warp,
)
from training.container.classifier.resizing import resize


@pytest.fixture
def images() -> torch.Tensor:
    """64 noise images of 32 x 32."""
    return torch.randint(256, (64, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_part_of_a_batch_is_augmented_like_the_whole(images: torch.Tensor) -> None:
    # GIVEN
    draws = [draw(64, torch.Generator().manual_seed(4)) for _ in range(2)]

    # WHEN one process augments all images, and another every second one
    part = slice(1, None, 2)
    whole, half = crop_and_jitter(images, draws[0], 24), crop_and_jitter(images[part], draws[1][part], 24)

    # THEN
    assert whole.shape == (64, 24, 24, 3)
    assert torch.equal(whole[part], half)


def test_half_of_the_images_are_mirrored(images: torch.Tensor) -> None:
    # WHEN
    mirrored = mirror(images, draw(64, torch.Generator().manual_seed(4)))

    # THEN
    same = (mirrored == images).flatten(1).all(1)
    flipped = (mirrored == images.flip(2)).flatten(1).all(1)
    assert bool((same | flipped).all())
    assert 16 < int(flipped.sum()) < 48


def test_mixed_targets_equal_the_visible_areas(images: torch.Tensor) -> None:
    # GIVEN black and white images in alternation
    images = torch.zeros_like(images)
    images[1::2] = 255
    targets = torch.eye(2)[torch.arange(64) % 2]

    # WHEN
    mixed, shares = cutmix(images, targets, draw(64, torch.Generator().manual_seed(4)))

    # THEN
    white = (mixed == 255).float().mean((1, 2, 3))
    assert torch.allclose(shares[:, 1], white, atol=1e-5)
    assert torch.allclose(shares.sum(1), torch.ones(64))
    assert float(white.min()) > 0
    assert float(white.std()) > 0.1


def neutral_draws(count: int) -> RandomDraws:
    """Return draws that change nothing: the middle of each range, which does not mirror."""
    middle = torch.full((count,), 0.5)
    return RandomDraws(
        middle, middle[:, None].expand(-1, 2), middle, *(middle[:, None].expand(-1, 3) for _ in range(2))
    )


@pytest.mark.parametrize("side", [96, 12])
def test_neutral_warp_only_resizes(images: torch.Tensor, side: int) -> None:
    # WHEN
    warped = warp(images, neutral_draws(64), side)

    # THEN both agree except at the edges, where `warp` reflects pixels and `resize` repeats the last ones
    expected = resize(images.permute(0, 3, 1, 2).float(), side).clamp(0, 255).permute(0, 2, 3, 1)
    inner = slice(side // 12, -(side // 12))
    assert torch.allclose(warped[:, inner, inner], expected[:, inner, inner], atol=0.5)


@pytest.mark.parametrize(("place", "pixels"), [(0.0, -1), (1.0, 1)])
def test_largest_shift_is_a_share_of_the_side(place: float, pixels: int) -> None:
    # GIVEN a white column
    image = torch.zeros(1, 32, 32, 3)
    image[:, :, 16] = 255
    draws = replace(neutral_draws(1), positions=torch.tensor([[place, 0.5]]))

    # WHEN
    warped = warp(image, draws, 32)

    # THEN
    (column,) = torch.nonzero(warped[0, 16, :, 0] > 200)[0]
    assert int(column) == 16 - pixels * SHIFT * 32


@pytest.mark.parametrize(("scale", "sign"), [(0.0, -1), (1.0, 1)])
def test_scaling_keeps_the_center(scale: float, sign: int) -> None:
    # GIVEN a white square
    image = torch.zeros(1, 64, 64, 3)
    image[:, 16:48, 16:48] = 255
    draws = replace(neutral_draws(1), scales=torch.tensor([scale]))

    # WHEN
    share = float(warp(image, draws, 64).mean()) / 255

    # THEN
    assert share == pytest.approx(0.25 * math.exp(-2 * sign * ZOOM), rel=0.05)
